"""Ridge regression on centred vectors, and its predictions for groups that were left out, from one decomposition.

With the mean unpenalised, the residuals of a left-out group G follow from the fit to everything:
`e_G = (I - H_GG)^-1 (y - H y)_G`, H the hat matrix (the block form of Allen's PRESS), so that no model is fitted twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

FOLDS = 10
_FOLD_SIZE = 100
"""More ratings make more folds, not larger ones: the work of a fold grows with its square."""
_PENALTIES = 12
_WIDEST, _NARROWEST = 3.0, 1e-4
"""The penalties that are tried, as multiples of the largest eigenvalue of the centred vectors."""
_NOTHING = 1e-12


@dataclass(frozen=True)
class Spectrum:
    """Centred vectors (n, d) as `u * sqrt(eigenvalues) @ v`; u (n, r), v (r, d)."""

    mean: Float
    u: Float
    eigenvalues: Float
    v: Float


def spectrum(vectors: Float) -> Spectrum:
    """Thin decomposition by the smaller of the two Gram matrices."""
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    n, d = centred.shape
    gram = centred @ centred.T if n <= d else centred.T @ centred
    values, side = np.linalg.eigh(gram)
    kept = values > _NOTHING * max(float(values[-1]), _NOTHING)
    values, side = values[kept], side[:, kept]
    root = np.sqrt(values)
    if n <= d:
        return Spectrum(mean, side, values, (centred.T @ side / root).T)
    return Spectrum(mean, centred @ side / root, values, side.T)


def penalties(s: Spectrum) -> Float:
    """The penalties to choose from, for these vectors, the largest first."""
    largest = float(s.eigenvalues[-1]) if len(s.eigenvalues) else 1.0
    return largest * np.geomspace(_WIDEST, _NARROWEST, _PENALTIES)


def weights(s: Spectrum, targets: Float, penalty: float) -> Float:
    """(d,) weights of `mean(targets) + weights . (x - s.mean)`."""
    inner = s.u.T @ (targets - targets.mean())
    along: Float = np.sqrt(s.eigenvalues) / (s.eigenvalues + penalty) * inner
    return np.asarray(along @ s.v)


def left_out(s: Spectrum, targets: Float, folds: Sequence[Int], tried: Float) -> Float:
    """Predictions (len(tried), n) of each sample by the model without its fold."""
    n = len(targets)
    shrink = s.eigenvalues / (s.eigenvalues + tried[:, None])
    inner = s.u.T @ (targets - targets.mean())
    residuals = targets - targets.mean() - (shrink * inner) @ s.u.T
    predicted = np.empty((len(tried), n))
    for fold in folds:
        rows = s.u[fold]
        for i, factor in enumerate(shrink):
            hat = (rows * factor) @ rows.T + 1.0 / n
            gone = np.linalg.solve(np.eye(len(fold)) - hat, residuals[i, fold])
            predicted[i, fold] = targets[fold] - gone
    return predicted


def group_folds(groups: Int, seed: int) -> list[Int]:
    """Folds of whole groups, of like size. The same groups give the same folds in whatever order the samples come."""
    names, sizes = np.unique(groups, return_counts=True)
    order = sorted(range(len(names)), key=lambda i: (-int(sizes[i]), _draw(seed, int(names[i]))))
    count = min(len(names), max(FOLDS, -(-len(groups) // _FOLD_SIZE)))
    filled = [0] * count
    fold_of: dict[int, int] = {}
    for i in order:
        fold = filled.index(min(filled))
        filled[fold] += int(sizes[i])
        fold_of[int(names[i])] = fold
    numbers = np.array([fold_of[int(g)] for g in groups])
    return [np.flatnonzero(numbers == k) for k in range(count)]


def _draw(seed: int, name: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()


def chosen(errors: Float, without: Int | None = None) -> int:
    """Index of the penalty with the least squared error, over all samples or all but some (its judges)."""
    total = (errors**2).sum(axis=1)
    if without is not None:
        total = total - (errors[:, without] ** 2).sum(axis=1)
    return int(np.argmin(np.where(np.isfinite(total), total, np.inf)))


def honest(predicted: Float, targets: Float, folds: Sequence[Int]) -> Float:
    """Each fold's predictions with the penalty that the other folds chose, so that no rating judges its own model."""
    errors = predicted - targets
    out = np.empty(len(targets))
    for fold in folds:
        out[fold] = predicted[chosen(errors, fold), fold]
    return out


def fold_means(targets: Float, folds: Sequence[Int]) -> Float:
    """(n,) the mean of the targets that each sample's fold was trained on."""
    out = np.empty(len(targets))
    for fold in folds:
        out[fold] = (targets.sum() - targets[fold].sum()) / (len(targets) - len(fold))
    return out
