"""Camera RAW: the embedded preview when it is large enough, else a demosaic by LibRaw."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rawpy
import tifffile
from PIL import Image

from domain.errors import PermanentError
from domain.imaging import color, refusals
from domain.imaging.hashes import blake2b, pixels_hash
from domain.imaging.jpeg import decode_jpeg
from domain.imaging.picture import PREVIEW_EDGE, Picture, Want
from domain.imaging.scale import BandSink
from domain.imaging.tiff import CFA, LINEAR_RAW

FULL_SIZE = 0.9
"""A preview of at least this share of the sensor's long edge shows the sensor's own pixels."""
_EXIF_FLIP = {0: 1, 3: 3, 5: 8, 6: 6}
_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")


class NotRawError(PermanentError):
    """Use this when the content is no RAW at all, whatever its name."""


@dataclass(frozen=True)
class _Preview:
    data: bytes
    size: tuple[int, int]

    @property
    def long_edge(self) -> int:
        return max(self.size)


def decode_raw(path: Path, want: Want) -> Picture:
    """Raises PermanentError when neither the sensor's data nor a preview can be read.

    A preview under `PREVIEW_EDGE` gives way to a demosaic, but a monochrome one keeps the frame monochrome: it is
    how the photographer saw it.
    """
    try:
        with rawpy.imread(str(path)) as raw:
            return _decode(path, raw, want)
    except rawpy.LibRawError as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: Exception) -> PermanentError:
    if path.stat().st_size == 0:
        return refusals.empty(path)
    if isinstance(error, rawpy.LibRawFileUnsupportedError):
        refusal = refusals.damaged(path, "no camera's RAW that can be read here", str(error))
        return NotRawError(refusal.sentence, op=refusal.op, context=refusal.context, detail=refusal.detail)
    if isinstance(error, rawpy.LibRawIOError):
        return refusals.damaged(path, "its RAW data end early or were cut out", str(error))
    return refusals.damaged(path, "its RAW data make no sense", str(error))


def _decode(path: Path, raw: Any, want: Want) -> Picture:
    sizes = raw.sizes
    refusals.check_size(path, sizes.raw_width, sizes.raw_height, want.pixel_cap)
    refusals.check_size(path, sizes.width, sizes.height, want.pixel_cap)
    orientation = _EXIF_FLIP.get(sizes.flip, 1)
    preview = _embedded_preview(raw)
    sensor_edge = max(sizes.width, sizes.height)
    full_size = preview is not None and preview.long_edge >= FULL_SIZE * sensor_edge
    native = want.long_edge == 0
    if preview is not None and (full_size or (not native and preview.long_edge >= PREVIEW_EDGE)):
        picture = _from_preview(path, preview, orientation, sizes, replace(want, focus=want.focus and full_size))
        if picture is not None:
            if want.focus and not full_size:
                picture.meter = _demosaic(path, raw, want, half=False).meter
                picture.meter_source = "demosaic"
            if not full_size:
                picture.width, picture.height = picture_size(sizes)
            picture.pixel_hash = _payload_hash(path, raw)
            return picture
    half = not want.focus and not native and sensor_edge >= 2 * PREVIEW_EDGE
    picture = _demosaic(path, raw, want, half=half)
    picture.orientation = orientation
    picture.pixel_hash = _payload_hash(path, raw)
    if _shows_monochrome(preview):
        picture.image = picture.image.convert("L")
    return picture


def picture_size(sizes: Any) -> tuple[int, int]:
    """(width, height) of the demosaiced picture, unturned."""
    return (sizes.iwidth, sizes.iheight) if sizes.flip not in (5, 6) else (sizes.width, sizes.height)


def _embedded_preview(raw: Any) -> _Preview | None:
    try:
        thumb = raw.extract_thumb()
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError, rawpy.LibRawError):
        return None
    if thumb.format != rawpy.ThumbFormat.JPEG:
        return None
    try:
        with Image.open(io.BytesIO(thumb.data)) as image:
            return _Preview(bytes(thumb.data), image.size)
    except OSError:
        return None


def _shows_monochrome(preview: _Preview | None) -> bool:
    if preview is None or preview.long_edge < 100:
        return False
    try:
        image = Image.open(io.BytesIO(preview.data))
        image.draft(None, (320, 320))
        image.load()
    except OSError:
        return False
    return color.is_monochrome(image if image.mode == "L" else image.convert("RGB"))


def _from_preview(path: Path, preview: _Preview, orientation: int, sizes: Any, want: Want) -> Picture | None:
    """None when the preview is damaged: the sensor's data may still be whole."""
    try:
        picture = decode_jpeg(path, preview.data, want)
    except PermanentError:
        return None
    lies_alike = (picture.width >= picture.height) == (sizes.width >= sizes.height)
    picture.orientation = orientation if lies_alike else 1
    picture.source = "embedded_preview"
    return picture


