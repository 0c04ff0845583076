"""Taste learned with the whole archive in view, not the rated photographs alone.

Ridge regression on vectors that are smoothed along the archive's graph (`domain.archive_graph`): photographs that look
alike lend each other their ratings. How far to smooth, and how much noise the ratings hold, is not set by hand: every
combination counts as much as its evidence (marginal likelihood, the mean integrated out).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.archive_graph import ArchiveGraph, graph_of

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_NOISES = np.geomspace(1e-2, 1e2, 17)
"""Noise variance as a multiple of the mean prior variance of the rated photographs."""
_CHUNK = 4_096
_LEAST_BELIEF = 0.01
"""Ways of smoothing that are believed less have no part in what is uncertain."""


@dataclass(frozen=True, eq=False)
class ArchiveModel:
    """`prediction = bias + sum(weights . smoothed vector)` in stars; `belief` and `noise` say what is uncertain."""

    features: NDArray[Any]
    graph: ArchiveGraph
    weights: list[Float]
    """(r,) for each way of smoothing, its belief already inside."""
    bias: float
    belief: Float
    """Of each way of smoothing; they sum to 1."""
    noise: float
    """Noise variance on the scale of the prior."""

    def predict(self, index: NDArray[Any]) -> Float:
        """Stars (m,) of archive rows."""
        rows = np.asarray(index, np.int64).reshape(-1)
        out = np.empty(len(rows))
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            out[start : start + _CHUNK] = sum(self.graph.scores(self.features[chunk], self.weights))
        return out + self.bias

    def uncertainty_space(self, index: NDArray[Any]) -> Float:
        """(m, q) of archive rows; inner products of rows are prior covariances."""
        return self.place(self.features[index])

    def place(self, vectors: NDArray[Any]) -> Float:
        """The same of any vectors (m, d) of this encoder."""
        views = self.graph.smoothed(vectors)
        return np.hstack([np.sqrt(b) * view for b, view in zip(self.belief, views, strict=True) if b >= _LEAST_BELIEF])


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
    stars, rated = stars[usable], rated[usable]
    graph = graph_of(archive_features, seed)
    candidates = [_Candidate(view, stars) for view in graph.smoothed(rated)]
    evidence = np.array([c.evidence for c in candidates])
    belief = np.exp(evidence - evidence.max())
    belief /= belief.sum()
    mean = float(stars.mean()) if len(stars) else 3.0
    return ArchiveModel(
        features=archive_features,
        graph=graph,
        weights=[b * c.weights for b, c in zip(belief, candidates, strict=True)],
        bias=mean - float(sum(b * c.offset for b, c in zip(belief, candidates, strict=True))),
        belief=belief,
        noise=float(sum(b * c.noise for b, c in zip(belief, candidates, strict=True))),
    )


class _Candidate:
    """One way of smoothing: its evidence and weights, averaged over the noise."""

    def __init__(self, view: Float, stars: Float) -> None:
        n = len(stars)
        centre = view.mean(axis=0) if n else np.zeros(view.shape[1])
        lambdas, directions, inner = _spectrum(view - centre, stars - stars.mean() if n else stars)
        level = float(lambdas.sum()) / n if len(lambdas) else 1.0
        noises = _NOISES * level
        rest = max(float(((stars - stars.mean()) ** 2).sum() - (inner**2).sum()), 0.0) if n else 0.0
        log_evidence = np.array([_log_evidence(lambdas, inner, rest, n - 1, noise) for noise in noises])
        top = log_evidence.max()
        belief = np.exp(log_evidence - top)
        self.evidence = top + float(np.log(belief.mean()))
        belief /= belief.sum()
        self.noise = float(np.exp((belief * np.log(noises)).sum()))
        shrunk = (belief[:, None] / (lambdas + noises[:, None])).sum(axis=0) * np.sqrt(lambdas) * inner
        self.weights: Float = directions @ shrunk
        self.offset = float(centre @ self.weights)


def _spectrum(centred: Float, stars: Float) -> tuple[Float, Float, Float]:
    """Squared singular values (s,), directions (r, s), and the stars along the left singular vectors (s,)."""
    n, r = centred.shape
    values, side = np.linalg.eigh(centred @ centred.T if n <= r else centred.T @ centred)
    kept = values > 1e-10 * max(float(values.max(initial=0.0)), 1e-20)
    values, side = values[kept], side[:, kept]
    root = np.sqrt(values)
    if n <= r:
        return values, centred.T @ side / root, side.T @ stars
    return values, side, (stars @ centred) @ side / root


def _log_evidence(lambdas: Float, inner: Float, rest: float, freedom: int, noise: float) -> float:
    """Log marginal likelihood of the centred stars, the common variance at its best value, constants dropped.

    `rest`: what of the stars' sum of squares no direction explains; `freedom`: n - 1.
    """
    if freedom < 1:
        return 0.0
    variances = lambdas + noise
    quadratic = max(float((inner**2 / variances).sum()) + rest / noise, 1e-12)
    log_determinant = float(np.log(variances).sum()) + (freedom - len(lambdas)) * np.log(noise)
    return float(-0.5 * freedom * np.log(quadratic / freedom) - 0.5 * log_determinant)
