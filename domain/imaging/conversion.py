"""One pass over an original: everything that later stages and pages need of it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from domain.errors import PermanentError
from domain.files import printable, reachable, require_root, sniff
from domain.formats import SNIFFED_BYTES, sniff_bytes
from domain.imaging import color, refusals, scale
from domain.imaging.focus import Focus, content_box
from domain.imaging.hashes import FileHashing, blake2b, perceptual_hash
from domain.imaging.jpeg import decode_jpeg
from domain.imaging.picture import DERIVATIVE_QUALITY, PREVIEW_EDGE, THUMB_EDGE, Picture, PictureSource, Want
from domain.imaging.tiles import write_tiles
from domain.metadata import CapturedSource, Metadata, Rating, read_metadata, sidecar_rating
from domain.quality import LONG_EDGE, baseline_quality
from domain.tiling import is_tiled, tiles_folder

_BESIDE_BYTES = 48 << 20
"""Files above this are hashed on a thread beside their decoding."""

FoundRating = Rating


@dataclass(frozen=True)
class Conversion:
    """What convert found; the fields of the convert result, under the same names and in the same units."""

    file_hash: bytes
    file_size: int
    mtime_ns: int
    pixel_hash: bytes
    phash: int
    width: int
    height: int
    preview_width: int
    preview_height: int
    thumb_width: int
    thumb_height: int
    dominant_color: int
    is_monochrome: bool
    picture_source: PictureSource
    technical_score: int
    sharpness_score: int
    exposure_score: int
    focus_score: float | None = None
    focus_noise: float | None = None
    focus_source: PictureSource | None = None
    focus_tiles: bytes | None = None
    focus_grid: tuple[int, int] | None = None
    captured_at: datetime | None = None
    captured_offset_min: int | None = None
    captured_source: CapturedSource | None = None
    camera: str | None = None
    camera_serial: str | None = None
    lens: str | None = None
    iso: int | None = None
    aperture: float | None = None
    shutter_s: float | None = None
    focal_length_mm: float | None = None
    exif: dict[str, Any] = field(default_factory=dict)
    found_rating: FoundRating | None = None
    warnings: tuple[str, ...] = ()


def preload() -> None:
    """Imports what a decoder child needs, for the forkserver; starts no thread."""
    import exiv2  # noqa: F401
    import imagecodecs  # noqa: F401
    import pi_heif  # noqa: F401
    import pyvips  # noqa: F401
    import rawpy  # noqa: F401
    import tifffile  # noqa: F401

    import domain.imaging.psd
    import domain.imaging.raster
    import domain.imaging.raw
    import domain.imaging.tiff  # noqa: F401

    Image.init()


def convert(
    original: Path,
    *,
    companion: Path | None = None,
    sidecars: Sequence[Path] = (),
    preview_path: Path,
    thumb_path: Path,
    pixel_cap: int,
    want_focus: bool = True,
    root: Path | None = None,
) -> Conversion:
    """Decodes `original` once, writes its preview and thumbnail, and measures it.

    `companion` is the JPEG of a RAW and JPEG pair: the picture is taken from it. `sidecars` are XMP files; one that
    speaks of a rating wins over the embedded one. `root`, where given, tells an unplugged library from a lost file.

    Raises PermanentError with a sentence for a file that will never work, TransientError for one that is gone,
    UnavailableError when its drive does not answer. Never writes beside the original.
    """
    if root is not None:
        require_root(root)
    with reachable(original):
        info = original.stat()
        want = Want(pixel_cap, PREVIEW_EDGE, want_focus)
        picture, digest = _pictured(original, companion, want)
        metadata = _with_rating(_metadata(original, companion), sidecars)
    measured = _measured(picture, preview_path, thumb_path)
    captured = metadata.captured
    return Conversion(
        file_hash=digest,
        file_size=info.st_size,
        mtime_ns=info.st_mtime_ns,
        pixel_hash=picture.pixel_hash,
        picture_source=picture.source,
        captured_at=captured.at if captured else None,
        captured_offset_min=captured.offset_min if captured else None,
        captured_source=captured.source if captured else None,
        camera=metadata.camera,
        camera_serial=metadata.camera_serial,
        lens=metadata.lens,
        iso=metadata.iso,
        aperture=metadata.aperture,
        shutter_s=metadata.shutter_s,
        focal_length_mm=metadata.focal_length_mm,
        exif=metadata.exif,
        found_rating=metadata.rating,
        warnings=tuple(picture.warnings),
        **measured,
    )


@dataclass(frozen=True)
class Rendering:
    """What render wrote; the fields of the render result."""

    width: int
    height: int
    tiled: bool


def render(
    original: Path, *, companion: Path | None = None, render_path: Path, pixel_cap: int, quality: int = 90
) -> Rendering:
    """Writes the picture at its native size as an upright sRGB JPEG, and its tiles where `is_tiled`. Raises as convert.

    The tiles come first: whoever finds the rendering finds them too.
    """
    image = _native(original, companion, pixel_cap)
    width, height = image.size
    tiled, folder = is_tiled(width, height), tiles_folder(render_path)
    with scale.replacing(render_path) as part:
        with part.open("wb") as file:
            image.save(file, "JPEG", quality=quality)
        del image  # the tiles are cut from the file
        if tiled:
            write_tiles(part, folder, quality)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return Rendering(width, height, tiled)


def _native(original: Path, companion: Path | None, pixel_cap: int) -> Image.Image:
    """The upright picture in sRGB at its native size."""
    with reachable(original):
        picture, _ = _pictured(original, companion, Want(pixel_cap, 0), hashed=False)
    return scale.upright(color.to_srgb(scale.scaled(picture, 0), picture.icc), picture.orientation)


# --- the picture --------------------------------------------------------------------------------------------------


def _pictured(original: Path, companion: Path | None, want: Want, *, hashed: bool = True) -> tuple[Picture, bytes]:
    """The picture, from the companion where there is one, and the file hash of the original."""
    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # our own cap is checked from each header
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    if companion is None:
        return decode(original, want, hashed=hashed)
    own, digest = _own_of_pair(original, want, hashed)
    try:
        with reachable(companion):
            picture, _ = decode(companion, want, hashed=False)
    except PermanentError as error:
        picture, _ = decode(original, want, hashed=False)
        picture.warnings.append(f"Its JPEG cannot be used: {error.sentence}")
        return picture, digest
    picture.source = "companion"
    picture.meter_source = None
    picture.pixel_hash = own or picture.pixel_hash
    if own is None:
        picture.warnings.append(f"{printable(original.name)} cannot be decoded; the picture is its JPEG.")
    return picture, digest


def _own_of_pair(original: Path, want: Want, hashed: bool) -> tuple[bytes | None, bytes]:
    """Pixel hash (None for a RAW that cannot be read) and file hash of the RAW of a pair."""
    from domain.imaging.raw import payload_hash

    if not hashed:
        return None, b""
    data_hash = FileHashing(original)
    try:
        own = payload_hash(original, want)
    except PermanentError:
        own = None
    return own, data_hash.result()


def decode(path: Path, want: Want, *, hashed: bool = True) -> tuple[Picture, bytes]:
    """A file's picture by what its content is, whatever its name, and BLAKE2b-256 of its bytes."""
    kind = sniff(path)
    if kind == "empty":
        raise refusals.empty(path)
    if kind == "text":
        raise refusals.text(path)
    if kind in ("tiff", "raw") or path.stat().st_size > _BESIDE_BYTES:
        hashing = FileHashing(path) if hashed else None
        try:
            picture = _by_kind(path, kind, want)
        finally:
            digest = hashing.result() if hashing else b""
        return picture, digest
    data = path.read_bytes()
    return _from_bytes(path, kind, data, want), blake2b(data) if hashed else b""


