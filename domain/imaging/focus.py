"""Sharpness of the sharpest part of a frame, measured on full-resolution pixels, for ranking frames of one burst.

Detail is measured in small cells (`detail`), in two ways: one free of noise, one that falls with any blur but counts
noise. How much noise there is, is seen in the quietest places of like brightness. Where detail stands far above it, the
second counts, and else the first; what does not stand out of the quietest places, as grain does not, is no detail. That
of blocks of pixels is added as it is. The score is the root of the mean over the sharpest fifth of all places. A
narrower share would rest on so few places that moving the camera by some pixels changes it as much as half a pixel of
blur does; places overlap for the same reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.imaging.detail import CELL, REACH, Detail

PLACE = 3
"""Cells along the edge of a place. One begins at every cell, so that all cells count alike: where only every other one
began a place, moving the camera changed the score of a large frame by as much as half a pixel of motion."""
SHARPEST = 0.2
QUIET_PERCENTILE = 15
BRIGHTNESS_BINS = 12
CLEAR = 2.0
"""Squares count for one half where detail has so many times the energy of noise."""
FAINT = 0.2
"""Detail that stands out by so many times the energy of noise counts for one half of what it is."""
LEAST_NOISE = 0.5  # grey levels squared: that of rounding
GRID_EDGE = 24
BORDER_RANGE = 6
"""Grey levels within which a whole row or column counts as a border."""
NOISE_OF_PLACES = 0.58
"""What the score of places that do not overlap scatters by, from one set of them to another: so much of it the score
over all of them scatters by. Measured on equal frames of 200 moved bursts, for half of which it is less."""
NOISE_OF_ROWS = 0.25
"""The same of how far the score of even rows lies from that of odd ones."""


@dataclass(frozen=True)
class Focus:
    """`score` and `noise` (one standard error) in grey levels of 255; `tiles` uint8 (rows, columns), 255 sharpest."""

    score: float
    noise: float
    tiles: NDArray[np.uint8]


class FocusMeter:
    """Takes a frame's grey rows from top to bottom, as they are decoded."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._detail = Detail(width, height)

    def feed(self, grey: NDArray[np.uint8]) -> None:
        """The next rows, uint8 (any number, width)."""
        self._detail.feed(grey)

    def result(self, content: tuple[float, float, float, float]) -> Focus | None:
        """The score over the places that lie in `content`: left, top, right, bottom as fractions of the frame.

        None where the frame is too small or has no detail at all.
        """
        inside = self._places_inside(content)
        held = tuple(places.stop - places.start for places in inside)
        if held[0] * held[1] < 4:
            return None
        self._detail.finish()
        measured = (self._detail.coherent, self._detail.coarse, self._detail.power, self._detail.mean)
        coherent, coarse, power, mean = (_places(cells, inside) for cells in measured)
        product = coherent.mean(axis=0)
        fine, counts = _fine_detail(product, power, mean)
        found = fine + np.maximum(coarse.mean(axis=0), 0.0)
        score = _score(found)
        if score == 0:
            return Focus(0.0, 0.0, np.zeros(_grid_shape(self._grid), np.uint8))
        even, odd = fine + counts * (coherent - product) + coarse
        rows_apart = abs(_score(even) - _score(odd))
        found = found.reshape(held)
        noise = np.hypot(NOISE_OF_PLACES * _scatter(found), NOISE_OF_ROWS * rows_apart)
        places = np.zeros(self._grid)
        places[inside] = found
        return Focus(score, float(noise), _tile_grid(places))

    @property
    def _grid(self) -> tuple[int, int]:
        """Places of the whole frame: rows, columns."""
        return max(0, self._detail.rows - PLACE + 1), max(0, self._detail.columns - PLACE + 1)

    def _places_inside(self, content: tuple[float, float, float, float]) -> tuple[slice, slice]:
        """Their rows and columns."""
        left, top, right, bottom = content
        rows, columns = self._grid
        return _span(rows, top * self.height, bottom * self.height), _span(
            columns, left * self.width, right * self.width
        )


def _span(places: int, begin: float, end: float) -> slice:
    """Which of so many places in a line lie between two pixels."""
    at = np.arange(places) * CELL
    held = np.flatnonzero((at >= begin - 1e-6) & (at + PLACE * CELL + REACH <= end + REACH))
    return slice(int(held[0]), int(held[-1]) + 1) if len(held) else slice(0, 0)


def _score(energy: NDArray[np.float64]) -> float:
    """Root of the mean energy of the sharpest places, in grey levels."""
    sharpest = min(max(4, round(SHARPEST * energy.size)), energy.size)
    mean_energy = float(np.partition(energy, -sharpest)[-sharpest:].mean())
    return float(max(0.0, mean_energy) ** 0.5)


