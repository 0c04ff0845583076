"""Which photographs to rate next: those that teach most about the rest of the archive."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.taste_archive import ArchiveModel, fit

SAMPLE = 2_000
"""Photographs over which the remaining uncertainty is summed, and from which the next ones are taken."""
RANDOM_EVERY = 5
"""One in five is drawn at random: the second witness of the model's quality needs ratings that it did not ask for."""

Int = NDArray[np.int64]
Float = NDArray[np.float64]


def next_batch(
    model: ArchiveModel | None, rated_index: NDArray[Any], archive_features: NDArray[Any], size: int, seed: int
) -> Int:
    """Archive rows (at most `size`, none rated already) to rate next, in order.

    Greedily the photo that most lowers the summed posterior variance over a sample of 2,000; every fifth at random.
    `model`: from `domain.taste.fit`, or None before the first rating.
    """
    rng = np.random.default_rng(seed)
    open_rows = np.setdiff1d(np.arange(len(archive_features)), np.asarray(rated_index, np.int64))
    sample = np.sort(rng.permutation(open_rows)[:SAMPLE])
    if len(sample) == 0:
        return np.empty(0, np.int64)
    known = model or fit(np.empty(0), np.empty(0, np.int64), archive_features, seed)
    covariance = _posterior(known, sample, np.asarray(rated_index, np.int64))
    picked: list[int] = []
    for turn in range(min(size, len(sample))):
        if turn % RANDOM_EVERY == RANDOM_EVERY - 1:
            best = int(rng.choice(np.setdiff1d(np.arange(len(sample)), picked)))
        else:
            best = _most_telling(covariance, known.noise, picked)
        picked.append(best)
        column = covariance[:, best].copy()
        covariance -= np.outer(column, column) / (column[best] + known.noise)
    return sample[picked].astype(np.int64)


def _posterior(model: ArchiveModel, sample: Int, rated: Int) -> Float:
    """Covariance (m, m) of the sample given the rated photographs."""
    z = model.uncertainty_space(sample)
    z[~np.isfinite(z).all(axis=1)] = 0.0
    covariance: Float = z @ z.T
    if len(rated) == 0:
        return covariance
    known = np.nan_to_num(model.uncertainty_space(rated))
    cross = z @ known.T
    gram = known @ known.T + model.noise * np.eye(len(rated))
    return covariance - cross @ np.linalg.solve(gram, cross.T)


def _most_telling(covariance: Float, noise: float, picked: list[int]) -> int:
    """The row whose rating lowers the summed variance most."""
    variance = np.clip(np.diag(covariance), 0.0, None)
    gain = (covariance**2).sum(axis=0) / (variance + noise)
    gain[picked] = -np.inf
    return int(np.argmax(gain))
