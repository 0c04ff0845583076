"""Pictures that are decoded whole: PNG, WebP, BMP, TGA, HEIF, AVIF, and TIFFs of unusual layout."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from domain.errors import PermanentError
from domain.imaging import refusals
from domain.imaging.hashes import pixels_hash
from domain.imaging.picture import Picture, Want, exif_orientation
from domain.imaging.samples import MODES, Kind, Layout, band_of
from domain.imaging.scale import BandSink

PILLOW_FORMATS = {
    "png": ("PNG",),
    "webp": ("WEBP",),
    "bmp": ("BMP",),
    "tga": ("TGA",),
    "heif": ("HEIF",),
    "avif": ("AVIF",),
    "tiff": ("TIFF",),
}
_ALPHA_MODES = {"RGBA", "LA", "PA", "La", "RGBa"}


def decode_raster(path: Path, kind: str, data: bytes, want: Want) -> Picture:
    """Raises PermanentError for damage, truncation, or too many pixels."""
    image = _opened(path, kind, data)
    refusals.check_size(path, *image.size, want.pixel_cap)
    orientation = 1 if kind == "heif" else exif_orientation(image)  # libheif turns by itself
    icc = image.info.get("icc_profile")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, RuntimeError, IndexError) as error:
        raise _load_refusal(path, kind, error) from error
    picture = _picture(image, orientation, icc, want, path)
    if kind == "heif":
        picture.warnings += _larger_beside(data, image.size)
    return picture


def _larger_beside(data: bytes, size: tuple[int, int]) -> list[str]:
    """Warns when a HEIF names a small picture as its main one: perhaps a thumbnail whose original was cut out."""
    import pi_heif

    width, height = max((other.size for other in pi_heif.open_heif(data)), key=lambda s: s[0] * s[1])
    if width * height <= size[0] * size[1]:
        return []
    return [
        f"The file names a picture of {size[0]} x {size[1]} pixels as its main one, though it holds one of "
        f"{width} x {height}; it may show a thumbnail only."
    ]


def _opened(path: Path, kind: str, data: bytes) -> Image.Image:
    if kind == "heif":
        import pi_heif

        pi_heif.register_heif_opener()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(data), formats=PILLOW_FORMATS[kind])
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, struct.error, RuntimeError) as error:
        raise refusals.damaged(path, f"its {kind.upper()} header cannot be understood", str(error)) from error


def _load_refusal(path: Path, kind: str, error: Exception) -> PermanentError:
    text = str(error).lower()
    if any(word in text for word in ("truncated", "end of", "unexpected eof", "not enough", "incomplete")):
        return refusals.truncated(path, str(error))
    return refusals.damaged(path, f"its {kind.upper()} picture data make no sense", str(error))


def _picture(image: Image.Image, orientation: int, icc: bytes | None, want: Want, path: Path) -> Picture:
    pixels, layout = _samples(image)
    if layout is None:
        raise refusals.unsupported(path, f"its colour mode is {image.mode}")
    sink = BandSink(*image.size, "RGB" if layout.kind == "rgb" else MODES[layout.kind], want)
    digest = pixels_hash(pixels)
    sink.add(band_of(pixels, layout))
    return sink.picture(digest, orientation=orientation, icc=icc)


def _samples(image: Image.Image) -> tuple[NDArray[Any], Layout | None]:
    """The decoded samples, and how to read them."""
    if image.mode[0] in "IF":
        return _wide_samples(image)
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        straight = image.convert("LA" if image.mode in ("LA", "L", "La", "1") else "RGBA")
        kind: Kind = "grey" if straight.mode == "LA" else "rgb"
        return np.asarray(straight), Layout(kind, alpha=1 if kind == "grey" else 3)
    if image.mode == "CMYK":
        return np.asarray(image), Layout("cmyk")
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L")), Layout("grey")
    if image.mode in ("P", "RGB", "YCbCr", "LAB", "HSV", "RGBX"):
        return np.asarray(image.convert("RGB")), Layout("rgb")
    return np.empty(0), None


def _wide_samples(image: Image.Image) -> tuple[NDArray[Any], Layout]:
    """Grey of 16 bits, of 32, or float. Pillow's own conversions clip it to white."""
    pixels = np.asarray(image)
    if image.mode == "I":
        return np.clip(pixels, 0, 65535).astype(np.uint16), Layout("grey", 16)
    if image.mode == "F":
        return pixels, Layout("grey", high=max(1.0, float(np.nanmax(pixels))))
    return pixels.astype(pixels.dtype.newbyteorder("=")), Layout("grey", 16)
