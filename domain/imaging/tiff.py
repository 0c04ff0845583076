"""TIFF and BigTIFF, read band by band: a 100-megapixel 16-bit scan passes through a few megabytes."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from domain.errors import PermanentError
from domain.imaging import refusals
from domain.imaging.hashes import PixelHash
from domain.imaging.picture import Picture, Want, orientation_of
from domain.imaging.samples import INKS, MODES, Kind, Layout, band_of
from domain.imaging.scale import BandSink

logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_KINDS: dict[int, Kind] = {0: "grey", 1: "grey", 2: "rgb", 3: "rgb", 5: "cmyk"}
CFA, LINEAR_RAW = 32803, 34892
_YCBCR = 6
_JPEGS = (6, 7, 34892)
_PAGES_LOOKED_AT = 16
_BAND_BYTES = 3 << 20
_THUMBNAIL_RATIO = 4
_ICC_TAG, _ORIENTATION_TAG, _COLOUR_MAP_TAG, _INK_SET_TAG = 34675, 274, 320, 332

_HOSTILE = (
    ValueError, TypeError, KeyError, IndexError, NotImplementedError, RuntimeError, AttributeError, struct.error,
)  # fmt: skip
"""What tifffile says of headers without sense."""
Rows = NDArray[Any]


class UnusualTiffError(Exception):
    """Valid perhaps, but laid out in a way that this reader leaves to a general one."""


class ForeignColourError(UnusualTiffError):
    """Colours of a kind that this reader does not know, such as Lab or spot inks."""


@dataclass(frozen=True)
class _Open:
    path: Path
    page: Any
    want: Want

    @property
    def size(self) -> tuple[int, int]:
        return int(self.page.imagewidth), int(self.page.imagelength)


def decode_tiff(path: Path, want: Want) -> Picture:
    """The first real page: not a thumbnail, not a mask.

    Raises PermanentError for damage, UnusualTiffError for what only a general decoder or a RAW decoder reads.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            page = first_real_page(tiff)
            opened = _Open(path, page, want)
            refusals.check_size(path, *opened.size, want.pixel_cap)
            return _decode_page(opened)
    except (PermanentError, UnusualTiffError):
        raise
    except tifffile.TiffFileError as error:
        raise UnusualTiffError(str(error)) from error
    except _HOSTILE as error:
        raise UnusualTiffError(f"{type(error).__name__}: {error}") from error


def holds_sensor_data(path: Path) -> bool:
    """Whether a TIFF is a camera's RAW under another name."""
    try:
        with tifffile.TiffFile(path) as tiff:
            return int(first_real_page(tiff).photometric) in (CFA, LINEAR_RAW)
    except Exception:  # hostile headers break the parser in many ways
        return False


def first_real_page(tiff: Any) -> Any:
    """The first page that is no reduced copy and no mask, or one much larger than it of the same shape."""
    pages = []
    for page in tiff.pages:
        pages.append(page.aspage() if hasattr(page, "aspage") else page)
        if len(pages) >= _PAGES_LOOKED_AT:
            break
    real = [p for p in pages if not _subfile_type(p) & 5]
    for page in pages:
        if not real and page.pages is not None:
            real = [p for p in page.pages if not _subfile_type(p) & 5]
    if not real:
        return pages[0]
    first = real[0]
    return next((p for p in real[1:] if _is_thumbnail_of(first, p)), first)


def _subfile_type(page: Any) -> int:
    return int(page.subfiletype or 0)


def _is_thumbnail_of(small: Any, large: Any) -> bool:
    area, larger = small.imagewidth * small.imagelength, large.imagewidth * large.imagelength
    shapes = small.imagewidth * large.imagelength, large.imagewidth * small.imagelength
    is_small = max(small.imagewidth, small.imagelength) <= 1024
    alike = abs(shapes[0] - shapes[1]) <= 0.04 * max(shapes)
    return bool(is_small and larger >= _THUMBNAIL_RATIO * area and alike)


