from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain import shoots, taste
from domain.archive_graph import graph_of
from domain.errors import PermanentError
from domain.one_thread import on_one_thread
from domain.taste import TagAffinity, TasteModel, match_threshold_auto, score, tag_affinity, train, vibe
from domain.taste_judgement import Judgement, judge, ratings_to_tell, shuffled

ARRAYS = Path(__file__).parents[2] / ".." / "shared" / "data" / "taste"
Array = NDArray[Any]


def unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def liked_direction(n: int, d: int, noise: float, seed: int = 0) -> tuple[Array, Array, Array]:
    """Vectors, stars that follow one direction of them, and shoots of five."""
    rng = np.random.default_rng(seed)
    vectors = unit(rng.standard_normal((n, d)))
    liking = vectors @ rng.standard_normal(d) + noise * rng.standard_normal(n)
    stars = np.digitize(liking, np.quantile(liking, [0.2, 0.4, 0.6, 0.8])) + 1
    return vectors, stars.astype(float), np.arange(n) // 5


def oasis(name: str = "oasis_half") -> tuple[Array, dict[str, Array], Array]:
    """Features, quintile stars by target, and themes as numbers."""
    path = ARRAYS / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"the taste arrays are not here: {path}")
    data = np.load(path, allow_pickle=False)
    stars = {}
    for target in ("valence_mean", "arousal_mean"):
        ranks = np.argsort(np.argsort(data[target], kind="stable"), kind="stable")
        stars[target] = ranks * 5 // len(ranks) + 1.0
    return data["features"].astype(np.float64), stars, np.unique(data["theme"], return_inverse=True)[1]


def judged(model: TasteModel) -> Judgement:
    assert model.judgement is not None
    return model.judgement


def test_a_liked_direction_is_found_and_folds_into_one_vector_and_a_bias() -> None:
    vectors, stars, shoots = liked_direction(300, 20, noise=0.1)
    model = train(vectors[:200], stars[:200], shoots[:200])
    predicted = vectors[200:] @ model.weights + model.bias
    assert taste.rank_correlation(predicted, stars[200:]) > 0.9  # type: ignore[operator]
    assert np.allclose(model.predict(vectors[200:]), predicted)
    assert judged(model).on_new_shoots is not None
    assert judged(model).on_new_shoots > 0.9


def test_shrunken_predictions_are_spread_again_so_that_match_can_light_up() -> None:
    vectors, stars, shoots = liked_direction(120, 200, noise=0.5)
    model = train(vectors, stars, shoots)
    assert 1.0 < model.spread_factor <= taste.MOST_SPREAD
    fresh = unit(np.random.default_rng(5).standard_normal((500, 200)))
    plain = (model.predict(fresh) - stars.mean()) / model.spread_factor
    assert np.std(model.predict(fresh)) == pytest.approx(model.spread_factor * np.std(plain), rel=1e-3)


def test_no_collapse_where_ratings_are_as_many_as_dimensions() -> None:
    """`Ridge(alpha=1)` on z-scores interpolates near n = d; the first 100 principal components, 100 ratings."""
    features, stars, themes = oasis()
    centred = features - features.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    vectors, target = u[:, :100] * s[:100], stars["valence_mean"]
    ours, theirs = [], []
    for k in range(20):
        order = np.random.default_rng(k).permutation(len(target))
        rated, rest = order[:100], order[100:]
        model = train(vectors[rated], target[rated], themes[rated], archive=vectors, judged=False)
        ours.append(taste.rank_correlation(model.predict(vectors[rest]), target[rest]))
        theirs.append(taste.rank_correlation(_z_scored_ridge(vectors, target, rated, rest), target[rest]))
    assert np.mean(ours) > 0.38
    assert np.mean(ours) > np.mean(theirs) + 0.2


def _z_scored_ridge(vectors: Array, stars: Array, rated: Array, rest: Array) -> Array:
    mean, sd = vectors[rated].mean(axis=0), vectors[rated].std(axis=0)
    z = (vectors - mean) / sd
    gram = z[rated] @ z[rated].T + np.eye(len(rated))
    return z[rest] @ z[rated].T @ np.linalg.solve(gram, stars[rated] - stars[rated].mean())


