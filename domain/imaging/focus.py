"""Sharpness of the sharpest part of a frame, measured on full-resolution pixels, for ranking frames of one burst.

The measure is the product of second differences of neighbouring rows (and, the other way round, columns): detail
of any extent appears in both and adds up, while sensor noise is independent between them and averages out. What
is left of noise in an area without detail, such as film grain, which spans pixels, is taken from the quietest cells
of like brightness and subtracted. The score is the root of the mean over the sharpest 2 % of cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELL = 64
SMALL_CELL = 16
SMALL_EDGE = 512
"""Frames with a shorter edge below this use small cells."""
SHARPEST = 0.02
QUIET_PERCENTILE = 15
BRIGHTNESS_BINS = 6
GRID_EDGE = 24
BORDER_RANGE = 6
"""Grey levels within which a whole row or column counts as a border."""
REPEATABILITY = 0.01
"""Relative scatter from where the cells happen to fall on the subject: measured on shifted frames."""
_ROWS = 16


@dataclass(frozen=True)
class Focus:
    """`score` and `noise` (one standard error) in grey levels of 255; `tiles` uint8 (rows, columns), 255 sharpest."""

    score: float
    noise: float
    tiles: NDArray[np.uint8]


class FocusMeter:
    """Takes a frame's grey rows from top to bottom, as they are decoded."""

    def __init__(self, width: int, height: int) -> None:
        self.cell = CELL if min(width, height) >= SMALL_EDGE else SMALL_CELL
        self.columns, self.rows = (width - 2) // self.cell, (height - 2) // self.cell
        self.measurable = self.columns >= 2 and self.rows >= 2
        self.energy = np.zeros((2, max(self.rows, 1), max(self.columns, 1)))
        self.mean = np.zeros_like(self.energy[0])
        self._y = 0  # first row that has not been measured
        self._window = np.empty((_ROWS + 2, width), np.float32)
        self._held = 0  # rows at the top of the window that are waiting
        self._first = np.empty((_ROWS + 2, width - 1), np.float32)
        self._across = np.empty((_ROWS + 2, width - 2), np.float32)
        self._down1 = np.empty((_ROWS + 1, width), np.float32)
        self._down = np.empty((_ROWS, width), np.float32)

    def feed(self, grey: NDArray[np.uint8]) -> None:
        """The next rows, uint8 (any number, width)."""
        if not self.measurable:
            return
        at = 0
        while at < len(grey):
            room = min(self._room(), len(grey) - at)
            self._window[self._held : self._held + room] = grey[at : at + room]
            self._held += room
            at += room
            if self._room() == 0:
                self._measure()

    def _room(self) -> int:
        return _ROWS + 2 - self._held

    def _measure(self) -> None:
        """Measures `_ROWS` rows; a cell row is a whole number of such bands."""
        row, width = self._y // self.cell, self.columns * self.cell
        if row < self.rows:
            window = self._window
            np.subtract(window[:, 1:], window[:, :-1], out=self._first)
            np.subtract(self._first[:, 1:], self._first[:, :-1], out=self._across)
            np.subtract(window[1:], window[:-1], out=self._down1)
            np.subtract(self._down1[1:], self._down1[:-1], out=self._down)
            shape = (_ROWS, self.columns, self.cell)
            across, below = self._across[:_ROWS, :width].reshape(shape), self._across[1:-1, :width].reshape(shape)
            down, beside = self._down[:, :width].reshape(shape), self._down[:, 1 : width + 1].reshape(shape)
            for half in (0, 1):
                self.energy[half, row] += np.einsum("rcx,rcx->c", across[half::2], below[half::2])
                self.energy[half, row] += np.einsum("rcx,rcx->c", down[half::2], beside[half::2])
            self.mean[row] += np.einsum("rcx->c", window[:_ROWS, :width].reshape(shape))
        self._y += _ROWS
        self._window[:2] = self._window[_ROWS:]
        self._held = 2

    def result(self, content: tuple[float, float, float, float]) -> Focus | None:
        """The score over the cells that lie in `content`: left, top, right, bottom as fractions of the frame.

        None where the frame is too small or has no detail at all.
        """
        inside = self._cells_inside(content)
        if not self.measurable or inside.sum() < 4:
            return None
        pixels = float(self.cell * self.cell)
        halves, mean = self.energy / (pixels / 2), self.mean / pixels
        floor = _quiet_floor(halves.mean(axis=0)[inside], mean[inside])
        cells = np.zeros(inside.shape)
        cells[inside] = np.maximum(halves.mean(axis=0)[inside] - floor, 0.0)
        order = np.argsort(cells[inside])[::-1][: max(4, round(SHARPEST * inside.sum()))]
        mean_energy = float(cells[inside][order].mean())
        if mean_energy <= 0:
            return Focus(0.0, 0.0, np.zeros(_grid_shape(cells.shape), np.uint8))
        score = mean_energy**0.5
        spread = (halves[0] - halves[1])[inside][order]
        energy_error = float(np.sqrt((spread**2).sum())) / (2 * len(order))
        noise = float(np.hypot(energy_error / (2 * score), REPEATABILITY * score))
        return Focus(score, noise, _tile_grid(cells))

    def _cells_inside(self, content: tuple[float, float, float, float]) -> NDArray[np.bool_]:
        left, top, right, bottom = content
        height, width = self.rows * self.cell + 2, self._window.shape[1]
        full_height = max(height, self._y)
        x, y = np.arange(self.columns) * self.cell, np.arange(self.rows) * self.cell
        across = (x >= left * width - 1e-6) & (x + self.cell + 2 <= right * width + 2)
        down = (y >= top * full_height - 1e-6) & (y + self.cell + 2 <= bottom * full_height + 2)
        return down[:, None] & across[None, :]


def _quiet_floor(energy: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy of the quietest cells of like brightness, for each cell; never negative."""
    edges = np.quantile(mean, np.linspace(0, 1, BRIGHTNESS_BINS + 1)[1:-1])
    bins = np.searchsorted(edges, mean)
    floor = np.full(len(energy), np.percentile(energy, QUIET_PERCENTILE))
    for number in range(BRIGHTNESS_BINS):
        members = bins == number
        if members.sum() >= 20:
            floor[members] = np.percentile(energy[members], QUIET_PERCENTILE)
    return np.maximum(floor, 0.0)


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
