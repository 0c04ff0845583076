"""One person's taste: from star ratings to a score for every photograph.

The model is linear on unit vectors, so that it folds into one vector and a bias:
`score = clip(round((bias + weights . v - 1) * 25), 0, 100)`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain import shoots as shoot_folds
from domain.archive_graph import graph_of
from domain.errors import PermanentError
from domain.one_thread import on_one_thread
from domain.ranks import rank_correlation
from domain.taste_archive import ArchiveModel, Learnt, fit, learn
from domain.taste_judgement import Judgement, LeftOut, judge, leave_out, leave_out_alike

__all__ = [
    "FEWEST_RATINGS",
    "TENTATIVE_BELOW",
    "ArchiveModel",
    "RatedPhotographs",
    "TagAffinity",
    "TasteModel",
    "fit",
    "lent",
    "match_threshold_auto",
    "rank_correlation",
    "score",
    "tag_affinity",
    "train",
    "vibe",
]

FEWEST_RATINGS = 5
TENTATIVE_BELOW = 20
ARCHIVE_SAMPLE = 2_000
"""Photographs that stand for the archive while a taste is learnt."""
MANY_RATINGS = 100
"""From so many on, smoothing and noise as found without a fold are those found with it: the spread that follows differs
by less than 4 %."""
MOST_SPREAD = 4.0
LEAST_SHARE, MOST_SHARE = 0.02, 0.20

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TasteModel:
    """`prediction = bias + weights . v` in stars for a unit vector v, the spread already restored."""

    weights: NDArray[np.float32]
    bias: float
    mean: float
    """Of the ratings, in stars."""
    centre: NDArray[np.float32]
    """(d,) mean vector of the rated photographs."""
    lens: NDArray[np.float32]
    """(d, q): a rated photograph lends `((v - centre) . lens) . ((v_rated - centre) . lens)` of its stars above the
    mean; with the mean, all of them sum to the prediction."""
    n_ratings: int
    spread_factor: float
    judgement: Judgement | None
    """None unless it was asked for. Its `left_out` are spread like the predictions, in the order of the samples, NaN
    for rows that are not finite."""

    def predict(self, features: NDArray[Any]) -> Float:
        """Stars (n,) for unit vectors (n, d)."""
        return np.asarray(features, np.float64) @ self.weights.astype(np.float64) + self.bias

    @property
    def tentative(self) -> bool:
        """Few ratings, or not shown to be better than chance."""
        return self.n_ratings < TENTATIVE_BELOW or self.judgement is None or not self.judgement.better_than_chance


@dataclass(frozen=True, eq=False)
class RatedPhotographs:
    """The finite rows as float64, in an order that depends on their contents alone."""

    vectors: Float
    """(n, d)"""
    stars: Float
    """(n,) 1..5"""
    shoots: Int
    """(n,)"""
    rows: Int
    """(n,) where they stood."""

    @classmethod
    def of(cls, features: NDArray[Any], stars: NDArray[Any], groups: NDArray[Any]) -> RatedPhotographs:
        vectors = np.ascontiguousarray(features, dtype=np.float64)
        targets, shoots = np.asarray(stars, np.float64).reshape(-1), np.asarray(groups).reshape(-1).astype(np.int64)
        if not len(vectors) == len(targets) == len(shoots):
            raise ValueError(f"{len(vectors)} vectors, {len(targets)} ratings, {len(shoots)} groups")
        finite = np.flatnonzero(np.isfinite(vectors).all(axis=1) & np.isfinite(targets))
        keys = [hashlib.blake2b(vectors[i].tobytes(), digest_size=16).digest() for i in finite]
        order = sorted(range(len(keys)), key=lambda i: (keys[i], targets[finite[i]], shoots[finite[i]]))
        rows = finite[order]
        return cls(vectors[rows], targets[rows], shoots[rows], rows)

    def __len__(self) -> int:
        return len(self.stars)


@on_one_thread
def train(
    features: NDArray[Any],
    stars: NDArray[Any],
    groups: NDArray[Any],
    seed: int = 0,
    *,
    look_alike: float | None = None,
    archive: NDArray[Any] | None = None,
    judged: bool = True,
) -> TasteModel:
    """The taste in (n, d) unit vectors and (n,) stars 1..5; n at least 5.

    `groups`: (n,) int, the shoot of each photo; whole groups are left out together. `look_alike`: cosine at which
    photographs of two shoots count as one shoot. `archive`: (m, d) unit vectors drawn from the archive at random;
    without them the rated photographs stand for it. `judged`: tell how far it can be trusted, too, which takes longer.
    The order of the samples changes nothing. Rows that are not finite are left out. Raises PermanentError for fewer
    than `FEWEST_RATINGS`.
    """
    rated = RatedPhotographs.of(features, stars, groups)
    if len(rated) < FEWEST_RATINGS:
        raise PermanentError(
            f"Taste needs {FEWEST_RATINGS} rated photographs, and has {len(rated)}; rate some more.", op="taste.train"
        )
    shoots = rated.shoots if look_alike is None else shoot_folds.merged(rated.vectors, rated.shoots, look_alike)
    graph = graph_of(rated.vectors if archive is None else archive, seed)
    views = graph.smoothed(rated.vectors)
    model = learn(graph, views, rated.stars)
    judgement = judge(views, rated.stars, shoots, seed) if judged else None
    factor = spread_factor(rated.stars, _left_out(judgement, model, views, rated.stars, shoots, seed))
    mean, centre = float(rated.stars.mean()), rated.vectors.mean(axis=0)
    weights = factor * model.weights
    return TasteModel(
        weights=weights.astype(np.float32),
        bias=mean - float(weights @ centre),
        mean=mean,
        centre=centre.astype(np.float32),
        lens=(np.sqrt(factor) * graph.lens(model.likeness)).astype(np.float32),
        n_ratings=len(rated),
        spread_factor=factor,
        judgement=judgement and judgement.spread(factor, mean, rated.rows, len(features)),
    )


def _left_out(
    judgement: Judgement | None, model: Learnt, views: Sequence[Float], stars: Float, shoots: Int, seed: int
) -> Float:
    """(n,) predictions without each photograph's shoot."""
    few = len(stars) < MANY_RATINGS
    if few and judgement is not None:
        return judgement.left_out
    # The others would take most of the time and change nothing.
    believed = model.believed
    views, belief = [views[i] for i in believed], model.belief[believed] / model.belief[believed].sum()
    folds = shoot_folds.folds(shoots if len(np.unique(shoots)) > 1 else np.arange(len(stars)), seed)
    if few:
        found: LeftOut = leave_out(views, stars[:, None], folds)
        return found.predicted[:, 0]
    return leave_out_alike(views, [model.posteriors[i] for i in believed], belief, stars, folds)


