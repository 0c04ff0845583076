"""One person's taste: from star ratings to a score for every photograph.

The model is linear on unit vectors, so that it folds into one vector and a bias:
`score = clip(round((bias + weights . v - 1) * 25), 0, 100)`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain import taste_ridge
from domain.errors import PermanentError
from domain.taste_archive import ArchiveModel, fit

__all__ = [
    "FEWEST_RATINGS",
    "TENTATIVE_BELOW",
    "ArchiveModel",
    "TagAffinity",
    "TasteModel",
    "fit",
    "match_threshold_auto",
    "merged_groups",
    "rank_correlation",
    "score",
    "tag_affinity",
    "train",
    "vibe",
]

FEWEST_RATINGS = 5
TENTATIVE_BELOW = 20
MOST_SPREAD = 4.0
LEAST_SHARE, MOST_SHARE = 0.02, 0.20

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class TasteModel:
    """`prediction = bias + weights . v` in stars for a unit vector v, the spread already restored."""

    weights: NDArray[np.float32]
    bias: float
    n_ratings: int
    tentative: bool
    cv_rank_correlation: float | None
    """Spearman on groups that were left out, relative to what each fold was trained on; None with one group."""
    cv_ungrouped: float | None
    """The same with look-alikes on both sides: photographs of shoots that were rated."""
    spread_factor: float
    alpha: float | None
    """The ridge penalty; None for constant ratings."""

    def predict(self, features: NDArray[Any]) -> Float:
        """Stars (n,) for unit vectors (n, d)."""
        return np.asarray(features, np.float64) @ self.weights.astype(np.float64) + self.bias


def train(
    features: NDArray[Any],
    stars: NDArray[Any],
    groups: NDArray[Any],
    seed: int = 0,
    look_alike: float | None = None,
) -> TasteModel:
    """The taste in (n, d) unit vectors and (n,) stars 1..5; n at least 5.

    `groups`: (n,) int, the shoot of each photo; whole groups are left out together. `look_alike`: cosine at which
    photographs of two shoots count as one shoot. The order of the samples changes nothing. Rows that are not finite
    are left out. Raises PermanentError for fewer than `FEWEST_RATINGS`.
    """
    vectors, targets, shoots = _in_own_order(features, stars, groups)
    n = len(targets)
    if n < FEWEST_RATINGS:
        raise PermanentError(
            f"Taste needs {FEWEST_RATINGS} rated photographs, and has {n}; rate some more.", op="taste.train"
        )
    if look_alike is not None:
        shoots = merged_groups(vectors, shoots, look_alike)
    s = taste_ridge.spectrum(vectors)
    if np.ptp(targets) == 0 or len(s.eigenvalues) == 0:
        return _flat(vectors.shape[1], targets)
    tried = taste_ridge.penalties(s)
    apart = taste_ridge.group_folds(np.arange(n), seed)
    by_shoot = taste_ridge.group_folds(shoots, seed) if len(np.unique(shoots)) > 1 else None
    loose = _CrossValidated(s, targets, apart, tried)
    strict = _CrossValidated(s, targets, by_shoot, tried) if by_shoot else loose
    factor = spread_factor(targets, strict.predicted)
    weights = factor * taste_ridge.weights(s, targets, strict.penalty)
    return TasteModel(
        weights=weights.astype(np.float32),
        bias=float(targets.mean() - weights @ s.mean),
        n_ratings=n,
        tentative=n < TENTATIVE_BELOW,
        cv_rank_correlation=strict.rank_correlation if by_shoot else None,
        cv_ungrouped=loose.rank_correlation,
        spread_factor=factor,
        alpha=strict.penalty,
    )


class _CrossValidated:
    """What leaving folds out tells: the penalty, and predictions that no rating had a part in."""

    def __init__(self, s: taste_ridge.Spectrum, targets: Float, folds: list[Int], tried: Float) -> None:
        predicted = taste_ridge.left_out(s, targets, folds, tried)
        self.penalty = float(tried[taste_ridge.chosen(predicted - targets)])
        self.predicted = taste_ridge.honest(predicted, targets, folds)
        # Without its own ratings a fold's mean lies on the other side of them: raw predictions would correlate
        # negatively where there is nothing to learn.
        relative = self.predicted - taste_ridge.fold_means(targets, folds)
        self.rank_correlation = rank_correlation(relative, targets)


def _in_own_order(features: NDArray[Any], stars: NDArray[Any], groups: NDArray[Any]) -> tuple[Float, Float, Int]:
    """The finite rows as float64, in an order that depends on their contents alone."""
    vectors = np.ascontiguousarray(features, dtype=np.float64)
    targets, shoots = np.asarray(stars, np.float64).reshape(-1), np.asarray(groups).reshape(-1).astype(np.int64)
    if not len(vectors) == len(targets) == len(shoots):
        raise ValueError(f"{len(vectors)} vectors, {len(targets)} ratings, {len(shoots)} groups")
    finite = np.isfinite(vectors).all(axis=1) & np.isfinite(targets)
    vectors, targets, shoots = vectors[finite], targets[finite], shoots[finite]
    keys = [hashlib.blake2b(v.tobytes(), digest_size=16).digest() for v in vectors]
    order = sorted(range(len(keys)), key=lambda i: (keys[i], targets[i], shoots[i]))
    return vectors[order], targets[order], shoots[order]


def _flat(dim: int, targets: Float) -> TasteModel:
    """Nothing to tell apart: everything is worth the mean."""
    return TasteModel(
        weights=np.zeros(dim, np.float32),
        bias=float(targets.mean()),
        n_ratings=len(targets),
        tentative=len(targets) < TENTATIVE_BELOW,
        cv_rank_correlation=None,
        cv_ungrouped=None,
        spread_factor=1.0,
        alpha=None,
    )


def spread_factor(stars: Float, predicted: Float) -> float:
    """`sd(ratings) / sd(grouped cross-validated predictions)`, 1 to 4: shrunken predictions never reach MATCH."""
    spread = float(np.std(predicted))
    wanted = float(np.std(stars))
    return float(np.clip(wanted / spread, 1.0, MOST_SPREAD)) if spread * MOST_SPREAD > wanted else MOST_SPREAD


def rank_correlation(a: Float, b: Float) -> float | None:
    """Spearman's, with mean ranks for ties; None where one side is constant."""
    ranks_a, ranks_b = _ranks(a), _ranks(b)
    if np.ptp(ranks_a) == 0 or np.ptp(ranks_b) == 0:
        return None
    return float(np.corrcoef(ranks_a, ranks_b)[0, 1])