def test_left_out_shoots_are_harder_than_shoots_that_were_rated() -> None:
    rng = np.random.default_rng(2)
    shoot = np.repeat(np.arange(30), 6)
    vectors = unit(np.repeat(rng.standard_normal((30, 64)), 6, axis=0) + 0.2 * rng.standard_normal((180, 64)))
    stars = np.repeat(rng.integers(1, 6, 30), 6).astype(float)
    model = train(vectors, stars, shoot)
    assert judged(model).on_rated_shoots is not None
    assert judged(model).on_new_shoots is not None
    assert judged(model).on_rated_shoots > 0.8
    assert abs(judged(model).on_new_shoots) < 0.4


@on_one_thread
def test_stars_that_go_by_shoot_and_tell_nothing_of_another_are_rarely_better_than_chance() -> None:
    """A person who likes one day's work and not another's: nothing is known of the next day by that."""
    said = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        shoot = np.repeat(np.arange(10), 8)
        vectors = unit(rng.standard_normal((10, 64))[shoot] + 0.5 * rng.standard_normal((80, 64)))
        stars = np.clip(np.rint(3 + rng.standard_normal(10)[shoot] + 0.5 * rng.standard_normal(80)), 1, 5)
        said += judge(graph_of(vectors, 0).smoothed(vectors), stars, shoot, seed).better_than_chance
    assert said <= 4


def test_dealt_out_by_chance_a_shoot_gets_another_mean_and_keeps_how_its_photographs_differ() -> None:
    rng = np.random.default_rng(0)
    shoot = np.repeat(np.arange(12), np.arange(1, 13))
    stars = rng.standard_normal(12)[shoot] + 0.1 * rng.standard_normal(len(shoot))

    dealt = shuffled(stars, shoot, 50, rng)

    means = np.stack([dealt[shoot == s].mean(axis=0) for s in range(12)])
    assert (means.std(axis=1) > 0.3).all()
    own = np.sort(stars[shoot == 11] - stars[shoot == 11].mean())
    assert np.allclose(np.sort(dealt[shoot == 11] - means[11], axis=0), own[:, None])


def test_where_every_photograph_is_a_shoot_chance_deals_out_single_stars() -> None:
    stars = np.array([1.0, 1, 2, 3, 5, 5, 4])
    dealt = shuffled(stars, np.arange(7), 50, np.random.default_rng(0))
    assert np.allclose(np.sort(dealt, axis=0), np.sort(stars)[:, None])
    assert len(np.unique(dealt.round(6), axis=1).T) > 30


