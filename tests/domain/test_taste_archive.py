"""`domain.taste.fit`: what holds for any ratings of any archive."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain import archive_graph, taste
from domain.selection import next_batch
from domain.taste import fit

Array = NDArray[Any]


def archive(n: int = 80, d: int = 24, seed: int = 0) -> Array:
    """Unit vectors around a few directions, as the photographs of a few shoots."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((8, d))[np.arange(n) % 8] + 0.7 * rng.standard_normal((n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def liking(features: Array, seed: int = 1) -> Array:
    liked = features @ np.random.default_rng(seed).standard_normal(features.shape[1])
    return np.digitize(liked, np.quantile(liked, [0.2, 0.4, 0.6, 0.8])) + 1.0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_order_of_the_ratings_changes_nothing(seed: int) -> None:
    features = archive()
    rated, stars = np.arange(0, 60, 2), liking(features)[0:60:2]
    order = np.random.default_rng(seed).permutation(len(rated))
    one, other = fit(stars, rated, features, 0), fit(stars[order], rated[order], features, 0)
    assert np.array_equal(one.predict(np.arange(80)), other.predict(np.arange(80)))
    assert np.array_equal(next_batch(one, rated, features, 10, 3), next_batch(other, rated[order], features, 10, 3))


def test_the_order_of_the_archive_changes_nothing() -> None:
    features, order = archive(), np.random.default_rng(4).permutation(80)
    where = np.argsort(order)
    rated, stars = np.arange(30), liking(features)[:30]
    one, other = fit(stars, rated, features, 0), fit(stars, where[rated], features[order], 0)
    assert np.allclose(one.predict(np.arange(80)), other.predict(where))


@pytest.mark.parametrize("n", [1, 2, 30])
def test_constant_ratings_give_everything_the_mean(n: int) -> None:
    features = archive()
    assert np.allclose(fit(np.full(n, 4.0), np.arange(n), features, 0).predict(np.arange(80)), 4.0)


def test_without_ratings_everything_is_worth_three_stars() -> None:
    assert np.allclose(fit(np.empty(0), np.empty(0, int), archive(), 0).predict(np.arange(80)), 3.0)


def test_duplicate_photographs_are_worth_the_same() -> None:
    features = np.repeat(archive(40), 2, axis=0)
    rated = np.arange(0, 60, 3)
    predicted = fit(liking(features)[rated], rated, features, 0).predict(np.arange(80))
    assert np.allclose(predicted[::2], predicted[1::2])


def test_one_photograph_again_and_again_is_worth_the_mean_of_its_ratings() -> None:
    features = np.tile(archive(1), (30, 1))
    model = fit(np.arange(10) % 5 + 1, np.arange(10), features, 0)
    assert np.allclose(model.predict(np.arange(30)), 3.0)
    assert len(set(next_batch(model, np.arange(10), features, 8, 0).tolist())) == 8


def test_one_rating_of_each_value_tells_five_kinds_of_photograph_apart() -> None:
    features = np.repeat(np.eye(5, 16), 12, axis=0) + 0.02 * np.random.default_rng(0).standard_normal((60, 16))
    predicted = fit(np.arange(1, 6), np.arange(0, 60, 12), features, 0).predict(np.arange(60))
    assert np.argsort(predicted.reshape(5, 12).mean(axis=1)).tolist() == [0, 1, 2, 3, 4]


@given(
    n=st.integers(1, 40),
    d=st.integers(1, 8),
    rated=st.integers(0, 40),
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.0, 1e-300, 1e-30, 1.0, 1e8, 1e300]),
    broken=st.sampled_from([0.0, 0.05, 1.0]),
    landmarks=st.sampled_from([4, 600]),
)
@settings(max_examples=80)
def test_whatever_goes_in_what_comes_out_is_finite(
    n: int, d: int, rated: int, seed: int, scale: float, broken: float, landmarks: int
) -> None:
    rng = np.random.default_rng(seed)
    features = scale * rng.integers(-1, 2, (n, d)).astype(float)
    features[rng.random((n, d)) < broken] = rng.choice([np.nan, np.inf, -np.inf])
    index = rng.integers(0, n, min(rated, n))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive_graph, "LANDMARKS", landmarks)
        model = fit(rng.integers(1, 6, len(index)), index, features, seed)
        assert np.isfinite(model.predict(np.arange(n))).all()
        batch = next_batch(model, index, features, 8, seed)
    assert len(set(batch.tolist())) == min(8, n - len(set(index.tolist())))


def test_ratings_that_are_not_finite_are_left_out() -> None:
    features = archive()
    stars = liking(features)[:20]
    stars[3] = np.nan
    keep = np.setdiff1d(np.arange(20), [3])
    one, other = fit(stars, np.arange(20), features, 0), fit(stars[keep], keep, features, 0)
    assert np.array_equal(one.predict(np.arange(80)), other.predict(np.arange(80)))


def test_photographs_beside_the_landmarks_are_scored_like_the_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large archive's graph is that of a sample; the rest stands in it by its nearest landmarks."""
    features = archive(400)
    rated = np.arange(0, 400, 8) + np.arange(50) % 8
    whole = fit(liking(features)[rated], rated, features, 0).predict(np.arange(400))
    monkeypatch.setattr(archive_graph, "LANDMARKS", 200)
    sampled = fit(liking(features)[rated], rated, features, 0).predict(np.arange(400))
    found = taste.rank_correlation(whole, sampled)
    assert found is not None
    assert found > 0.95


def test_more_ratings_than_dimensions_are_fitted_as_well() -> None:
    features = archive(300, 6)
    model = fit(liking(features)[:200], np.arange(200), features, 0)
    found = taste.rank_correlation(model.predict(np.arange(200, 300)), liking(features)[200:])
    assert found is not None
    assert found > 0.85


def test_a_batch_may_come_from_a_part_of_the_models_archive() -> None:
    features, part = archive(), np.arange(40, 80)
    rated = np.arange(5)
    model = fit(liking(features)[part[rated]], part[rated], features, 0)
    batch = next_batch(model, rated, features[part], 10, 0)
    assert len(set(batch.tolist()) - set(rated.tolist())) == 10
    assert batch.max() < 40
