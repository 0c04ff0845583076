"""By how much one frame is moved against the next: the place where what they share fits best.

Correlation over the overlap only, normalised there, at every shift at once by Fourier transforms (Padfield 2012,
"Masked object registration in the Fourier domain"), so that a panorama's frames are found that share a fifth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONG_EDGE = 96
"""Pixels; finer detail says no more about the shift, and costs by its square."""
SMALLEST_OVERLAP = 0.15
"""Of the frame's area."""

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class Shift:
    """`across` and `down`: how far the camera moved, in widths and heights of the frame, right and down positive.
    `likeness`: correlation -1..1 of the fine structure in the overlap, times the root of the overlap's share of the
    frame: so much higher must it be in a small overlap, where chance fits more easily."""

    across: float
    down: float
    likeness: float

    @property
    def length(self) -> float:
        return float(np.hypot(self.across, self.down))


def structure(grey: NDArray[np.generic]) -> Grey:
    """What brightness and exposure leave: the copy (h, w) at `LONG_EDGE`, less its surroundings, evened in contrast."""
    small = _reduced(np.asarray(grey, np.float32))
    detail = small - _surroundings(small, 4)
    contrast = np.sqrt(_surroundings(detail**2, 8)) + 1.0
    evened: Grey = (detail / contrast).astype(np.float32)
    return evened


def shift_between(first: Grey, second: Grey) -> Shift | None:
    """The shift from `first` to `second`, both from `structure`. None where they differ in shape or are too small."""
    if first.shape != second.shape or min(first.shape) < 8:
        return None
    likeness = _likeness_at_every_shift(first.astype(np.float64), second.astype(np.float64))
    at = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
    down, across = ((int(i) + n // 2) % n - n // 2 for i, n in zip(at, likeness.shape, strict=True))
    height, width = first.shape
    return Shift(across / width, down / height, float(likeness[at]))


def _likeness_at_every_shift(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """`Shift.likeness` for every shift (cyclic in twice the size); -1 where the overlap is too small."""
    size = tuple(2 * n for n in first.shape)
    ones = np.ones_like(first)
    a, aa, b, bb, one = (np.fft.rfft2(x, size) for x in (first, first**2, second, second**2, ones))
    n, products, sum_a, sum_b, squares_a, squares_b = (
        np.fft.irfft2(x * np.conj(y), size) for x, y in ((one, one), (a, b), (a, one), (one, b), (aa, one), (one, bb))
    )
    enough = n >= SMALLEST_OVERLAP * first.size
    n = np.maximum(n, 1.0)
    spread = np.maximum(squares_a - sum_a**2 / n, 0) * np.maximum(squares_b - sum_b**2 / n, 0)
    # In an overlap without structure (a blue sky) noise would fit noise.
    told = enough & (spread > (0.02 * n) ** 2)
    correlation = (products - sum_a * sum_b / n) / np.sqrt(np.where(told, spread, 1.0))
    return np.where(told, correlation * np.sqrt(n / first.size), -1.0)


def _reduced(grey: Grey) -> Grey:
    """Means of blocks, so that the long edge has about `LONG_EDGE` pixels; what does not fill a block is cut."""
    step = max(1, round(max(grey.shape) / LONG_EDGE))
    height, width = (n - n % step for n in grey.shape)
    blocks = grey[:height, :width].reshape(height // step, step, width // step, step)
    reduced: Grey = blocks.mean(axis=(1, 3))
    return reduced


def _surroundings(grey: Grey, radius: int) -> Grey:
    """The mean of the square of `2 radius + 1` pixels around each, mirrored at the edges."""
    size = 2 * radius + 1
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(grey, pad, mode="symmetric"), axis=axis, dtype=np.float64)
        upper, lower = (np.take(sums, range(k, k + grey.shape[axis]), axis=axis) for k in (size, 0))
        grey = ((upper - lower) / size).astype(np.float32)
    return grey