def test_without_signal_the_correlation_is_around_zero_not_strongly_negative() -> None:
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        model = train(unit(rng.standard_normal((60, 12))), rng.integers(1, 6, 60), np.arange(60) // 3, seed)
        found.append(judged(model).on_new_shoots)
    assert abs(np.mean(found)) < 0.1  # type: ignore[arg-type]


@on_one_thread
def _said_better(features: Array, stars: Array, themes: Array, runs: int, shuffled: bool) -> float:
    """Share of draws of 50 photographs whose stars are said to be better than chance."""
    views, said = graph_of(features, 0).smoothed(features), 0
    for k in range(runs):
        rng = np.random.default_rng(1000 + k)
        rated = np.sort(rng.permutation(len(stars))[:50])
        given = rng.permutation(stars[rated]) if shuffled else stars[rated]
        said += judge([view[rated] for view in views], given, themes[rated], k).better_than_chance
    return said / runs


def test_shuffled_stars_are_rarely_better_than_chance_and_true_ones_mostly() -> None:
    features, stars, themes = oasis()
    assert _said_better(features, stars["arousal_mean"], themes, 8, shuffled=False) >= 0.7
    assert _said_better(features, stars["arousal_mean"], themes, 8, shuffled=True) <= 0.25


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_shuffled_stars_are_better_than_chance_in_one_run_of_twenty() -> None:
    """5 % of 200 runs is expected; the bound leaves two standard errors."""
    features, stars, themes = oasis()
    assert _said_better(features, stars["valence_mean"], themes, 200, shuffled=True) <= 0.05 + 2 * 0.0154


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("target", ["valence_mean", "arousal_mean"])
def test_fifty_ratings_are_mostly_enough_to_tell_taste_from_chance(target: str) -> None:
    features, stars, themes = oasis()
    assert _said_better(features, stars[target], themes, 100, shuffled=False) >= 0.7


def test_what_rated_photographs_lend_sums_to_the_prediction() -> None:
    vectors, stars, shoots = liked_direction(60, 20, noise=0.3)
    model = train(vectors[:40], stars[:40], shoots[:40], archive=vectors, judged=False)
    points = taste.lent(model.lens, model.centre, model.mean, vectors[:40], stars[:40], vectors[40:])
    assert np.allclose(model.mean + points.sum(axis=1), model.predict(vectors[40:]), atol=1e-4)


def test_a_photograph_like_a_good_one_is_lent_most_by_it() -> None:
    vectors, stars, shoots = liked_direction(40, 20, noise=0.3)
    model = train(vectors, stars, shoots, judged=False)
    best = int(np.argmax(stars))
    near = unit(vectors[[best]] + 0.02 * np.random.default_rng(3).standard_normal(20))
    points = taste.lent(model.lens, model.centre, model.mean, vectors, stars, near)[0]
    assert best in np.argsort(-points)[:3]
    assert points[best] > 0


def test_a_part_of_the_archive_stands_for_it_so_that_the_scores_hardly_change() -> None:
    vectors, stars, shoots = liked_direction(900, 20, noise=0.3)
    one = train(vectors[:60], stars[:60], shoots[:60], archive=vectors[:400], judged=False)
    other = train(vectors[:60], stars[:60], shoots[:60], archive=vectors[400:], judged=False)
    found = taste.rank_correlation(one.predict(vectors), other.predict(vectors))
    assert found is not None
    assert found > 0.95


@pytest.mark.parametrize(("correlation", "ratings"), [(1.0, 8), (0.5, 26), (0.2, 156)])
def test_how_many_ratings_it_takes_to_tell(correlation: float, ratings: int) -> None:
    assert ratings_to_tell(correlation) == ratings


def test_look_alikes_in_two_shoots_are_left_out_together() -> None:
    vectors = unit(np.random.default_rng(0).standard_normal((6, 50)))
    vectors[5] = vectors[0]
    merged = shoots.merged(vectors, np.array([7, 7, 8, 8, 9, 9]), 0.95)
    assert merged.tolist() == [7, 7, 8, 8, 7, 7]


def test_one_shoot_alone_has_no_figure_for_new_shoots() -> None:
    vectors, stars, _ = liked_direction(30, 10, noise=0.1)
    model = train(vectors, stars, np.zeros(30))
    assert judged(model).on_new_shoots is None
    assert judged(model).on_rated_shoots is not None


@pytest.mark.parametrize(("n", "tentative"), [(5, True), (19, True), (20, False)])
def test_few_ratings_are_tentative(n: int, tentative: bool) -> None:
    vectors, stars, shoots = liked_direction(n, 3, noise=0.01)
    model = train(vectors, stars, shoots)
    assert model.tentative is tentative
    assert model.n_ratings == n


def test_fewer_than_five_ratings_are_refused_with_a_sentence() -> None:
    with pytest.raises(PermanentError, match="needs 5 rated photographs, and has 4"):
        train(np.eye(4), np.arange(1, 5), np.arange(4))


def test_constant_ratings_give_everything_the_mean() -> None:
    model = train(np.eye(8), np.full(8, 4.0), np.arange(8))
    assert np.allclose(model.predict(np.eye(8)), 4.0)
    assert judged(model).on_new_shoots is None


def test_one_photograph_again_and_again_gives_everything_the_mean() -> None:
    model = train(np.tile(np.eye(1, 6), (10, 1)), np.arange(10) % 5 + 1, np.arange(10))
    assert np.allclose(model.predict(np.eye(6)), 3.0)


def test_one_rating_of_each_value_is_enough() -> None:
    model = train(np.eye(5, 9), np.arange(1, 6), np.arange(5))
    assert np.isfinite(model.weights).all()
    assert np.argsort(model.predict(np.eye(5, 9))).tolist() == [0, 1, 2, 3, 4]


def test_vectors_that_are_not_finite_are_left_out() -> None:
    vectors, stars, shoots = liked_direction(30, 10, noise=0.1)
    broken = vectors.copy()
    broken[3, 2], broken[7, 0] = np.nan, np.inf
    keep = np.setdiff1d(np.arange(30), [3, 7])
    model = train(broken, stars, shoots)
    assert model.n_ratings == 28
    assert np.array_equal(model.weights, train(vectors[keep], stars[keep], shoots[keep]).weights)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=6, deadline=None)
def test_the_order_of_the_ratings_changes_nothing(seed: int) -> None:
    vectors, stars, shoots = liked_direction(40, 12, noise=0.5)
    vectors[7] = vectors[8]
    order = np.random.default_rng(seed).permutation(40)
    one, other = train(vectors, stars, shoots), train(vectors[order], stars[order], shoots[order])
    assert np.array_equal(one.weights, other.weights)
    assert one.bias == other.bias
    mine, theirs = judged(one), judged(other)
    assert (mine.on_new_shoots, mine.on_rated_shoots, mine.chance, mine.curve) == (
        theirs.on_new_shoots, theirs.on_rated_shoots, theirs.chance, theirs.curve,
    )  # fmt: skip
    assert np.array_equal(mine.left_out[order], theirs.left_out)


