"""Baseline quality of a photograph: sharpness and exposure at a fixed size (BEHAVIOUR.md, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LONG_EDGE = 1024
"""Pixels of the grey copy's long edge; smaller pictures are measured as they are."""
SHARP_VARIANCE = 300.0
DARK, BRIGHT = 5, 250
CLIPPED_FREE, CLIPPED_FULL = 0.005, 0.05


@dataclass(frozen=True)
class Quality:
    """Scores 0..100."""

    technical: int
    sharpness: int
    exposure: int


def laplacian_variance(grey: NDArray[np.uint8]) -> float:
    """Variance of `4c-N-S-W-E` over the interior pixels of a (h, w) picture; 0 where there are none.

    A strip of 65,000 x 60 pixels is one pixel high when its long edge is 1,024.
    """
    if min(grey.shape) < 3:
        return 0.0
    g = grey.astype(np.int16)
    laplacian = 4 * g[1:-1, 1:-1] - g[:-2, 1:-1] - g[2:, 1:-1] - g[1:-1, :-2] - g[1:-1, 2:]
    return float(laplacian.astype(np.float32).var(dtype=np.float64))


def exposure_score(grey: NDArray[np.uint8]) -> float:
    """100 while at most 0.5 % of the pixels are <= 5 or >= 250, 0 from 5 % on, linear between."""
    histogram = np.bincount(grey.ravel(), minlength=256)
    clipped = (histogram[: DARK + 1].sum() + histogram[BRIGHT:].sum()) / grey.size
    return float(np.clip((CLIPPED_FULL - clipped) / (CLIPPED_FULL - CLIPPED_FREE), 0.0, 1.0) * 100)


def baseline_quality(grey: NDArray[np.uint8]) -> Quality:
    """Scores of a grey copy (h, w), uint8, long edge at most `LONG_EDGE`."""
    sharpness = round(min(laplacian_variance(grey) / SHARP_VARIANCE, 1.0) * 100)
    exposure = round(exposure_score(grey))
    return Quality(round(0.7 * sharpness + 0.3 * exposure), sharpness, exposure)
