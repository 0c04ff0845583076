"""Sharpness of the sharpest part of a frame, measured on full-resolution pixels, for ranking frames of one burst.

Detail is measured in small cells (`detail`), in two ways: one free of noise, one that falls with any blur but counts
noise. How much noise there is, is seen in the quietest places of like brightness. Where detail stands far above it, the
second counts, and else the first; what does not stand out at all is not detail. The score is the root of the mean over
the sharpest fifth of all places. A narrower share would rest on so few places that moving the camera by some pixels
changes it as much as half a pixel of blur does; places overlap for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.imaging.detail import CELL, REACH, Detail

PLACE = 3
"""Cells along the edge of a place."""
MANY_CELLS = 40_000
"""Places begin at every cell, in a frame of more cells at every other one: still overlapping, for a quarter."""
SHARPEST = 0.2
QUIET_PERCENTILE = 15
BRIGHTNESS_BINS = 12
CLEAR = 10.0
"""Squares count for one half where detail has so many times the energy of noise."""
FAINT = 0.2
"""Detail of so many times the energy of noise counts for one half of what it is."""
LEAST_NOISE = 0.5  # grey levels squared: that of rounding
GRID_EDGE = 24
BORDER_RANGE = 6
"""Grey levels within which a whole row or column counts as a border."""
REPEATABILITY = 0.037
"""Relative scatter of a single place from where cells happen to fall on the subject: measured on moved frames."""
_NOISE_OF_SPREAD = 0.52
"""Even and odd rows differ by noise and by what they show; so much of it is noise: measured on equal frames."""


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
        self._step = 2 if self._detail.mean.size > MANY_CELLS else 1

    def feed(self, grey: NDArray[np.uint8]) -> None:
        """The next rows, uint8 (any number, width)."""
        self._detail.feed(grey)

    def result(self, content: tuple[float, float, float, float]) -> Focus | None:
        """The score over the places that lie in `content`: left, top, right, bottom as fractions of the frame.

        None where the frame is too small or has no detail at all.
        """
        inside = self._places_inside(content)
        if inside.sum() < 4:
            return None
        self._detail.finish()
        measured = (self._detail.coherent, self._detail.power, self._detail.mean)
        coherent, power, mean = (_places(cells, self._step)[..., inside] for cells in measured)
        found, spread = _detail(coherent.mean(axis=0), power, mean), coherent[0] - coherent[1]
        places = np.zeros(inside.shape)
        places[inside] = found
        sharpest = max(4, round(SHARPEST * inside.sum()))
        order = np.argpartition(found, -sharpest)[-sharpest:]
        mean_energy = float(found[order].mean())
        if mean_energy <= 0:
            return Focus(0.0, 0.0, np.zeros(_grid_shape(places.shape), np.uint8))
        score = mean_energy**0.5
        noise = _noise(found[order], spread[order], (PLACE / self._step) ** 2)
        return Focus(score, noise, _tile_grid(places))

    def _places_inside(self, content: tuple[float, float, float, float]) -> NDArray[np.bool_]:
        left, top, right, bottom = content
        edge = PLACE * CELL
        x, y = (
            np.arange(0, max(0, cells - PLACE + 1), self._step) * CELL
            for cells in (self._detail.columns, self._detail.rows)
        )
        across = (x >= left * self.width - 1e-6) & (x + edge + REACH <= right * self.width + REACH)
        down = (y >= top * self.height - 1e-6) & (y + edge + REACH <= bottom * self.height + REACH)
        return down[:, None] & across[None, :]


def _noise(energy: NDArray[np.float64], spread: NDArray[np.float64], shared: float) -> float:
    """One standard error of the score. `spread`: how the even rows of each place differ from the odd ones.

    Where few places hold most of the energy, they alone count; `shared` places have each cell in common.
    """
    score = float(energy.mean() ** 0.5)
    holding = float(energy.sum() ** 2 / (energy**2).sum())
    error = _NOISE_OF_SPREAD * float(np.sqrt((spread**2).mean() * shared / len(spread))) / 2
    return float(np.hypot(error / (2 * score), REPEATABILITY * score * (shared / holding) ** 0.5))


def _places(cells: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Means over `PLACE` x `PLACE` cells, at every `step`th cell of the last two axes that begins a whole place."""
    rows, columns = (edge - PLACE + 1 for edge in cells.shape[-2:])
    total = sum(
        cells[..., y : y + rows : step, x : x + columns : step].astype(np.float64)
        for y in range(PLACE)
        for x in range(PLACE)
    )
    return np.asarray(total) / PLACE**2


def _detail(
    coherent: NDArray[np.float64], power: NDArray[np.float64], mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Energy of the detail in each place, from what `Detail` found there."""
    noise = _quiet_floor(power, mean)
    above = np.maximum(power - noise, 0.0)
    clear = above / (above + CLEAR * noise)
    found = np.maximum(coherent * (1 - clear) + above * clear, 0.0)
    return found * found / (found + FAINT * noise)


def _quiet_floor(energy: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy of the quietest places of like brightness, for each place."""
    bins = np.array_split(np.argsort(mean), min(BRIGHTNESS_BINS, len(mean)))
    levels = [mean[members].mean() for members in bins]
    quiet = [np.percentile(energy[members], QUIET_PERCENTILE) for members in bins]
    return np.maximum(np.interp(mean, levels, quiet), LEAST_NOISE)


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
