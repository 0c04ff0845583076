"""Rank correlation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def rank_correlation(a: Float, b: Float) -> float | None:
    """Spearman's of (n,) and (n,), with mean ranks for ties; None where one side is constant."""
    found = float(rank_correlations(a[:, None], b[:, None])[0])
    return found if np.isfinite(found) else None


def rank_correlations(a: Float, b: Float) -> Float:
    """(p,) of the columns of (n, p) and (n, p); NaN where one side is constant."""
    ranks_a, ranks_b = _centred_ranks(a), _centred_ranks(b)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Float = (ranks_a * ranks_b).sum(axis=0) / np.sqrt((ranks_a**2).sum(axis=0) * (ranks_b**2).sum(axis=0))
    return found


def _centred_ranks(columns: Float) -> Float:
    ranks = np.column_stack([_ranks(column) for column in columns.T]) if columns.size else np.zeros(columns.shape)
    return ranks - ranks.mean(axis=0) if len(ranks) else ranks


def _ranks(values: Float) -> Float:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last: Float = np.cumsum(counts).astype(np.float64)
    ranks: Float = (last - (counts - 1) / 2)[inverse]
    return ranks
