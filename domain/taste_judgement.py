"""How far a taste can be trusted, told by photographs that were left out of it.

Every figure repeats the whole of the learning without the photographs that it is about: how far to smooth and how noisy
the ratings are is found anew each time. Predictions count relative to the mean of what their fold was trained on:
without its own ratings a fold's mean lies on the other side of them, and raw predictions would correlate negatively
where there is nothing to learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from domain import shoots as shoot_folds
from domain.one_thread import each_in_a_thread
from domain.ranks import rank_correlation
from domain.taste_evidence import Posterior, Rated, beliefs

Float = NDArray[np.float64]
Int = NDArray[np.int64]

SHUFFLES = 199
"""With the true order 200 in all: at most 5 % is the rank 10 of 200."""
CHANCE = 0.05
CURVE = (5, 10, 20, 40, 80, 160, 320, 640, 1280)


@dataclass(frozen=True, eq=False)
class Judgement:
    """Correlations are Spearman's; None where one side is constant or there is nothing to leave out."""

    on_new_shoots: float | None
    """Whole shoots were left out."""
    on_rated_shoots: float | None
    """Single photographs were left out, so that look-alikes stay on the other side."""
    chance: float | None
    """How often stars dealt out by chance do as well (a permutation test); better than chance at most `CHANCE`."""
    left_out: Float
    """(n,) stars of each photograph by the model without its shoot."""
    curve: tuple[tuple[int, float], ...]
    """(ratings, correlation on new shoots) for fewer ratings than there are, and for all of them."""

    @property
    def better_than_chance(self) -> bool:
        return self.chance is not None and self.chance <= CHANCE

    def spread(self, factor: float, mean: float, rows: Int, n: int) -> Judgement:
        """With predictions this much wider about the mean, laid out as (n,) at `rows`, NaN elsewhere."""
        laid = np.full(n, np.nan)
        laid[rows] = mean + factor * (self.left_out - mean)
        return replace(self, left_out=laid)


@dataclass(frozen=True, eq=False)
class LeftOut:
    predicted: Float
    """(n, p) stars."""
    means: Float
    """(n, p) means of the stars that each prediction was learnt from."""

    @property
    def relative(self) -> Float:
        return self.predicted - self.means


def leave_out(views: Sequence[Float], stars: Float, folds: Sequence[Int], most: int | None = None) -> LeftOut:
    """Predictions (n, p) for columns of stars (n, p) by models without the fold.

    `views`: (n, r) smoothed vectors, one for each way of smoothing. `most`: learn from at most so many of the others,
    evenly spaced among them.
    """
    predicted, means = np.empty(stars.shape), np.empty(stars.shape)
    rated = [Rated(view, stars) for view in views]

    def learn_and_tell(fold: Int) -> None:
        rest = np.setdiff1d(np.arange(len(stars)), fold)
        if most is not None and len(rest) > most:
            rest = rest[np.linspace(0, len(rest) - 1, most).round().astype(np.int64)]
        learnt = [one.posterior(rest) for one in rated]
        shares = beliefs(learnt)
        said = [p.predict(view[fold]) for p, view in zip(learnt, views, strict=True)]
        predicted[fold] = sum(share * one for share, one in zip(shares, said, strict=True))
        means[fold] = learnt[0].mean

    each_in_a_thread(learn_and_tell, folds)
    return LeftOut(predicted, means)


def leave_out_alike(
    views: Sequence[Float], learnt: Sequence[Posterior], belief: Float, stars: Float, folds: Sequence[Int]
) -> Float:
    """Predictions (n,) for stars (n,) without each one's fold, for which nothing is decomposed again.

    How far to smooth and how noisy the ratings are stays as all of them say (`learnt`, `belief`), and the rest follows
    from the residuals: `y - (I - H)^-1 (y - H y)` over a fold, H the hat matrix (PRESS, Allen 1974).
    """
    predicted, about = np.zeros(len(stars)), stars - stars.mean()
    for view, p, share in zip(views, learnt, belief, strict=True):
        along = (view - p.centre) @ p.directions
        through = along / np.sqrt((along**2).sum(axis=0) + p.noise[0])
        residuals = about - through @ (through.T @ about)
        through = np.column_stack([through, np.full(len(stars), len(stars) ** -0.5)])  # the mean is learnt too
        for fold in folds:
            predicted[fold] += share * (stars[fold] - _without_itself(through[fold], residuals[fold]))
    return predicted


