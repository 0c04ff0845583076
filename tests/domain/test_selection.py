from __future__ import annotations

import tracemalloc
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
    views = model.graph.smoothed(features)

    def left(batch: NDArray[Any]) -> float:
        return sum(model.belief[way] * of_one_way(way, np.r_[[0, 30, 60], batch]) for way in model.believed)

    def of_one_way(way: int, rated: NDArray[Any]) -> float:
        z, noise = views[way], model.posteriors[way].noise[0]
        gram = z[rated] @ z[rated].T + noise * np.eye(len(rated))
        cross = z @ z[rated].T
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


def test_ratings_of_what_is_almost_one_picture_leave_the_rest_to_ask_for() -> None:
    """Copies of one photograph, rated together, differ in the last bit of a vector."""
    features = archive(200, 40).astype(np.float32)
    features[:4] = features[0]
    features[1:4, 0] = np.nextafter(features[0, 0], 1)
    model = fit(np.array([5, 5, 5, 4]), np.arange(4), features, 0)
    features[4:8] = features[0]
    batch = next_batch(model, np.arange(4), features, 4, seed=0)
    assert len(set(batch.tolist())) == 4
    assert not set(batch.tolist()) & set(range(4, 8))


def test_many_ratings_cost_no_more_than_some() -> None:
    """An imported catalogue brings tens of thousands: what is known of them is held by direction, not by pair."""
    features = archive(9_000, 24).astype(np.float16)
    stars = np.arange(8_000) % 5 + 1

    def peak(ratings: int) -> int:
        index = np.arange(ratings)
        model = fit(stars[:ratings], index, features, 0)
        tracemalloc.start()
        next_batch(model, index, features, 8, seed=0)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(8_000) < 2 * peak(1_000)
