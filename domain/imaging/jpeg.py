"""JPEG: decoded twice from one read where focus is wanted, grey at full size and colour at a fraction of it.

libjpeg leaves the colour channels of a grey decode alone and scales inside the DCT, so that both together cost
less than one full colour decode.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, UnidentifiedImageError

from domain.errors import PermanentError
from domain.imaging import refusals
from domain.imaging.focus import FocusMeter
from domain.imaging.hashes import blake2b
from domain.imaging.picture import Picture, Want, exif_orientation
from domain.imaging.scale import feed

_FILL, _RST = 0xFF, 0xD0
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APPS = range(0xE0, 0xF0)
_ADOBE = 0xEE
_WALKED_FOR_NUL = 4096
"""No JPEG is without a zero byte for so long: each of its parts begins with one in its length."""
_TABLES = frozenset((0xC4, 0xDB, 0xDD))


DRAFT_GAP = 1.35
"""A scaled decode leaves Lanczos at least this many times the wanted edge: less softens the baseline sharpness."""


@dataclass(frozen=True)
class Stream:
    """A walk over a JPEG's segments. `picture_hash` leaves out everything that other programs rewrite."""

    size: tuple[int, int] | None
    picture_hash: bytes
    complete: bool
    problem: str | None = None


def walk(data: bytes) -> Stream:
    """Reads segment by segment to the end of the first picture.

    `picture_hash` is BLAKE2b-256 over the tables, the frame header and the entropy-coded scans, without application
    segments (but Adobe's, which says how colours are coded) and comments: the pixels follow from these alone.
    """
    view, at = memoryview(data), 2
    markers = _markers(data)
    parts: list[memoryview] = []
    size: tuple[int, int] | None = None
    problem: str | None = None
    while True:
        found = _next(markers, at)
        if found is None:
            return Stream(size, blake2b(*parts), False, problem)
        marker, start = view[found + 1], found + 2
        if not parts and any(byte != _FILL for byte in view[at:found]):
            problem = problem or "bytes that belong nowhere stand between its parts"
        if marker == _EOI:
            return Stream(size, blake2b(*parts), True, problem)
        length = int.from_bytes(view[start : start + 2], "big")
        end = start + length
        if length < 2 or end > len(view):
            return Stream(size, blake2b(*parts), False, f"{_part(marker)} claims to be longer than the file")
        if marker in _SIZES:
            size = (
                int.from_bytes(view[start + 5 : start + 7], "big"),
                int.from_bytes(view[start + 3 : start + 5], "big"),
            )
        if marker == _SOS:
            if size is None:
                return Stream(None, blake2b(*parts), False, "the picture begins before its size is told")
            following = _next(markers, end)
            end = len(view) if following is None else following
        if (marker not in _APPS and marker != _COM) or marker == _ADOBE:
            parts.append(view[start - 1 : end])
        at = end


def _markers(data: bytes) -> NDArray[np.intp]:
    """Where a marker may begin: a byte of 255 before one that is neither 0, nor a restart, nor 255 itself."""
    values = np.frombuffer(data, np.uint8)
    at = np.flatnonzero(values[:-1] == _FILL)
    following = values[at + 1]
    found: NDArray[np.intp] = at[
        (following != 0) & (following != _FILL) & ((following < _RST) | (following > _RST + 7))
    ]
    return found


def _next(markers: NDArray[np.intp], at: int) -> int | None:
    number = int(np.searchsorted(markers, at))
    return int(markers[number]) if number < len(markers) else None


def _part(marker: int) -> str:
    """What a segment is to a reader who never saw a marker."""
    if marker == _ADOBE:
        return "the note on its colours"
    if marker in _APPS or marker == _COM:
        return "a note in it"
    return "a table in it" if marker in _TABLES else "a part of the picture"


def open_jpeg(path: Path, data: bytes) -> Image.Image:
    """The JPEG with its header read. Raises PermanentError with the reason where that fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # broken EXIF: it tells nothing, and the picture may be whole
            return Image.open(io.BytesIO(data), formats=("JPEG",))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise _header_refusal(path, data, str(error)) from error


def _header_refusal(path: Path, data: bytes, detail: str) -> PermanentError:
    if 0 not in data[:_WALKED_FOR_NUL]:
        return refusals.damaged(path, "it was sent as text on its way, which replaced bytes of it", detail)
    stream = walk(data)
    if stream.problem:
        return refusals.damaged(path, stream.problem, detail)
    if stream.size is None:
        return refusals.damaged(path, "the part that tells its size is missing", detail)
    return refusals.damaged(path, "its header cannot be understood", detail)


def decode_jpeg(path: Path, data: bytes, want: Want) -> Picture:
    """The picture of a JPEG that was read into `data`; `path` is for sentences.

    Raises PermanentError for a header without sense, too many pixels, or a stream that ends early.
    """
    header = open_jpeg(path, data)
    width, height = header.size
    refusals.check_size(path, width, height, want.pixel_cap)
    icc, orientation = header.info.get("icc_profile"), exif_orientation(header)
    stream = walk(data)
    if want.focus:
        meter = FocusMeter(width, height)
        grey = _loaded(path, header, stream, "L", (width, height))
        feed(meter, grey)
        header = open_jpeg(path, data)
        del grey
    else:
        meter = None
    image = _loaded(path, header, stream, None, _scaled_request(width, height, want))
    box = image.width * _exact(width, image.width), image.height * _exact(height, image.height)
    picture = Picture(_plain(image), width, height, *box, stream.picture_hash, orientation, icc, meter)
    if not stream.complete:
        picture.warnings.append("The file has no end mark; the picture in it is whole.")
    return picture


def _exact(full: int, reduced: int) -> float:
    """Share of the reduced edge that real pixels cover: libjpeg rounds the scaled size up."""
    factor = max(1, round(full / reduced))
    return min(1.0, full / (factor * reduced))


def _scaled_request(width: int, height: int, want: Want) -> tuple[int, int]:
    if not want.long_edge:
        return width, height
    factor = min(1.0, DRAFT_GAP * want.long_edge / max(width, height))
    return round(width * factor), round(height * factor)


def _loaded(path: Path, image: Image.Image, stream: Stream, mode: str | None, size: tuple[int, int]) -> Image.Image:
    try:
        image.draft(mode if image.mode in ("RGB", "YCbCr", "L") else None, size)
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        if stream.problem:
            raise refusals.damaged(path, stream.problem, str(error)) from error
        if not stream.complete or "truncated" in str(error):
            raise refusals.truncated(path, str(error)) from error
        raise refusals.damaged(path, "its picture data make no sense", str(error)) from error
    return image


def _plain(image: Image.Image) -> Image.Image:
    """Detached from the file; CMYK with 0 for no ink: Pillow takes all CMYK for Adobe's inverted kind."""
    adobe = "adobe" in image.info
    if image.mode == "CMYK" and not adobe:
        return ImageChops.invert(image)
    if image.mode not in ("L", "RGB", "CMYK"):
        return image.convert("RGB")
    return image