def _decode_page(opened: _Open) -> Picture:
    page = opened.page
    layout = _layout(page)
    rows = _row_source(opened)
    if page.dtype.kind == "f":
        layout = replace(layout, high=_float_white(rows()))
    width, height = opened.size
    sink = BandSink(width, height, "RGB" if layout.palette is not None else MODES[layout.kind], opened.want)
    hashing = PixelHash(width, height, int(page.samplesperpixel), page.dtype.newbyteorder("<"))
    for band in _rebanded(rows(), sink.step, max(32, _BAND_BYTES // _row_bytes(page))):
        hashing.update(band)
        sink.add(band_of(band, layout))
    icc = page.tags.valueof(_ICC_TAG)
    orientation = orientation_of(page.tags.valueof(_ORIENTATION_TAG))
    return sink.picture(hashing.digest(), orientation=orientation, icc=bytes(icc) if icc else None)


def _row_bytes(page: Any) -> int:
    return max(1, int(page.imagewidth) * int(page.samplesperpixel) * int(page.dtype.itemsize))


def _layout(page: Any) -> Layout:
    photometric = int(page.photometric)
    if page.dtype is None or page.dtype.kind not in "buif" or int(page.imagedepth) != 1:
        raise UnusualTiffError("samples of an unknown kind")
    if photometric == _YCBCR and int(page.compression) in _JPEGS:
        photometric = 2  # the JPEG decoder turns it into RGB
    kind = _KINDS.get(photometric)
    if kind is None or page.samplesperpixel < (1 if photometric == 3 else INKS[kind]):
        raise ForeignColourError(f"photometric interpretation {photometric}")
    if kind == "cmyk" and (page.tags.valueof(_INK_SET_TAG) or 1) != 1:
        raise ForeignColourError("inks other than CMYK")
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    alpha, premultiplied = _alpha(page, 1 if photometric == 3 else INKS[kind])
    palette = _palette(page) if photometric == 3 else None
    return Layout(kind, int(bits), photometric == 0, alpha, premultiplied, palette=palette)


def _alpha(page: Any, inks: int) -> tuple[int | None, bool]:
    """A further sample is alpha only if ExtraSamples says 1 (premultiplied) or 2; scanners store infrared as 0."""
    for number, meaning in enumerate(page.extrasamples or ()):
        if int(meaning) in (1, 2):
            return inks + number, int(meaning) == 1
    return None, False


def _palette(page: Any) -> NDArray[np.uint8]:
    colours = np.asarray(page.tags.valueof(_COLOUR_MAP_TAG), np.uint32).reshape(3, -1)
    return ((colours + 128) // 257).astype(np.uint8).T.copy()


def _float_white(bands: Iterator[Rows]) -> float:
    """Floats are 0..1 unless they run far beyond: then 0..255 or 0..65535, or to their own maximum."""
    top = max((float(np.nanmax(np.where(np.isfinite(b), b, 0))) for b in bands), default=1.0)
    if top <= 2.0:
        return 1.0
    return next((limit for limit in (255.0, 65535.0) if limit / 4 < top <= limit), top)


# --- rows ---------------------------------------------------------------------------------------------------------


def _row_source(opened: _Open) -> Callable[[], Iterator[Rows]]:
    """What yields the page's rows from top to bottom, (n, width, samples), in native byte order."""
    if opened.page.is_contiguous and opened.page.bitspersample in (8, 16, 32, 64):
        return lambda: _contiguous_rows(opened)
    return lambda: _segment_rows(opened)


def _contiguous_rows(opened: _Open) -> Iterator[Rows]:
    """Uncompressed samples in one piece: read as they lie."""
    page = opened.page
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    width, height = opened.size
    samples, planar = int(page.samplesperpixel), int(page.planarconfig) == 2 and page.samplesperpixel > 1
    per_row = width * dtype.itemsize * (1 if planar else samples)
    start = int(page.dataoffsets[0])
    rows_at_once = max(1, _BAND_BYTES // _row_bytes(page))
    with opened.path.open("rb", buffering=0) as file:
        for top in range(0, height, rows_at_once):
            count = min(rows_at_once, height - top)
            if not planar:
                yield _read_rows(opened, file, start + top * per_row, count, dtype).reshape(count, width, samples)
                continue
            planes = [start + (plane * height + top) * per_row for plane in range(samples)]
            yield np.stack(
                [_read_rows(opened, file, at, count, dtype, 1).reshape(count, width) for at in planes], axis=2
            )


def _read_rows(opened: _Open, file: Any, at: int, count: int, dtype: np.dtype[Any], samples: int = 0) -> Rows:
    wanted = count * opened.size[0] * (samples or int(opened.page.samplesperpixel)) * dtype.itemsize
    file.seek(at)
    data = np.empty(wanted, np.uint8)
    view, got = data.data, 0
    while got < wanted and (more := file.readinto(view[got:])):
        got += more
    if got < wanted:
        raise refusals.truncated(opened.path, f"{got} of {wanted} bytes at {at}")
    rows = data.view(dtype)
    return rows if dtype.isnative else rows.astype(dtype.newbyteorder("="))


def _segment_rows(opened: _Open) -> Iterator[Rows]:
    """Strips or tiles, decoded one row of segments at a time."""
    page = opened.page
    width, height = opened.size
    tile_height = int(page.tilelength if page.is_tiled else min(page.rowsperstrip or height, height)) or height
    tile_width = int(page.tilewidth if page.is_tiled else width)
    across, down = -(-width // tile_width), -(-height // tile_height)
    planes = int(page.samplesperpixel) if int(page.planarconfig) == 2 else 1
    samples = int(page.samplesperpixel)
    if len(page.dataoffsets) < across * down * planes:
        raise refusals.damaged(opened.path, "its table of contents is incomplete")
    for row in range(down):
        count = min(tile_height, height - row * tile_height)
        band = np.zeros((count, width, samples), page.dtype)
        for plane in range(planes):
            for column in range(across):
                piece = _segment(opened, (plane * down + row) * across + column)
                left = column * tile_width
                piece = piece[:count, : width - left]
                target = band[: len(piece), left : left + piece.shape[1]]
                if planes > 1:
                    target[:, :, plane] = piece[:, :, 0]
                else:
                    target[...] = piece
        yield band


def _segment(opened: _Open, index: int) -> Rows:
    page, handle = opened.page, opened.page.parent.filehandle
    at, size = int(page.dataoffsets[index]), int(page.databytecounts[index])
    handle.seek(at)
    data = handle.read(size)
    if len(data) < size or size == 0:
        raise refusals.truncated(opened.path, f"segment {index}: {len(data)} of {size} bytes")
    try:
        decoded = page.decode(data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader)[0]
    except NotImplementedError:
        raise
    except Exception as error:  # codecs raise their own kinds
        raise UnusualTiffError(f"segment {index}: {error}") from error
    if decoded is None:
        raise refusals.truncated(opened.path, f"segment {index} is missing")
    rows: Rows = np.asarray(decoded)[0]
    return rows


def _rebanded(bands: Iterator[Rows], step: int, wanted: int) -> Iterator[Rows]:
    """The same rows in bands of a multiple of `step`, at least `wanted` rows, so that each can be reduced alone."""
    held: list[Rows] = []
    count = 0
    for band in bands:
        held.append(band)
        count += len(band)
        if count >= wanted or (count >= step and len(band) >= wanted):
            rows = np.concatenate(held) if len(held) > 1 else held[0]
            whole = count - count % step
            yield rows[:whole]
            held, count = ([rows[whole:]], count - whole) if whole < count else ([], 0)
    if held:
        yield np.concatenate(held) if len(held) > 1 else held[0]