def _scatter(energy: NDArray[np.float64]) -> float:
    """Standard deviation of the score from one set of places that do not overlap to another; energy (row, column)."""
    sets = [energy[row::PLACE, column::PLACE] for row in range(PLACE) for column in range(PLACE)]
    scores = [_score(places.ravel()) for places in sets if places.size]
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0


def _places(cells: NDArray[np.float64], inside: tuple[slice, slice]) -> NDArray[np.float64]:
    """Means over `PLACE` x `PLACE` cells of the last two axes, at each cell of `inside`, in one line: (..., place)."""
    down, across = inside
    rows, columns = down.stop - down.start, across.stop - across.start
    held = cells[..., down.start : down.stop + PLACE - 1, across.start : across.stop + PLACE - 1]
    lines = held[..., :rows, :].copy()
    for y in range(1, PLACE):
        lines += held[..., y : y + rows, :]
    total = lines[..., :columns].copy()
    for x in range(1, PLACE):
        total += lines[..., x : x + columns]
    total /= PLACE**2
    return total.reshape(*cells.shape[:-2], -1)


def _fine_detail(
    coherent: NDArray[np.float64], power: NDArray[np.float64], mean: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energy of the detail of pixels in each place, and how much the product counts in it (0..1)."""
    quiet_power, quiet_product = _quiet([power, coherent], mean)
    noise = np.maximum(quiet_power, LEAST_NOISE)
    above = np.maximum(power - noise, 0.0)
    clear = above / (above + CLEAR * noise)
    found = np.maximum(coherent * (1 - clear) + above * clear, 0.0)
    # Grain spans pixels, so that the product counts it; it is taken off only to see what stands out, for it is known
    # less well than the product itself.
    standing_out = np.maximum(found - np.maximum(quiet_product, 0.0), 0.0)
    certain = standing_out / (standing_out + FAINT * noise)
    return found * certain, (1 - clear) * certain


def _quiet(energies: Iterable[NDArray[np.float64]], mean: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Of each kind of energy that of the quietest places of like brightness, for each place."""
    bins = np.array_split(np.argsort(mean), min(BRIGHTNESS_BINS, len(mean)))
    levels = [mean[members].mean() for members in bins]
    for energy in energies:
        quiet = [np.percentile(energy[members], QUIET_PERCENTILE) for members in bins]
        yield np.interp(mean, levels, quiet)


def _grid_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    step = -(-max(shape) // GRID_EDGE)
    return -(-shape[0] // step), -(-shape[1] // step)


def _tile_grid(cells: NDArray[np.float64]) -> NDArray[np.uint8]:
    rows, columns = _grid_shape(cells.shape)
    step = -(-max(cells.shape) // GRID_EDGE)
    padded = np.zeros((rows * step, columns * step))
    padded[: cells.shape[0], : cells.shape[1]] = np.sqrt(cells)
    tiles = padded.reshape(rows, step, columns, step).max(axis=(1, 3))
    scaled: NDArray[np.uint8] = np.rint(tiles * (255 / max(tiles.max(), 1e-9))).astype(np.uint8)
    return scaled


def content_box(grey: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """What uniform borders leave of a reduced grey copy (h, w): left, top, right, bottom as fractions.

    A border is a run of rows or columns at an edge, each of one grey level and all of the same. One further pixel
    on each side, mixed by the reduction, is left out with it.
    """
    top, bottom = _run(grey), _run(grey[::-1])
    inner = grey[top : len(grey) - bottom] if top + bottom < len(grey) else grey
    left, right = _run(inner.T), _run(inner.T[::-1])
    height, width = grey.shape
    if top + bottom >= height or left + right >= width:
        return 0.0, 0.0, 1.0, 1.0
    margins = [edge + 2 if edge else 0 for edge in (left, top, right, bottom)]
    return margins[0] / width, margins[1] / height, 1 - margins[2] / width, 1 - margins[3] / height


def _run(lines: NDArray[np.uint8]) -> int:
    """Number of leading lines that are uniform and alike."""
    level: float | None = None
    outer = lines.shape[1] // 50, lines.shape[1] - 1 - lines.shape[1] // 50  # 2 % may be dust
    for number, line in enumerate(lines):
        low, high = np.partition(line, outer)[list(outer)].astype(np.float64)
        middle = (low + high) / 2
        level = middle if level is None else level
        if high - low > BORDER_RANGE or abs(middle - level) > BORDER_RANGE:
            return number
    return len(lines)
