"""Samples of any depth to 8-bit bands: grey, RGB or CMYK, with alpha laid over white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Kind = Literal["grey", "rgb", "cmyk"]
INKS: dict[Kind, int] = {"grey": 1, "rgb": 3, "cmyk": 4}
_CACHED_SAMPLES = 1 << 17
MODES: dict[Kind, str] = {"grey": "L", "rgb": "RGB", "cmyk": "CMYK"}


@dataclass(frozen=True)
class Layout:
    """How to read samples. `alpha` is the index of the alpha sample, `bits` the significant bits of an integer.

    `low` and `high` are the float values of black and white. `inverted`: the largest value is black (WhiteIsZero).
    """

    kind: Kind
    bits: int = 8
    inverted: bool = False
    alpha: int | None = None
    premultiplied: bool = False
    low: float = 0.0
    high: float = 1.0
    palette: NDArray[np.uint8] | None = None
    """(n, 3) uint8: samples are its indices."""


def band_of(rows: NDArray[Any], layout: Layout) -> Image.Image:
    """Rows (h, w) or (h, w, samples) of any depth as an 8-bit Pillow picture."""
    if rows.ndim == 2:
        rows = rows[:, :, None]
    if layout.palette is not None:
        pixels = layout.palette[np.minimum(rows[:, :, 0], len(layout.palette) - 1)]
        return Image.fromarray(np.ascontiguousarray(pixels))
    inks = INKS[layout.kind]
    wanted = rows if rows.shape[2] == inks else rows[:, :, :inks]
    pixels = to_bytes(wanted, layout)
    if layout.inverted:
        pixels = np.subtract(255, pixels, dtype=np.uint8)
    if layout.alpha is not None and layout.alpha < rows.shape[2]:
        pixels = over_white(pixels, to_bytes(rows[:, :, layout.alpha : layout.alpha + 1], layout), layout)
    pixels = np.ascontiguousarray(pixels)
    size, mode = (pixels.shape[1], pixels.shape[0]), MODES[layout.kind]
    return Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1)


def to_bytes(rows: NDArray[Any], layout: Layout) -> NDArray[np.uint8]:
    """Samples to 0..255, rounded to the nearest."""
    kind = rows.dtype.kind
    if kind == "f":
        return _float_bytes(rows, layout)
    if kind == "b":
        return rows.astype(np.uint8) * np.uint8(255)
    if kind == "i":
        offset = 1 << (8 * rows.dtype.itemsize - 1)
        rows = (rows.astype(np.int64) + offset).astype(f"u{rows.dtype.itemsize}")
    if rows.dtype == np.uint8 and layout.bits == 8:
        return rows
    if rows.dtype.itemsize == 2 and layout.bits == 16:
        return _wide_bytes(rows)
    top = np.uint64((1 << layout.bits) - 1)
    return ((rows.astype(np.uint64) * np.uint64(255) + top // np.uint64(2)) // top).astype(np.uint8)


def _wide_bytes(rows: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """`round(v / 257)`: exact in single precision, and a few rows at a time so that they stay in the cache."""
    found = np.empty(rows.shape, np.uint8)
    count = max(1, _CACHED_SAMPLES // max(1, rows[0].size))
    scratch = np.empty((count, *rows.shape[1:]), np.float32)
    for top in range(0, len(rows), count):
        part = rows[top : top + count]
        scaled = scratch[: len(part)]
        np.multiply(part, np.float32(1 / 257), out=scaled)
        np.add(scaled, np.float32(0.5), out=scaled)
        np.copyto(found[top : top + count], scaled, casting="unsafe")
    return found


def _float_bytes(rows: NDArray[Any], layout: Layout) -> NDArray[np.uint8]:
    values = np.nan_to_num(rows.astype(np.float32), nan=0.0, posinf=layout.high, neginf=layout.low)
    np.clip(values, layout.low, layout.high, out=values)
    values -= np.float32(layout.low)
    values *= np.float32(255.0 / (layout.high - layout.low))
    return np.rint(values).astype(np.uint8)


def over_white(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    """(h, w, inks) over white by (h, w, 1) alpha; ink over no ink for CMYK."""
    opacity = alpha.astype(np.uint16)
    colour = pixels.astype(np.uint16) if layout.premultiplied else _product(pixels.astype(np.uint16), opacity)
    paper = np.uint16(0) if layout.kind == "cmyk" else 255 - opacity
    laid: NDArray[np.uint8] = np.minimum(colour + paper, 255).astype(np.uint8)
    return laid


def _product(a: NDArray[np.uint16], b: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return (a * b + np.uint16(127)) // np.uint16(255)
