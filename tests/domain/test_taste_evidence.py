"""Learning without a fold, from sums, is learning from the other rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from domain.taste_evidence import Rated, posterior

DIRECTIONS = 20


@pytest.mark.parametrize("left_out", [0, 7, 150, 295])
@pytest.mark.parametrize("rows", [15, 25, 300])
def test_without_a_fold_is_learnt_what_the_others_say(rows: int, left_out: int) -> None:
    rng = np.random.default_rng(rows + left_out)
    vectors, stars = rng.standard_normal((rows, DIRECTIONS)) + 5, rng.integers(1, 6, (rows, 3)).astype(float)
    fold = rng.choice(rows, min(left_out, rows - 3), replace=False)
    others = np.setdiff1d(np.arange(rows), fold)

    found, alone = Rated(vectors, stars).without(fold), posterior(vectors[others], stars[others])

    np.testing.assert_allclose(found.predict(vectors), alone.predict(vectors), atol=1e-9)
    np.testing.assert_allclose(found.evidence, alone.evidence, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.noise, alone.noise, rtol=1e-6)


def test_where_all_others_are_equal_nothing_is_learnt_from_the_rounding_of_sums() -> None:
    rng = np.random.default_rng(0)
    vectors = np.tile(rng.standard_normal(DIRECTIONS), (300, 1))
    fold = np.arange(30)
    vectors[fold] += rng.standard_normal((len(fold), DIRECTIONS))
    stars = rng.integers(1, 6, (300, 1)).astype(float)

    found = Rated(vectors, stars).without(fold)

    np.testing.assert_allclose(found.predict(vectors), stars[30:].mean(), atol=1e-9)