def _demosaic(path: Path, raw: Any, want: Want, *, half: bool) -> Picture:
    """With the camera's white balance, in sRGB, 8 bit, unturned."""
    pixels = raw.postprocess(use_camera_wb=True, output_bps=8, user_flip=0, half_size=half)
    height, width = pixels.shape[:2]
    sink = BandSink(width, height, "RGB", want)
    sink.add(Image.fromarray(np.ascontiguousarray(pixels[:, :, :3])))
    picture = sink.picture(b"")
    picture.source = "demosaic"
    if half:
        picture.width, picture.height = 2 * width, 2 * height
    return picture


def payload_hash(path: Path, want: Want) -> bytes:
    """`pixel_hash` of a RAW without decoding its picture. Raises PermanentError where it cannot be read."""
    try:
        with rawpy.imread(str(path)) as raw:
            refusals.check_size(path, raw.sizes.raw_width, raw.sizes.raw_height, want.pixel_cap)
            return _payload_hash(path, raw)
    except rawpy.LibRawError as error:
        raise _refusal(path, error) from error


def _payload_hash(path: Path, raw: Any) -> bytes:
    """BLAKE2b-256 of what the sensor gave: the RAW's strips where the container is a TIFF, else the unpacked values.

    Programs that rewrite metadata or previews inside a RAW copy the strips unchanged.
    """
    strips = _tiff_payload(path)
    if strips:
        with path.open("rb") as file:
            return blake2b(*(_strip(path, file, at, size) for at, size in strips))
    return pixels_hash(np.ascontiguousarray(raw.raw_image))


def _strip(path: Path, file: Any, at: int, size: int) -> bytes:
    file.seek(at)
    data = bytes(file.read(size))
    if len(data) < size:
        raise refusals.truncated(path, f"{len(data)} of {size} bytes at {at}")
    return data


def _tiff_payload(path: Path) -> list[tuple[int, int]]:
    """(offset, bytes) of the sensor's strips: of the page that says so, else of the largest."""
    with path.open("rb") as file:
        if file.read(4) not in _TIFF_HEADS[:4]:
            return []
    try:
        with tifffile.TiffFile(path) as tiff:
            pages = list(_all_pages(tiff.pages))
            found = [(list(map(int, p.dataoffsets)), list(map(int, p.databytecounts)), p) for p in pages]
    except Exception:  # makers bend TIFF; the unpacked values serve instead
        return []
    sensors = [f for f in found if int(f[2].photometric or 0) in (CFA, LINEAR_RAW)] or found
    if not sensors:
        return []
    offsets, counts, _ = max(sensors, key=lambda f: sum(f[1]))
    return list(zip(offsets, counts, strict=False)) if sum(counts) > 0 else []


def _all_pages(pages: Any, depth: int = 0) -> Any:
    for page in pages:
        whole = page.aspage() if hasattr(page, "aspage") else page
        yield whole
        if whole.pages is not None and depth < 2:
            yield from _all_pages(whole.pages, depth + 1)
