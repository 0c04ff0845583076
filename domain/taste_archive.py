"""Taste learned with the whole archive in view, not the rated photographs alone.

Linear regression on vectors that are smoothed along the archive's graph (`domain.archive_graph`): photographs that look
alike lend each other their ratings. How far to smooth, and how much noise the ratings hold, is not set by hand: every
combination counts as much as its evidence (`domain.taste_evidence`). All of it is linear, so that the model is one
vector and a bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.archive_graph import ArchiveGraph, graph_of
from domain.one_thread import on_one_thread
from domain.taste_evidence import Posterior, beliefs, posterior

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_CHUNK = 4_096
LEAST_BELIEF = 0.01
"""Ways of smoothing that are believed less have no part in what is uncertain or left out."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """`prediction = bias + weights . vector` in stars; `belief` and `posteriors` say what is uncertain."""

    graph: ArchiveGraph
    weights: Float
    """(d,) of a vector as it is."""
    bias: float
    posteriors: Sequence[Posterior]
    """For each way of smoothing."""
    belief: Float
    """Of each way of smoothing; they sum to 1."""
    likeness: Float
    """(r, r) in the graph's coordinates z: a rated photograph lends `(z - centre) . likeness . (z_rated - centre)` of
    its stars above the mean, the centre that of the rated ones; with the mean, all of them sum to the prediction."""

    @property
    def believed(self) -> list[int]:
        """The ways of smoothing that are believed at all."""
        return [way for way, share in enumerate(self.belief) if share >= LEAST_BELIEF]


@dataclass(frozen=True, eq=False)
class ArchiveModel(Learnt):
    """The same with the archive at hand."""

    features: NDArray[Any]

    def predict(self, index: NDArray[Any]) -> Float:
        """Stars (m,) of archive rows."""
        rows = np.asarray(index, np.int64).reshape(-1)
        found = np.full(len(rows), self.bias)
        for start in range(0, len(rows), _CHUNK):
            vectors = np.asarray(self.features[rows[start : start + _CHUNK]], np.float64)
            usable = np.isfinite(vectors).all(axis=1)
            found[start : start + _CHUNK][usable] += vectors[usable] @ self.weights
        return found


@on_one_thread
def fit(
    ratings: NDArray[Any], rated_index: NDArray[Any], archive_features: NDArray[Any], seed: int = 0
) -> ArchiveModel:
    """Learns from stars (m,) of the archive rows `rated_index` (m,); `archive_features` (n, d) unit vectors.

    Without ratings it knows what is uncertain, and predicts 3 stars. The order of the ratings changes nothing.
    """
    stars, index = np.asarray(ratings, np.float64).reshape(-1), np.asarray(rated_index, np.int64).reshape(-1)
    order = np.lexsort((stars, index))
    stars, rated = stars[order], np.asarray(archive_features[index[order]], np.float64)
    usable = np.isfinite(stars) & np.isfinite(rated).all(axis=1)
    graph = graph_of(archive_features, seed)
    learnt = learn(graph, graph.smoothed(rated[usable]), stars[usable])
    return ArchiveModel(**vars(learnt), features=archive_features)


def learn(graph: ArchiveGraph, views: Sequence[Float], stars: Float) -> Learnt:
    """Learns from `graph.smoothed` of finite vectors and their stars (n,)."""
    learnt = [posterior(view, stars[:, None]) for view in views]
    belief = beliefs(learnt)[:, 0]
    inside = np.asarray(
        sum(b * (s @ p.weights[:, 0]) for b, s, p in zip(belief, graph.smoothings, learnt, strict=True))
    )
    centred = sum(b * float(p.centre @ p.weights[:, 0]) for b, p in zip(belief, learnt, strict=True))
    weights, offset = graph.folded(inside)
    return Learnt(
        graph=graph,
        weights=weights,
        bias=float(learnt[0].mean[0] + offset - centred),
        posteriors=learnt,
        belief=belief,
        likeness=_likeness(graph, learnt, belief),
    )


def _likeness(graph: ArchiveGraph, learnt: list[Posterior], belief: Float) -> Float:
    found = np.zeros_like(graph.smoothings[0])
    for b, smoothing, p in zip(belief, graph.smoothings, learnt, strict=True):
        turned = smoothing @ p.directions
        found += b * (turned * p.gains[:, 0]) @ turned.T
    return found
