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
    """What ratings of the candidates (m) would tell about the archive (s), given the rated photographs."""

    def __init__(
        self, model: ArchiveModel, candidates: NDArray[Any], archive: NDArray[Any], rated: NDArray[Any]
    ) -> None:
        self._noise = model.noise
        self._z = _single(model.place(candidates))
        others, known = _single(model.place(archive)), _single(model.place(rated))
        gram = known @ known.T + np.float32(model.noise) * np.eye(len(rated), dtype=np.float32)
        self._cross = known @ self._z.T
        self._gone = np.linalg.solve(gram, self._cross)
        self._variance = (self._z**2).sum(axis=1) - (self._cross * self._gone).sum(axis=0)
        self._shared = others @ self._z.T - (others @ known.T) @ self._gone
        self._learned: list[tuple[Single, Single]] = []

    def most_telling(self, picked: list[int]) -> int:
        """The candidate whose rating lowers the archive's summed variance most."""
        gain = (self._shared**2).sum(axis=0) / (np.clip(self._variance, 0.0, None) + self._noise)
        gain[picked] = -np.inf
        return int(np.argmax(gain))

    def learn(self, candidate: int) -> None:
        """As if the candidate were rated now; what the rating says does not matter."""
        column = self._z @ self._z[candidate] - self._cross.T @ self._gone[:, candidate]
        for before, along in self._learned:
            column -= before * along[candidate]
        along = column / (max(column[candidate], np.float32(0.0)) + np.float32(self._noise))
        self._learned.append((column, along))
        self._variance -= column * along
        self._shared -= np.outer(self._shared[:, candidate], along)