def lent(
    lens: NDArray[Any], centre: NDArray[Any], mean: float, rated: NDArray[Any], stars: NDArray[Any], v: NDArray[Any]
) -> Float:
    """(m, n) stars that each rated photograph lends to each of `v` (m, d), from a model's `lens`, `centre` and `mean`.

    `rated`: (n, d) vectors of the photographs that the model was trained on, `stars` theirs. A row's sum is its
    prediction less the mean.
    """
    through = np.asarray(lens, np.float64)
    mine = (np.asarray(v, np.float64) - centre) @ through
    theirs = (np.asarray(rated, np.float64) - centre) @ through
    found: Float = (mine @ theirs.T) * (np.asarray(stars, np.float64) - mean)
    return found


def spread_factor(stars: Float, predicted: Float) -> float:
    """`sd(ratings) / sd(grouped cross-validated predictions)`, 1 to 4: shrunken predictions never reach MATCH."""
    spread = float(np.std(predicted))
    wanted = float(np.std(stars))
    if wanted == 0:
        return 1.0
    return float(np.clip(wanted / spread, 1.0, MOST_SPREAD)) if spread * MOST_SPREAD > wanted else MOST_SPREAD


def score(prediction: NDArray[Any] | float) -> NDArray[np.int16]:
    """`clip(round((p - 1) * 25), 0, 100)`: 1 star is 0, 5 stars are 100."""
    scaled = np.rint((np.asarray(prediction, np.float64) - 1.0) * 25.0)
    clipped: NDArray[np.int16] = np.clip(np.nan_to_num(scaled), 0, 100).astype(np.int16)
    return clipped


def match_threshold_auto(counts: NDArray[Any], share: float) -> int | None:
    """The cut, 0..100, at which the share of photographs that score it or more comes nearest to `share`, between 2 and
    20 % where any cut shows so many.

    `counts`: (101,) photographs by score. `share`: of the randomly offered photographs, those that got 4 and 5 stars.
    None without scores.
    """
    if not counts.any():
        return None
    shown = np.cumsum(counts[::-1])[::-1] / counts.sum()
    within = (shown >= LEAST_SHARE) & (shown <= MOST_SHARE)
    # An empty MATCH is never the answer.
    allowed = within if within.any() else shown > 0
    distance = np.where(allowed, np.abs(shown - np.clip(share, LEAST_SHARE, MOST_SHARE)), np.inf)
    # Of equally near cuts the highest: a score that a photograph has.
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