def _ranks(values: Float) -> Float:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last: Float = np.cumsum(counts).astype(np.float64)
    ranks: Float = (last - (counts - 1) / 2)[inverse]
    return ranks


def merged_groups(vectors: NDArray[Any], groups: Int, look_alike: float) -> Int:
    """Groups joined wherever two of their photographs are at least this alike: look-alikes never sit on both sides."""
    names, number = np.unique(groups, return_inverse=True)
    parent = np.arange(len(names))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    for start in range(0, len(vectors), 1024):
        block = vectors[start : start + 1024]
        rows, columns = np.nonzero(block @ vectors.T >= look_alike)
        pairs = np.unique(np.column_stack([number[start + rows], number[columns]]), axis=0)
        for a, b in pairs[pairs[:, 0] != pairs[:, 1]]:
            parent[root(int(a))] = root(int(b))
    roots = np.array([root(i) for i in range(len(names))])
    # Named by the smallest group inside, so that the order of samples does not matter.
    smallest = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(smallest, roots, names)
    merged: Int = smallest[roots[number]]
    return merged


def score(prediction: NDArray[Any] | float) -> NDArray[np.int16]:
    """`clip(round((p - 1) * 25), 0, 100)`: 1 star is 0, 5 stars are 100."""
    scaled = np.rint((np.asarray(prediction, np.float64) - 1.0) * 25.0)
    clipped: NDArray[np.int16] = np.clip(np.nan_to_num(scaled), 0, 100).astype(np.int16)
    return clipped


def match_threshold_auto(scores: NDArray[Any], share: float) -> int | None:
    """The cut, 0..100, at which the share of scores at or above it comes nearest to `share` (kept within 2 and 20 %).

    `share`: of the randomly offered photographs, those that got 4 and 5 stars. None without scores.
    """
    if len(scores) == 0:
        return None
    wanted = min(max(share, LEAST_SHARE), MOST_SHARE)
    counts = np.bincount(np.clip(np.asarray(scores).astype(np.int64), 0, 100), minlength=101)
    shown = np.cumsum(counts[::-1])[::-1] / len(scores)
    distance = np.abs(shown - wanted)
    # Of equally near cuts the lowest that shows anything at all: an empty MATCH is never the answer.
    distance[shown == 0] = np.inf
    return int(np.flatnonzero(distance == distance.min())[-1])


@dataclass(frozen=True)
class TagAffinity:
    """Stars of the rated photographs that carry a tag."""

    stars: float
    photos: int

    @property
    def mean(self) -> float:
        return self.stars / self.photos


def tag_affinity(rated: Iterable[tuple[float, Iterable[str]]]) -> dict[str, TagAffinity]:
    """Affinity by lower-cased tag, of (stars, tags) of each rated photo; a tag counts once a photo."""
    found: dict[str, TagAffinity] = {}
    for stars, tags in rated:
        for tag in {t.lower() for t in tags}:
            before = found.get(tag, TagAffinity(0.0, 0))
            found[tag] = TagAffinity(before.stars + stars, before.photos + 1)
    return found


def vibe(tags: Iterable[str], affinity: Mapping[str, TagAffinity], own_stars: float | None = None) -> int | None:
    """Mean affinity of a photo's known tags, 1..5 stars as 0..100; its own rating is left out. None: nothing known."""
    own, counted = (own_stars, 1) if own_stars is not None else (0.0, 0)
    means = [
        (known.stars - own) / (known.photos - counted)
        for tag in {t.lower() for t in tags}
        if (known := affinity.get(tag)) is not None and known.photos > counted
    ]
    return int(score(float(np.mean(means)))) if means else None
