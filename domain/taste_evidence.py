"""Linear regression whose noise is not set by hand: every noise counts as much as its evidence.

The mean is integrated out and the common variance put at its best value (MacKay 1992). Several columns of stars are
fitted at once, since what is expensive, the decomposition, does not depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

_NOISES = np.geomspace(1e-2, 1e2, 17)
"""Noise variance as a multiple of the mean prior variance of the rated photographs."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """What (n, r) vectors and (n, p) columns of stars say: `mean + (x - centre) . weights` for each column."""

    centre: Float
    """(r,) of the rated vectors."""
    mean: Float
    """(p,) of the stars."""
    weights: Float
    """(r, p)"""
    evidence: Float
    """(p,) log marginal likelihood."""
    noise: Float
    """(p,) noise variance on the scale of the prior."""
    directions: Float
    """(r, s) orthonormal."""
    gains: Float
    """(s, p): `weights = directions @ (gains * (directions.T @ (x - centre).T @ (stars - mean)))`."""

    def predict(self, vectors: Float) -> Float:
        """(m, p) stars of (m, r) vectors."""
        predicted: Float = self.mean + (vectors - self.centre) @ self.weights
        return predicted


def posterior(vectors: Float, stars: Float) -> Posterior:
    """Learns (n, p) columns of stars of (n, r) vectors; without any row it knows 3 stars and nothing else."""
    n, r = vectors.shape
    centre = vectors.mean(axis=0) if n else np.zeros(r)
    mean = stars.mean(axis=0) if n else np.full(stars.shape[1], 3.0)
    centred, about = vectors - centre, stars - mean
    lambdas, directions, inner = _spectrum(centred, about)
    level = float(lambdas.sum()) / n if len(lambdas) else 1.0
    noises = _NOISES * level
    rest = np.maximum((about**2).sum(axis=0) - (inner**2).sum(axis=0), 0.0)
    log_evidence = _log_evidence(lambdas, inner, rest, n - 1, noises)
    top = log_evidence.max(axis=0)
    belief = np.exp(log_evidence - top)
    evidence = top + np.log(belief.mean(axis=0))
    belief /= belief.sum(axis=0)
    gains = (1.0 / (lambdas[:, None] + noises)) @ belief
    weights = directions @ (gains * np.sqrt(lambdas)[:, None] * inner)
    noise = np.exp(np.log(noises) @ belief)
    return Posterior(centre, mean, weights, evidence, noise, directions, gains)


def beliefs(posteriors: Sequence[Posterior]) -> Float:
    """(len(posteriors), p): how far each is believed for each column; columns sum to 1."""
    evidence = np.stack([p.evidence for p in posteriors])
    belief = np.exp(evidence - evidence.max(axis=0))
    shares: Float = belief / belief.sum(axis=0)
    return shares


def _spectrum(centred: Float, stars: Float) -> tuple[Float, Float, Float]:
    """Squared singular values (s,), directions (r, s), and the stars along the left singular vectors (s, p)."""
    n, r = centred.shape
    values, side = np.linalg.eigh(centred @ centred.T if n <= r else centred.T @ centred)
    kept = values > 1e-10 * max(float(values.max(initial=0.0)), 1e-20)
    values, side = values[kept], side[:, kept]
    root = np.sqrt(values)
    if n <= r:
        return values, centred.T @ side / root, side.T @ stars
    return values, side, side.T @ (centred.T @ stars) / root[:, None]


def _log_evidence(lambdas: Float, inner: Float, rest: Float, freedom: int, noises: Float) -> Float:
    """(noises, p) log marginal likelihoods of the centred stars, constants dropped.

    `rest`: (p,) what of the stars' sums of squares no direction explains; `freedom`: n - 1.
    """
    if freedom < 1:
        return np.zeros((len(noises), inner.shape[1]))
    variances = lambdas + noises[:, None]
    quadratic = np.maximum((1.0 / variances) @ inner**2 + rest / noises[:, None], 1e-12)
    determinant = np.log(variances).sum(axis=1) + (freedom - len(lambdas)) * np.log(noises)
    found: Float = -0.5 * freedom * np.log(quadratic / freedom) - 0.5 * determinant[:, None]
    return found