def _by_kind(path: Path, kind: str, want: Want) -> Picture:
    if kind == "raw":
        return _raw(path, want)
    if kind == "tiff":
        return _tiff(path, want)
    return _from_bytes(path, kind, path.read_bytes(), want)


def _from_bytes(path: Path, kind: str, data: bytes, want: Want) -> Picture:
    if kind == "jpeg":
        return decode_jpeg(path, data, want)
    if kind == "psd":
        from domain.imaging.psd import decode_psd

        return decode_psd(path, data, want)
    if kind == "unknown":
        raise refusals.not_a_picture(path)
    from domain.imaging.raster import decode_raster

    return decode_raster(path, kind, data, want)


def _raw(path: Path, want: Want) -> Picture:
    """By LibRaw; a plain TIFF under a RAW's name by bands."""
    from domain.imaging import raw, tiff

    try:
        return raw.decode_raw(path, want)
    except raw.NotRawError:
        with path.open("rb") as file:
            is_tiff = sniff_bytes(file.read(SNIFFED_BYTES)) == "tiff"
        if not is_tiff or tiff.holds_sensor_data(path):
            raise
        return _tiff(path, want)


def _tiff(path: Path, want: Want) -> Picture:
    """By bands; a RAW under a TIFF's name by LibRaw, and what is laid out unusually by a general decoder."""
    from domain.imaging import tiff

    try:
        return tiff.decode_tiff(path, want)
    except tiff.UnusualTiffError as unusual:
        if tiff.holds_sensor_data(path):
            from domain.imaging.raw import decode_raw

            return decode_raw(path, want)
        from domain.imaging.raster import decode_raster

        try:
            return decode_raster(path, "tiff", path.read_bytes(), want)
        except PermanentError as error:
            if isinstance(unusual, tiff.ForeignColourError):
                raise refusals.unsupported(path, "a TIFF of rare colours", str(unusual)) from error
            raise refusals.damaged(path, "its TIFF structure makes no sense", f"{unusual}; {error.detail}") from error


