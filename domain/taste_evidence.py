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
_NOTHING = 1e-10
"""Share of all variance, below which a direction holds none."""


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
    return Rated(vectors, stars).posterior(np.arange(len(stars)))


class Rated:
    """(n, r) vectors and (n, p) columns of stars, to be learnt from again and again, each time from other rows.

    More rows than directions are known by their sums, from which those of a fold are taken: a tenth of the work.
    """

    def __init__(self, vectors: Float, stars: Float) -> None:
        n, r = vectors.shape
        self._centre = vectors.mean(axis=0) if n else np.zeros(r)
        self._mean = stars.mean(axis=0) if n else np.full(stars.shape[1], 3.0)
        self._centred, self._about = vectors - self._centre, stars - self._mean
        self._sums = _Sums.of(self._centred, self._about) if n > r else None

    def posterior(self, rows: NDArray[np.int64]) -> Posterior:
        """What these rows say, numbers of which none comes twice."""
        n, r = self._centred.shape
        if self._sums is None or len(rows) <= r:
            return self._learn_rows(self._centred[rows], self._about[rows])
        others = np.delete(np.arange(n), rows)
        if len(rows) < len(others):
            sums = _Sums.of(self._centred[rows], self._about[rows])
        else:
            sums = self._sums.less(_Sums.of(self._centred[others], self._about[others]))
        # What is left where all rows are equal is rounding of the sums, not a direction.
        return self._learn_sums(sums, _NOTHING * float(np.trace(self._sums.square)))

    def _learn_rows(self, vectors: Float, stars: Float) -> Posterior:
        n, r = vectors.shape
        centre = vectors.mean(axis=0) if n else np.zeros(r)
        mean = stars.mean(axis=0) if n else np.zeros(stars.shape[1])
        centred, about = vectors - centre, stars - mean
        values, side = _eigen(centred @ centred.T)
        directions = centred.T @ side / np.sqrt(values)
        return self._learnt(n, centre, mean, (about**2).sum(axis=0), _Spectrum(values, directions, side.T @ about))

    def _learn_sums(self, sums: _Sums, least: float) -> Posterior:
        centre, mean = sums.vectors / sums.n, sums.stars / sums.n
        across = sums.across - sums.n * np.outer(centre, mean)
        squares = np.maximum(sums.stars_squared - sums.n * mean**2, 0.0)
        values, side = _eigen(sums.square - sums.n * np.outer(centre, centre), least)
        seen = _Spectrum(values, side, side.T @ across / np.sqrt(values)[:, None])
        return self._learnt(sums.n, centre, mean, squares, seen)

    def _learnt(self, n: int, centre: Float, mean: Float, squares: Float, seen: _Spectrum) -> Posterior:
        """`centre`, `mean`: from those of all rows. `squares`: (p,) of the stars about their mean."""
        lambdas, inner = seen.squares, seen.stars
        level = float(lambdas.sum()) / n if len(lambdas) else 1.0
        noises = _NOISES * level
        rest = np.maximum(squares - (inner**2).sum(axis=0), 0.0)
        log_evidence = _log_evidence(lambdas, inner, rest, n - 1, noises)
        top = log_evidence.max(axis=0)
        belief = np.exp(log_evidence - top)
        evidence = top + np.log(belief.mean(axis=0))
        belief /= belief.sum(axis=0)
        gains = (1.0 / (lambdas[:, None] + noises)) @ belief
        weights = seen.directions @ (gains * np.sqrt(lambdas)[:, None] * inner)
        noise = np.exp(np.log(noises) @ belief)
        return Posterior(self._centre + centre, self._mean + mean, weights, evidence, noise, seen.directions, gains)


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Of centred vectors."""

    squares: Float
    """(s,) singular values squared."""
    directions: Float
    """(r, s)"""
    stars: Float
    """(s, p): the centred stars along the left singular vectors."""


@dataclass(frozen=True, eq=False)
class _Sums:
    """Of n rows: vectors (r,), stars (p,), and their products (r, r), (r, p), (p,)."""

    n: int
    vectors: Float
    stars: Float
    square: Float
    across: Float
    stars_squared: Float

    @classmethod
    def of(cls, vectors: Float, stars: Float) -> _Sums:
        sums, turned = (vectors.sum(axis=0), stars.sum(axis=0)), vectors.T
        return cls(len(vectors), *sums, turned @ vectors, turned @ stars, (stars**2).sum(axis=0))

    def less(self, others: _Sums) -> _Sums:
        mine, theirs = vars(self).values(), vars(others).values()
        return _Sums(*(a - b for a, b in zip(mine, theirs, strict=True)))


def beliefs(posteriors: Sequence[Posterior]) -> Float:
    """(len(posteriors), p): how far each is believed for each column; columns sum to 1."""
    evidence = np.stack([p.evidence for p in posteriors])
    belief = np.exp(evidence - evidence.max(axis=0))
    shares: Float = belief / belief.sum(axis=0)
    return shares


def _eigen(square: Float, least: float = 0.0) -> tuple[Float, Float]:
    """Eigenvalues that are not next to nothing, and their vectors."""
    values, side = np.linalg.eigh(square)
    kept = values > max(_NOTHING * max(float(values.max(initial=0.0)), 1e-20), least)
    return values[kept], side[:, kept]


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
