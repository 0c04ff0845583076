from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.selection import RANDOM_EVERY, is_random, next_batch
from domain.taste import fit


def archive(n: int = 300, d: int = 20, seed: int = 0) -> NDArray[Any]:
    vectors = np.random.default_rng(seed).standard_normal((n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("rated", [0, 1, 12])
def test_a_batch_is_new_distinct_and_reproducible(rated: int) -> None:
    features, index = archive(), np.arange(rated)
    model = fit(np.arange(rated) % 5 + 1, index, features, 0) if rated else None
    batch = next_batch(model, index, features, 10, seed=3)
    assert len(set(batch.tolist())) == 10
    assert not set(batch.tolist()) & set(index.tolist())
    assert np.array_equal(batch, next_batch(model, index, features, 10, seed=3))


def test_an_archive_that_is_rated_through_has_nothing_left() -> None:
    features = archive(6)
    assert next_batch(fit(np.ones(6), np.arange(6), features, 0), np.arange(6), features, 10, 0).tolist() == []


def test_a_batch_lowers_uncertainty_more_than_a_random_one() -> None:
    rng = np.random.default_rng(0)
    features = np.repeat(archive(12, 40), 25, axis=0) + 0.02 * rng.standard_normal((300, 40))
    model = fit(np.array([1, 5, 3]), np.array([0, 30, 60]), features, 0)
    z = model.uncertainty_space(np.arange(300))

    def left(batch: NDArray[Any]) -> float:
        known = z[np.r_[[0, 30, 60], batch]]
        gram = known @ known.T + model.noise * np.eye(len(known))
        cross = z @ known.T
        return float((z**2).sum() - (cross * np.linalg.solve(gram, cross.T).T).sum())

    chosen = left(next_batch(model, np.array([0, 30, 60]), features, 8, 0))
    drawn = [left(np.random.default_rng(s).permutation(300)[:8]) for s in range(20)]
    assert chosen < np.mean(drawn)


def test_one_in_five_is_drawn_at_random() -> None:
    """Two seeds with the same sample differ only where the draw decides."""
    features, index = archive(), np.arange(10)
    model = fit(np.arange(10) % 5 + 1, index, features, 0)
    one, other = (next_batch(model, index, features, RANDOM_EVERY, seed=s) for s in (1, 2))
    assert one[0] != other[0]
    alone = next_batch(model, index, features, RANDOM_EVERY - 1, seed=1)
    assert alone.tolist() == next_batch(model, index, features, RANDOM_EVERY - 1, seed=2).tolist()
    assert [turn for turn in range(12) if is_random(turn, 12)] == [0, 5]
