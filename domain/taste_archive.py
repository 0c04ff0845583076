"""Taste learned with the whole archive in view, not the rated photographs alone.

A photograph's vector is smoothed along the archive's own principal directions: directions in which many photographs
differ carry taste sooner than rare ones. `k_e(x, x') = (x - c) C^(e - 1) (x' - c)`, c and C the archive's mean and
covariance; e = 1 is plain ridge, and larger e smooths more. Smoothing and noise are averaged by their evidence
(marginal likelihood, the mean integrated out), so that no number is set by hand. The result stays linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

SAMPLE = 20_000
"""Photographs of which the archive's covariance is taken."""
EXPONENTS = (1.0, 1.5, 2.0, 2.5)
_NOISES = np.geomspace(1e-2, 1e2, 17)
"""Noise variance as a multiple of the mean prior variance of the rated photographs."""


@dataclass(frozen=True)
class ArchiveModel:
    """`prediction = bias + weights . v` in stars; `embedding` and `noise` describe what is still uncertain."""

    features: NDArray[Any]
    weights: Float
    bias: float
    centre: Float
    embedding: Float
    """(d, r): with z = (v - centre) @ embedding, the prior covariance of two photographs is z . z'."""
    noise: float
    """Noise variance on the scale of the prior."""

    def predict(self, index: NDArray[Any]) -> Float:
        """Stars (m,) of archive rows."""
        return np.asarray(self.features[index], np.float64) @ self.weights + self.bias

    def uncertainty_space(self, index: NDArray[Any]) -> Float:
        """(m, r) rows whose inner products are prior covariances."""
        return (np.asarray(self.features[index], np.float64) - self.centre) @ self.embedding


def fit(
    ratings: NDArray[Any], rated_index: NDArray[Any], archive_features: NDArray[Any], seed: int = 0
) -> ArchiveModel:
    """Learns from stars (m,) of the archive rows `rated_index` (m,); `archive_features` (n, d) unit vectors."""
    stars = np.asarray(ratings, np.float64).reshape(-1)
    rated = np.asarray(archive_features[rated_index], np.float64)
    usable = np.isfinite(stars) & np.isfinite(rated).all(axis=1)
    stars, rated = stars[usable], rated[usable]
    centre, values, directions = _principal(archive_features, seed)
    projected = (rated - centre) @ directions
    candidates = [_Candidate(e, values, projected, stars) for e in EXPONENTS]
    evidence = np.array([c.evidence for c in candidates])
    belief = np.exp(evidence - evidence.max())
    belief /= belief.sum()
    along = sum((b * c.weights for b, c in zip(belief.ravel(), candidates, strict=True)), np.zeros(len(values)))
    weights = directions @ along
    mean = float(stars.mean()) if len(stars) else 3.0
    best = candidates[int(np.argmax(evidence))]
    return ArchiveModel(
        features=archive_features,
        weights=weights,
        bias=mean - float((rated.mean(axis=0) if len(rated) else centre) @ weights),
        centre=centre,
        embedding=directions * best.scale,
        noise=best.noise,
    )


def _principal(archive: NDArray[Any], seed: int) -> tuple[Float, Float, Float]:
    """Mean (d,), variances (r,) as shares of the largest, and directions (d, r) of the archive."""
    rows = np.arange(len(archive))
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(rows, SAMPLE, replace=False))
    vectors = np.asarray(archive[rows], np.float64)
    vectors = vectors[np.isfinite(vectors).all(axis=1)]
    centre = vectors.mean(axis=0)
    centred = vectors - centre
    n, d = centred.shape
    values, side = np.linalg.eigh(centred @ centred.T if n <= d else centred.T @ centred)
    kept = values > 1e-10 * max(float(values[-1]), 1e-300)
    values, side = values[kept], side[:, kept]
    directions = centred.T @ side / np.sqrt(values) if n <= d else side
    return centre, values / values.max(initial=1e-300), directions


class _Candidate:
    """One degree of smoothing: its evidence and weights, averaged over the noise."""

    def __init__(self, exponent: float, values: Float, projected: Float, stars: Float) -> None:
        self.scale = np.sqrt(values ** (exponent - 1.0))
        z = projected * self.scale
        centred = z - z.mean(axis=0) if len(z) else z
        gram = centred @ centred.T
        lambdas, u = np.linalg.eigh(gram)
        lambdas = np.clip(lambdas, 0.0, None)
        level = max(float(lambdas.sum()) / max(len(stars), 1), 1e-300)
        inner = u.T @ (stars - stars.mean()) if len(stars) else np.zeros(0)
        noises = _NOISES * level
        log_evidence = np.array([_log_evidence(lambdas, inner, noise) for noise in noises])
        top = log_evidence.max()
        belief = np.exp(log_evidence - top)
        self.evidence = top + float(np.log(belief.mean()))
        belief /= belief.sum()
        self.noise = float(noises[int(np.argmax(log_evidence))])
        dual = u @ (sum(b / (lambdas + s) for b, s in zip(belief, noises, strict=True)) * inner)
        self.weights: Float = self.scale * (centred.T @ dual)


def _log_evidence(lambdas: Float, inner: Float, noise: float) -> float:
    """Log marginal likelihood of the centred stars, the common variance at its best value, constants dropped."""
    n = len(inner) - 1
    if n < 1:
        return 0.0
    variances = lambdas + noise
    # The centred stars have n - 1 degrees of freedom; the direction of the mean has eigenvalue zero.
    quadratic = max(float((inner**2 / variances).sum()), 1e-12)
    return float(-0.5 * n * np.log(quadratic / n) - 0.5 * (np.log(variances).sum() - np.log(noise)))
