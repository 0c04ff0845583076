"""Which photographs to rate next: those that teach most about the rest of the archive."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.one_thread import on_one_thread
from domain.taste_archive import ArchiveModel, fit

SAMPLE = 2_000
"""Photographs over which the remaining uncertainty is summed, and from which the next ones are taken."""
RANDOM_EVERY = 5
"""One in five is drawn at random: the second witness of the model's quality needs ratings that it did not ask for. It
comes first of its five, so that the others are chosen knowing what it will tell."""
MEAN_UNKNOWN = 0.3
"""Standard deviation of the stars' mean before any rating, that of the photographs about it being 1."""

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Single = NDArray[np.float32]


@on_one_thread
def next_batch(
    model: ArchiveModel | None, rated_index: NDArray[Any], archive_features: NDArray[Any], size: int, seed: int
) -> Int:
    """Rows of `archive_features` (at most `size`, none rated already) to rate next, in order.

    Greedily the photo that most lowers the summed posterior variance over a sample of 2,000 of the model's archive;
    the first of each five at random. `model`: from `domain.taste.fit`, or None before the first rating.
    `archive_features` are the photographs to choose from, usually the model's whole archive.
    """
    rng = np.random.default_rng(seed)
    rated = np.asarray(rated_index, np.int64).reshape(-1)
    open_rows = np.setdiff1d(np.arange(len(archive_features)), rated)
    sample = np.sort(rng.permutation(open_rows)[:SAMPLE])
    if len(sample) == 0:
        return np.empty(0, np.int64)
    known = model or fit(np.empty(0), np.empty(0, np.int64), archive_features, seed)
    remaining = _Uncertainty(known, archive_features[sample], _archive(known, seed), archive_features[rated])
    picked: list[int] = []
    size = min(size, len(sample))
    for turn in range(size):
        if is_random(turn, size):
            best = int(rng.choice(np.setdiff1d(np.arange(len(sample)), picked)))
        else:
            best = remaining.most_telling(picked)
        picked.append(best)
        remaining.learn(best)
    return sample[picked].astype(np.int64)


def is_random(turn: int, size: int) -> bool:
    """Whether the photo at this place, from 0, of a batch of `size` was drawn at random. In fewer than five none is."""
    return turn % RANDOM_EVERY == 0 and turn + RANDOM_EVERY <= size


def _archive(model: ArchiveModel, seed: int) -> NDArray[Any]:
    """The vectors of at most `SAMPLE` photographs of the model's archive."""
    n = len(model.features)
    if n <= SAMPLE:
        return model.features
    return model.features[np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False))]


def _single(vectors: Float) -> Single:
    """Single precision: half the work, and far below what a rating is worth."""
    return vectors.astype(np.float32)


class _Uncertainty:
    """What ratings of the candidates would tell about the archive, given the rated photographs.

    Each way of smoothing has a variance of its own; what is expected is their mean, each by how far it is believed.
    """

    def __init__(
        self, model: ArchiveModel, candidates: NDArray[Any], archive: NDArray[Any], rated: NDArray[Any]
    ) -> None:
        views = [model.graph.smoothed(vectors) for vectors in (candidates, archive, rated)]
        self._ways = [
            (model.belief[way], _OneWay(float(model.posteriors[way].noise[0]), *(view[way] for view in views)))
            for way in model.believed
        ]

    def most_telling(self, picked: list[int]) -> int:
        """The candidate whose rating lowers the archive's summed variance most."""
        gain = np.sum([belief * way.gain() for belief, way in self._ways], axis=0)
        gain[picked] = -np.inf
        return int(np.argmax(gain))

    def learn(self, candidate: int) -> None:
        """As if the candidate were rated now; what the rating says does not matter."""
        for _, way in self._ways:
            way.learn(candidate)


class _OneWay:
    """The same for one way of smoothing: of candidates (m, r), the archive (s, r) and the rated photographs (n, r).

    The vectors are seen through a root of what is uncertain after the ratings, in which inner products are covariances.
    A rating tells of the stars' mean too, which all photographs share. It orders nothing: the archive goes without.
    """

    def __init__(self, noise: float, candidates: Float, archive: Float, rated: Float) -> None:
        candidates, rated = (_with(MEAN_UNKNOWN, vectors) for vectors in (candidates, rated))
        values, sides = np.linalg.eigh(rated.T @ rated)
        root = _single(sides * np.sqrt(noise / (np.maximum(values, 0.0) + noise)))
        self._noise = noise
        self._z = _single(candidates) @ root
        self._variance = (self._z**2).sum(axis=1)
        self._shared = _single(_with(0.0, archive)) @ root @ self._z.T

    def gain(self) -> Single:
        """(m,) by which a rating of each candidate lowers the archive's summed variance."""
        lowered: Single = (self._shared**2).sum(axis=0) / (np.maximum(self._variance, 0.0) + np.float32(self._noise))
        return lowered

    def learn(self, candidate: int) -> None:
        toward = self._z[candidate].copy()
        covariance = self._z @ toward
        told = float(covariance[candidate]) + self._noise
        along = covariance / np.float32(told)
        self._variance -= covariance * along
        self._shared -= np.outer(self._shared[:, candidate], along)
        self._z -= np.outer(covariance / np.float32(told + np.sqrt(told * self._noise)), toward)


def _with(value: float, vectors: Float) -> Float:
    return np.column_stack([vectors, np.full(len(vectors), value)])
