"""Leaving folds out: from sums, and from the residuals of what all rows say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.taste import spread_factor
from domain.taste_evidence import Rated, posterior
from domain.taste_judgement import leave_out, leave_out_alike

DIRECTIONS = 20


@pytest.mark.parametrize("left_out", [0, 7, 150, 295])
@pytest.mark.parametrize("rows", [15, 25, 300])
def test_without_a_fold_is_learnt_what_the_others_say(rows: int, left_out: int) -> None:
    rng = np.random.default_rng(rows + left_out)
    vectors, stars = rng.standard_normal((rows, DIRECTIONS)) + 5, rng.integers(1, 6, (rows, 3)).astype(float)
    fold = rng.choice(rows, min(left_out, rows - 3), replace=False)
    others = np.setdiff1d(np.arange(rows), fold)

    found, alone = Rated(vectors, stars).posterior(others), posterior(vectors[others], stars[others])

    np.testing.assert_allclose(found.predict(vectors), alone.predict(vectors), atol=1e-9)
    np.testing.assert_allclose(found.evidence, alone.evidence, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.noise, alone.noise, rtol=1e-6)


def test_where_all_others_are_equal_nothing_is_learnt_from_the_rounding_of_sums() -> None:
    rng = np.random.default_rng(0)
    vectors = np.tile(rng.standard_normal(DIRECTIONS), (300, 1))
    fold = np.arange(30)
    vectors[fold] += rng.standard_normal((len(fold), DIRECTIONS))
    stars = rng.integers(1, 6, (300, 1)).astype(float)

    found = Rated(vectors, stars).posterior(np.arange(len(fold), 300))

    np.testing.assert_allclose(found.predict(vectors), stars[30:].mean(), atol=1e-9)


@pytest.mark.parametrize(("ratings", "parts"), [(60, 6), (200, 2)])
def test_with_the_noise_kept_the_residuals_tell_exactly_what_each_fold_would_be_given(ratings: int, parts: int) -> None:
    """Of a fold that is larger than there are directions, too."""
    vectors, stars = _liked(ratings, 0)
    learnt = posterior(vectors, stars[:, None])
    folds = np.array_split(np.random.default_rng(1).permutation(ratings), parts)

    found = leave_out_alike([vectors], [learnt], np.ones(1), stars, folds)

    for fold in folds:
        others = np.setdiff1d(np.arange(ratings), fold)
        centre, mean = vectors[others].mean(axis=0), stars[others].mean()
        rest = vectors[others] - centre
        ridge = rest.T @ rest + learnt.noise[0] * np.eye(DIRECTIONS)
        weights = np.linalg.solve(ridge, rest.T @ (stars[others] - mean))
        np.testing.assert_allclose(found[fold], mean + (vectors[fold] - centre) @ weights, atol=1e-9)


@pytest.mark.parametrize("ratings", [100, 400])
def test_from_a_hundred_ratings_on_the_spread_is_that_of_learning_again_without_each_fold(ratings: int) -> None:
    for seed in range(5):
        vectors, stars = _liked(ratings, seed)
        folds = np.array_split(np.random.default_rng(seed).permutation(ratings), 10)

        kept = leave_out_alike([vectors], [posterior(vectors, stars[:, None])], np.ones(1), stars, folds)
        again = leave_out([vectors], stars[:, None], folds).predicted[:, 0]

        assert spread_factor(stars, kept) == pytest.approx(spread_factor(stars, again), rel=0.04)


def _liked(ratings: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vectors of which one direction is liked, and stars with much noise."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((ratings, DIRECTIONS))
    return vectors, np.clip(np.rint(3 + vectors[:, 0] + rng.standard_normal(ratings)), 1, 5)