# --- the measurements ---------------------------------------------------------------------------------------------


def _measured(picture: Picture, preview_path: Path, thumb_path: Path) -> dict[str, Any]:
    preview = color.to_srgb(scale.scaled(picture, PREVIEW_EDGE), picture.icc)
    grey = np.asarray(scale.scaled_grey(picture, LONG_EDGE))
    focus = _focus(picture, preview)
    preview = scale.upright(preview, picture.orientation)
    thumb = scale.shrunk(preview, THUMB_EDGE)
    scale.write_jpeg(preview, preview_path, DERIVATIVE_QUALITY)
    scale.write_jpeg(thumb, thumb_path, DERIVATIVE_QUALITY)
    quality = baseline_quality(grey)
    turned = picture.orientation >= 5
    return {
        "phash": perceptual_hash(thumb),
        "width": picture.height if turned else picture.width,
        "height": picture.width if turned else picture.height,
        "preview_width": preview.width,
        "preview_height": preview.height,
        "thumb_width": thumb.width,
        "thumb_height": thumb.height,
        "dominant_color": color.dominant_color(thumb),
        "is_monochrome": color.is_monochrome(thumb),
        "technical_score": quality.technical,
        "sharpness_score": quality.sharpness,
        "exposure_score": quality.exposure,
        **_focus_fields(focus, picture),
    }


def _focus(picture: Picture, unturned: Image.Image) -> Focus | None:
    if picture.meter is None:
        return None
    small = scale.shrunk(unturned if unturned.mode == "L" else unturned.convert("L"), 720)
    return picture.meter.result(content_box(np.asarray(small)))


def _focus_fields(focus: Focus | None, picture: Picture) -> dict[str, Any]:
    if focus is None:
        return {}
    tiles = scale.upright_grid(focus.tiles, picture.orientation)
    return {
        "focus_score": focus.score,
        "focus_noise": focus.noise,
        "focus_source": picture.meter_source or picture.source,
        "focus_tiles": tiles.tobytes(),
        "focus_grid": (tiles.height, tiles.width),
    }


# --- the facts ----------------------------------------------------------------------------------------------------


def _metadata(original: Path, companion: Path | None) -> Metadata:
    own = read_metadata(original)
    if companion is None or (own.exif and own.rating):
        return own
    beside = read_metadata(companion)
    found = beside if not own.exif else own
    return replace(found, rating=own.rating or beside.rating)


def _with_rating(metadata: Metadata, sidecars: Sequence[Path]) -> Metadata:
    spoken, rating = sidecar_rating(sidecars)
    return replace(metadata, rating=rating) if spoken else metadata


__all__ = ["Conversion", "Rendering", "convert", "decode", "preload", "render"]