@given(
    st.integers(5, 25),
    st.integers(1, 8),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 1e-30, 1e-8, 1.0, 1e8]),
)
@settings(max_examples=60, deadline=None)
def test_whatever_goes_in_what_comes_out_is_finite(n: int, d: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = scale * rng.integers(-1, 2, (n, d)).astype(float)
    model = train(vectors, rng.integers(1, 6, n), rng.integers(0, 4, n))
    assert np.isfinite(model.weights).all()
    assert np.isfinite([model.bias, model.spread_factor]).all()
    fitted = taste.fit(rng.integers(1, 6, n), np.arange(n), vectors, 0)
    assert np.isfinite(fitted.predict(np.arange(n))).all()


def test_training_grows_no_faster_than_the_cube_of_the_ratings() -> None:
    """The figure itself is in `make bench`; this guards against another order of growth."""
    took = {}
    for n in (400, 800):
        vectors, stars, shoots = liked_direction(n, 300, noise=0.5)
        took[n] = min(_seconds(lambda: train(vectors, stars, shoots, judged=False)) for _ in range(2))  # noqa: B023
    assert took[800] < 12 * took[400]


def _seconds(work: Callable[[], object]) -> float:
    """Of the processor: what others do on this machine meanwhile is left out."""
    start = time.process_time()
    work()
    return time.process_time() - start


def test_fit_predicts_better_than_z_scored_ridge_from_few_ratings() -> None:
    features, stars, _ = oasis()
    ours, theirs = [], []
    for k in range(15):
        order = np.random.default_rng(k).permutation(len(features))
        rated, rest = order[:20], order[20:]
        for target in stars.values():
            model = taste.fit(target[rated], rated, features, seed=0)
            ours.append(taste.rank_correlation(model.predict(rest), target[rest]))
            theirs.append(taste.rank_correlation(_z_scored_ridge(features + 0.0, target, rated, rest), target[rest]))
    assert np.mean(ours) > np.mean(theirs) + 0.02


def test_scores_run_from_one_star_to_five() -> None:
    assert score(np.array([0.0, 1.0, 3.0, 3.82, 5.0, 9.0, np.nan])).tolist() == [0, 0, 50, 70, 100, 100, 0]


def test_the_automatic_threshold_shows_the_share_that_is_liked_within_bounds() -> None:
    scores = np.arange(1000) % 101
    for share, shown in ((0.10, 0.10), (0.5, 0.20), (0.0, 0.02)):
        cut = match_threshold_auto(np.bincount(scores, minlength=101), share)
        assert cut is not None
        assert np.mean(scores >= cut) == pytest.approx(shown, abs=0.01)


def by_score(**photographs: int) -> NDArray[np.int64]:
    """(101,) of `_SCORE=HOW_MANY`."""
    counts = np.zeros(101, np.int64)
    for name, many in photographs.items():
        counts[int(name[1:])] = many
    return counts


def test_the_automatic_threshold_takes_no_nearer_cut_that_shows_more_than_one_in_five() -> None:
    assert match_threshold_auto(by_score(_90=5, _80=17, _10=78), 0.2) == 90


def test_the_automatic_threshold_never_empties_match() -> None:
    assert match_threshold_auto(by_score(_40=50), 0.1) == 40
    assert match_threshold_auto(by_score(), 0.1) is None


def test_affinity_is_the_mean_rating_of_a_tag_whatever_its_case() -> None:
    affinity = tag_affinity([(5, ["Sea", "sea", "dog"]), (2, ["SEA"])])
    assert affinity == {"sea": TagAffinity(7, 2), "dog": TagAffinity(5, 1)}
    assert affinity["sea"].mean == 3.5


def test_vibe_leaves_the_photos_own_rating_out() -> None:
    affinity = tag_affinity([(5, ["sea", "dog"]), (2, ["sea"])])
    assert vibe(["Sea", "cat"], affinity) == 62  # 3.5 stars; halves go to the even side
    assert vibe(["sea", "dog"], affinity, own_stars=5) == 25
    assert vibe(["dog"], affinity, own_stars=5) is None
    assert vibe(["cat"], affinity) is None
