"""How much detail there is in each small cell of a picture, from its rows as they are decoded.

Second differences along rows, and along columns, are compared with those of the line beside them. Their product is free
of sensor noise, which is independent between lines and averages out. But it takes detail that is finer than four pixels
from line to line away, so that motion across such detail adds to it. The square counts all detail and falls with any
blur, and counts noise as well; `focus` weighs one against the other. Blocks of two and of four pixels have their
product too: it is what a larger blur leaves, and what is still seen through noise and grain.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

CELL = 16
"""Full-resolution pixels along the edge of a cell."""
BLOCKS = {2: 0.1, 4: 0.05}
"""Pixels along the edge of a block, each twice the one before, and what its detail counts beside that of pixels: chosen
on synthetic bursts, noise-free to ISO 6400."""
_LARGEST = max(BLOCKS)
REACH = 2 * _LARGEST
"""Pixels beside the last cell that its differences need: two of the largest blocks."""
_A_PIXEL = 2 / CELL**2  # in half of a cell
_CELLS_AT_ONCE = 4
_Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class Detail:
    """Takes grey rows from top to bottom; what it finds is complete after `finish`.

    `coherent`: products, (half, row, column), of even and of odd rows. `power`: means of products and squares, with
    noise, (row, column), of even rows, which suffice where noise is small. `coarse`: products of blocks as they count,
    (half, row, column). All are a pixel's, in grey levels squared. `mean`: grey level, (row, column).
    """

    def __init__(self, width: int, height: int) -> None:
        rows, self.columns = (max(0, (edge - REACH) // CELL) for edge in (height, width))
        self.rows = rows if self.columns else 0
        self.coherent, self.coarse = (np.zeros((2, self.rows, self.columns)) for _ in range(2))
        self.power, self.mean = (np.zeros((self.rows, self.columns)) for _ in range(2))
        self._band = _CELLS_AT_ONCE * CELL
        self._row = 0  # of cells, first that is not measured
        self._held = 0  # rows of the window that are filled
        self._window = np.empty((self._band + REACH, width), np.float32)
        self._first, self._second = (np.empty((self._band + 2, width), np.float32) for _ in range(2))

    def feed(self, grey: NDArray[np.uint8]) -> None:
        """The next rows, uint8 (any number, width)."""
        at = 0
        while at < len(grey) and self._row < self.rows:
            room = min(len(self._window) - self._held, len(grey) - at)
            self._window[self._held : self._held + room] = grey[at : at + room]
            self._held += room
            at += room
            if self._held == len(self._window):
                self._measure()
                self._window[:REACH] = self._window[self._band :]
                self._held = REACH

    def finish(self) -> None:
        """Measures the cells whose rows have come although the band has not."""
        if self._row < self.rows and self._held:
            self._window[self._held :] = self._window[self._held - 1]
            self._measure()

    def _measure(self) -> None:
        cells = slice(self._row, min(self._row + _CELLS_AT_ONCE, self.rows))
        n = cells.stop - cells.start
        product = np.zeros((2, _CELLS_AT_ONCE, self.columns), np.float32)
        coarse, square = product.copy(), product[0].copy()
        blocks = self._window
        for edge, counts in BLOCKS.items():
            blocks = _halved(blocks)
            for lines, beside in self._second_differences(blocks, self._band // edge):
                coarse += self._products(lines, beside) * np.float32(counts * edge**2)
        for lines, beside in self._second_differences(self._window, self._band):
            product += self._products(lines, beside)
            square += self._squares(lines)
        self.coherent[:, cells] = product[:, :n] * _A_PIXEL
        self.coarse[:, cells] = coarse[:, :n] * _A_PIXEL
        self.power[cells] = (product[0] + square)[:n] / 2 * _A_PIXEL
        self.mean[cells] = self._means(blocks)[:n]
        self._row += _CELLS_AT_ONCE

    def _means(self, blocks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of each cell, from the largest blocks: (cells at once, column)."""
        cell = CELL // _LARGEST
        inside = blocks[: _CELLS_AT_ONCE * cell, : self.columns * cell]
        by_line = inside.reshape(_CELLS_AT_ONCE, cell, -1).sum(axis=1)
        return _by_cell(by_line, cell) / np.float32(cell**2)

    def _second_differences(self, pixels: NDArray[np.float32], n: int) -> Iterator[_Pair]:
        """Those of `n` rows and of the lines beside them: along rows, then along columns in the same memory."""
        width = pixels.shape[1]
        first = np.subtract(pixels[: n + 1, 1:], pixels[: n + 1, :-1], out=self._first[: n + 1, : width - 1])
        across = np.subtract(first[:, 1:], first[:, :-1], out=self._second[: n + 1, : width - 2])
        yield across[:n], across[1:]
        first = np.subtract(pixels[1 : n + 2], pixels[: n + 1], out=self._first[: n + 1, :width])
        down = np.subtract(first[1:], first[:-1], out=self._second[:n, :width])
        yield down[:, :-1], down[:, 1:]

    def _products(self, a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
        """Summed over each cell, of even and of odd rows: (half, cells at once, column)."""
        a, b = self._halves(a), self._halves(b)
        return _by_cell(np.einsum("crhx,crhx->hcx", a, b), a.shape[1] * 2)

    def _squares(self, a: NDArray[np.float32]) -> NDArray[np.float32]:
        """Summed over each cell, of even rows: (cells at once, column)."""
        even = self._halves(a)[:, :, 0]
        return _by_cell(np.einsum("crx,crx->cx", even, even), even.shape[1] * 2)

    def _halves(self, lines: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows by cell, even and odd: (cells at once, row, half, column)."""
        cell = len(lines) // _CELLS_AT_ONCE
        return lines[:, : self.columns * cell].reshape(_CELLS_AT_ONCE, cell // 2, 2, -1)


def _halved(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over blocks of two by two."""
    lines = pixels[::2] + pixels[1::2]
    columns = lines.shape[1] // 2 * 2
    blocks = lines[:, 0:columns:2] + lines[:, 1:columns:2]
    blocks *= np.float32(0.25)
    return blocks


def _by_cell(lines: NDArray[np.float32], cell: int) -> NDArray[np.float32]:
    """Sums over the width of each cell; einsum adds short runs three times as fast as `sum`."""
    sums: NDArray[np.float32] = np.einsum("...xk->...x", lines.reshape(*lines.shape[:-1], -1, cell))
    return sums
