from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain import bursts
from domain.bursts import KEEPER, NO_TIME, OTHER, TABLE, TIE, detect

Array = NDArray[Any]
SECOND = 1_000_000


def table(at_s: list[float], body: int = 1, focus: list[float] | None = None, noise: float = 0.0) -> Array:
    rows = np.zeros(len(at_s), TABLE)
    rows["photo_id"] = np.arange(len(at_s)) + 100
    rows["at_us"] = (np.array(at_s) * SECOND).astype(np.int64)
    rows["body"] = body
    rows["focus"] = np.arange(len(at_s)) if focus is None else focus
    rows["focus_noise"] = noise
    return rows


def at_angles(*degrees: float) -> Array:
    """Unit vectors in a plane: the cosine of two is that of the angle between them."""
    radians = np.deg2rad(degrees)
    return np.column_stack([np.cos(radians), np.sin(radians)]).astype(np.float16)


def groups_of(found: Array) -> list[list[int]]:
    return [found[found[:, 1] == g, 0].tolist() for g in np.unique(found[:, 1])]


def test_look_alikes_seconds_apart_are_a_burst() -> None:
    found = detect(table([0, 1, 2, 30]), at_angles(0, 2, 3, 3), 0.95, 5)
    assert groups_of(found) == [[100, 101, 102]]


def test_another_scene_a_second_later_is_no_burst() -> None:
    assert len(detect(table([0, 1]), at_angles(0, 60), 0.95, 5)) == 0


def test_two_bodies_at_one_moment_are_no_burst() -> None:
    rows = table([0, 0.5])
    rows["body"] = [1, 2]
    assert len(detect(rows, at_angles(0, 0), 0.95, 5)) == 0


def test_missing_times_link_nothing() -> None:
    rows = table([0, 0, 0, 0])
    rows["at_us"][:3] = NO_TIME
    assert len(detect(rows, at_angles(0, 0, 0, 0), 0.95, 5)) == 0


def test_a_chain_whose_ends_are_unrelated_is_not_one_burst() -> None:
    """Each frame is like the next, the first is not like the last."""
    angles = [8.0 * i for i in range(12)]
    vectors = at_angles(*angles)
    found = detect(table(list(np.arange(12.0))), vectors, 0.95, 5)
    assert len(groups_of(found)) > 1
    assert_medoid_holds(found, vectors, 0.95)


def assert_medoid_holds(found: Array, vectors: Array, threshold: float) -> None:
    for group in groups_of(found):
        members = vectors[np.array(group) - 100].astype(np.float32)
        members /= np.linalg.norm(members, axis=1, keepdims=True)
        similar = members @ members.T
        medoid = similar.sum(axis=1).argmax()
        assert (similar[medoid] >= threshold - 1e-6).all()


def test_two_subjects_in_turn_are_two_bursts() -> None:
    found = detect(table([0, 1, 2, 3, 4, 5]), at_angles(0, 70, 1, 71, 0, 70), 0.95, 5)
    assert groups_of(found) == [[100, 102, 104], [101, 103, 105]]


def test_a_time_lapse_is_cut_to_bounded_groups() -> None:
    found = detect(table(list(np.arange(0, 600, 4.0))), at_angles(*[0.0] * 150), 0.95, 5)
    sizes = [len(g) for g in groups_of(found)]
    assert max(sizes) * 4 <= bursts.LONGEST_S + 4
    assert sum(sizes) == 150


def test_members_without_a_pause_longer_than_the_gap() -> None:
    """The frame in between belongs elsewhere, so the outer two are seven seconds apart."""
    assert len(detect(table([0, 4, 7]), at_angles(0, 80, 0), 0.95, 5)) == 0


def test_the_sharpest_is_kept_and_unknown_focus_comes_last() -> None:
    found = detect(table([0, 1, 2], focus=[np.nan, 4.0, 9.0], noise=1.0), at_angles(0, 0, 0), 0.95, 5)
    assert found[:, 2].tolist() == [OTHER, OTHER, KEEPER]


def test_frames_within_measurement_noise_tie_and_nobody_is_kept() -> None:
    found = detect(table([0, 1, 2], focus=[8.5, 4.0, 9.0], noise=1.0), at_angles(0, 0, 0), 0.95, 5)
    assert found[:, 2].tolist() == [TIE, OTHER, TIE]