def _without_itself(through: Float, residuals: Float) -> Float:
    """`(I - H)^-1 residuals` (n,) for the hat matrix `H = through @ through.T`, through (n, q), by whichever side is
    shorter."""
    n, q = through.shape
    if n <= q:
        return np.asarray(np.linalg.solve(np.eye(n) - through @ through.T, residuals), np.float64)
    told = np.linalg.solve(np.eye(q) - through.T @ through, through.T @ residuals)
    return np.asarray(residuals + through @ told, np.float64)


def judge(views: Sequence[Float], stars: Float, shoots: Int, seed: int) -> Judgement:
    """`views`: (n, r) for each way of smoothing, `stars` and `shoots` (n,), in an order that is always the same."""
    n = len(stars)
    apart = shoot_folds.folds(np.arange(n), seed)
    several = len(np.unique(shoots)) > 1
    strict = shoot_folds.folds(shoots, seed) if several else apart
    rng = np.random.default_rng(seed)
    columns = np.column_stack([stars, shuffled(stars, shoots if several else np.arange(n), SHUFFLES, rng)])
    tried = leave_out(views, columns, strict)
    loose = leave_out(views, stars[:, None], apart)
    found = rank_correlation(tried.relative[:, 0], stars)
    return Judgement(
        on_new_shoots=found if several else None,
        on_rated_shoots=rank_correlation(loose.relative[:, 0], stars),
        chance=_chance(tried, columns) if found is not None else None,
        left_out=tried.predicted[:, 0],
        curve=_curve(views, stars, strict, found) if several else (),
    )


def shuffled(stars: Float, shoots: Int, many: int, rng: np.random.Generator) -> Float:
    """(n, many) ways in which chance might have dealt the stars (n,) out: each shoot gets the mean of another, and
    within a shoot photographs trade how far they are from it.

    People like shoots more than single photographs of them. Stars that trade places one by one would lose that, and
    any order that goes by shoot would look like taste. Means are traded on the scale of what they scatter by, which
    follows from the variances between and within shoots (one-way random effects by analysis of variance, Searle,
    Casella and McCulloch 1992): that of a single photograph scatters more than that of many.
    """
    names, number, sizes = np.unique(shoots, return_inverse=True, return_counts=True)
    n, m, mean = len(stars), len(names), float(stars.mean())
    means = np.bincount(number, stars) / sizes
    apart = stars - means[number]
    within = float((apart**2).sum()) / max(n - m, 1)
    between = float((sizes * (means - mean) ** 2).sum()) / max(m - 1, 1)
    shared = (n - float((sizes**2).sum()) / n) / max(m - 1, 1)
    scatter = np.sqrt(max(between - within, 0.0) / max(shared, 1e-9) + within / sizes)
    standing = np.divide(means - mean, scatter, out=np.zeros(m), where=scatter > 0)
    by_shoot = np.argsort(number, kind="stable")
    found = np.empty((n, many))
    for k in range(many):
        found[by_shoot, k] = apart[np.lexsort((rng.random(n), number))]
        found[:, k] += mean + (rng.permutation(standing) * scatter)[number]
    return found


def _chance(tried: LeftOut, columns: Float) -> float:
    """The share of all orders, the true one among them, that do at least as well as the true one, the first column.

    Doing well is the covariance of predictions and stars: unlike a correlation it counts how far the predictions dare
    to leave the mean, which they do where the others' ratings agree. It tells taste from chance more often.
    """
    agreement = (tried.relative * (columns - columns.mean(axis=0))).sum(axis=0)
    return float((agreement >= agreement[0]).mean())


def _curve(
    views: Sequence[Float], stars: Float, folds: Sequence[Int], last: float | None
) -> tuple[tuple[int, float], ...]:
    points = []
    for most in CURVE:
        if most >= min(len(stars) - len(fold) for fold in folds):
            break
        found = rank_correlation(leave_out(views, stars[:, None], folds, most).relative[:, 0], stars)
        if found is not None:
            points.append((most, found))
    if last is not None:
        points.append((len(stars), last))
    return tuple(points)


def ratings_to_tell(correlation: float) -> int:
    """Ratings after which a taste that is known this well (Spearman) passes for better than chance four times in five.

    From the variance 1 / (n - 1) of a rank correlation by chance: `n = ((1.645 + 0.842) / rho)^2 + 1`.
    """
    return int(np.ceil((2.487 / max(correlation, 0.05)) ** 2 + 1))
