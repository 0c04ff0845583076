"""The merged picture of a Photoshop document (PSD, PSB): 8, 16 or 32 bit, grey, RGB or CMYK.

After Adobe's "Photoshop File Formats Specification": header, three length-prefixed sections, then planes.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.imaging import refusals
from domain.imaging.hashes import pixels_hash
from domain.imaging.picture import Picture, Want
from domain.imaging.samples import INKS, MODES, Kind, Layout, band_of
from domain.imaging.scale import BandSink

_KINDS: dict[int, Kind] = {1: "grey", 3: "rgb", 4: "cmyk", 8: "grey"}
_ICC_RESOURCE = 1039
_RAW, _PACKBITS, _ZIP = 0, 1, 2


def decode_psd(path: Path, data: bytes, want: Want) -> Picture:
    """Raises PermanentError for other colour modes, too many pixels, damage, or a file saved without its picture."""
    try:
        return _decode(path, data, want)
    except (struct.error, ValueError, IndexError, zlib.error) as error:
        raise refusals.truncated(path, str(error)) from error
    except RuntimeError as error:  # of the unpacker
        raise refusals.damaged(path, "its packed rows make no sense", str(error)) from error


def _decode(path: Path, data: bytes, want: Want) -> Picture:
    version, channels, height, width, depth, mode = struct.unpack(">H6xHIIHH", data[4:26])
    refusals.check_size(path, width, height, want.pixel_cap)
    kind = _KINDS.get(mode)
    if kind is None or channels < INKS[kind] or depth not in (8, 16, 32):
        raise refusals.unsupported(path, f"a Photoshop document of colour mode {mode} at {depth} bit")
    resources = 26 + 4 + _length(data, 26)
    layers = resources + 4 + _length(data, resources)
    wide = 8 if version == 2 else 4
    at = layers + wide + int.from_bytes(data[layers : layers + wide], "big")
    planes = _planes(data, at, version == 2, (INKS[kind], channels, height, width), depth)
    pixels = np.ascontiguousarray(np.moveaxis(planes, 0, 2))
    # Photoshop lays transparency into the merged picture over white; inks are stored inverted.
    layout = Layout(kind, depth, inverted=kind == "cmyk")
    sink = BandSink(width, height, MODES[kind], want)
    sink.add(band_of(pixels, layout))
    icc = _resource(data, resources + 4, layers, _ICC_RESOURCE)
    return sink.picture(pixels_hash(pixels), icc=icc)


def _length(data: bytes, at: int) -> int:
    return int(struct.unpack(">I", data[at : at + 4])[0])


def _planes(data: bytes, at: int, big: bool, shape: tuple[int, int, int, int], depth: int) -> NDArray[np.generic]:
    """(inks, height, width) in native byte order; further channels (alpha, spot inks) are left where they are."""
    inks, channels, height, width = shape
    dtype = np.dtype({8: ">u1", 16: ">u2", 32: ">f4"}[depth])
    wanted = inks * height * width * dtype.itemsize
    method = int.from_bytes(data[at : at + 2], "big")
    body = memoryview(data)[at + 2 :]
    if method == _RAW:
        raw: bytes | memoryview = body[:wanted]
    elif method == _PACKBITS:
        raw = _unpacked(body, inks * height, channels * height, 4 if big else 2)
    elif method == _ZIP:
        raw = zlib.decompressobj().decompress(body, wanted)
    else:
        raise ValueError(f"compression {method}")
    pixels = np.frombuffer(raw, dtype, inks * height * width).reshape(inks, height, width)
    return pixels.astype(dtype.newbyteorder("="))


def _unpacked(body: memoryview, rows: int, all_rows: int, counter: int) -> bytes:
    from imagecodecs import packbits_decode

    counts = np.frombuffer(body, f">u{counter}", all_rows)
    ends = all_rows * counter + np.cumsum(counts.astype(np.int64))
    starts = ends - counts
    if ends[rows - 1] > len(body):
        raise ValueError("the picture ends early")
    return b"".join(packbits_decode(bytes(body[starts[i] : ends[i]])) for i in range(rows))


def _resource(data: bytes, at: int, end: int, wanted: int) -> bytes | None:
    while at + 12 <= end and data[at : at + 4] == b"8BIM":
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        name = data[at + 6] + 1
        at += 6 + name + name % 2
        size = _length(data, at)
        if number == wanted:
            return data[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return None