def test_the_frames_of_a_burst_tell_together_how_noisy_they_are() -> None:
    """One that says too much, or too little, does not decide."""
    rows = table([0, 1, 2, 3], focus=[9.0, 8.8, 8.0, 7.0])
    for says, picks in [
        ([2.0, 0.1, 0.1, 0.1], [KEEPER, OTHER, OTHER, OTHER]),
        ([0.0, 0.5, 0.5, 0.5], [TIE, TIE, 0, 0]),
    ]:
        rows["focus_noise"] = says
        assert detect(rows, at_angles(0, 0, 0, 0), 0.95, 5)[:, 2].tolist() == picks


def test_the_noise_of_a_burst_is_the_median_of_what_its_frames_say() -> None:
    rng = np.random.default_rng(0)
    sizes = [2, 3, 4, 5, 1, 6]
    number, first = np.repeat(np.arange(6), sizes), np.r_[0, np.cumsum(sizes)[:-1]]
    values = rng.uniform(0, 1, number.size)
    values[[1, 2, 8, 14]] = np.nan  # 14: all of a group

    found = bursts._medians(values, first, number)

    expected = [np.nanmedian(values[number == g]) if np.isfinite(values[number == g]).any() else 0 for g in range(6)]
    np.testing.assert_allclose(found, expected)


def test_unknown_focus_everywhere_is_a_tie() -> None:
    found = detect(table([0, 1], focus=[np.nan, np.nan]), at_angles(0, 0), 0.95, 5)
    assert found[:, 2].tolist() == [TIE, TIE]


def test_one_known_focus_is_the_keeper() -> None:
    found = detect(table([0, 1], focus=[np.nan, 0.1]), at_angles(0, 0), 0.95, 5)
    assert found[:, 2].tolist() == [OTHER, KEEPER]


def test_a_table_without_noise_ties_only_equals() -> None:
    rows = table([0, 1, 10, 11], focus=[1.0, 1.0, 1.0, 1.1])[["photo_id", "at_us", "body", "focus"]]
    found = detect(rows, at_angles(0, 0, 0, 0), 0.95, 5)
    assert found[:, 2].tolist() == [TIE, TIE, OTHER, KEEPER]


def test_vectors_that_are_zero_or_not_finite_are_like_nothing() -> None:
    vectors = np.array([[1, 0], [0, 0], [np.nan, 1], [1, 0]], np.float16)
    assert groups_of(detect(table([0, 1, 2, 3]), vectors, 0.95, 5)) == [[100, 103]]


def test_empty_and_single_tables_have_no_bursts() -> None:
    assert detect(table([]), np.empty((0, 2)), 0.95, 5).shape == (0, 3)
    assert detect(table([1.0]), at_angles(0), 0.95, 5).shape == (0, 3)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
@settings(max_examples=60, deadline=None)
def test_any_archive_gives_disjoint_groups_that_hold_and_in_any_order(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    rows = table(list(np.cumsum(rng.choice([0.0, 0.3, 4.0, 9.0], n))))
    rows["body"] = rng.integers(0, 2, n)
    vectors = at_angles(*np.cumsum(rng.choice([0.0, 6.0, 15.0], n)))
    found = detect(rows, vectors, 0.95, 5)
    assert len(np.unique(found[:, 0])) == len(found)
    assert_medoid_holds(found, vectors, 0.95)
    for group in groups_of(found):
        at = np.sort(rows["at_us"][np.array(group) - 100])
        assert (np.diff(at) <= 5 * SECOND).all()
        assert at[-1] - at[0] <= bursts.LONGEST_S * SECOND
        assert len(set(rows["body"][np.array(group) - 100])) == 1
    shuffled = rng.permutation(n)
    again = detect(rows[shuffled], vectors[shuffled], 0.95, 5)
    assert np.array_equal(again, found)


def made_archive(n: int, d: int, pause_s: float) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    scene = np.repeat(np.arange(n), rng.integers(1, 8, n))[:n]
    vectors = rng.standard_normal((n, d)).astype(np.float32)[scene] + 0.12 * rng.standard_normal((n, d), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return table(list(np.cumsum(np.where(np.diff(scene, prepend=-1) > 0, pause_s, 0.3)))), vectors.astype(np.float16)


@pytest.mark.parametrize("pause_s", [30.0, 1.0])
def test_work_grows_with_the_archive_not_with_its_square(pause_s: float, tmp_path: Path) -> None:
    """20,000 frames, resting between scenes or without any pause, from a memory map."""
    rows, vectors = made_archive(20_000, 256, pause_s)
    np.save(tmp_path / "features.npy", vectors)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    start = time.process_time()
    found = detect(rows, mapped, 0.95, 5)
    assert time.process_time() - start < 10
    assert len(found) > 15_000
