"""Words that tell what a taste goes by; with what they leave they add up."""

from __future__ import annotations

import numpy as np
import pytest

from domain import taste_words

DIM, RATED = 32, 60


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def units(rng: np.random.Generator, n: int) -> np.ndarray:
    rows = rng.standard_normal((n, DIM))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_what_the_points_were_made_of_is_found_in_that_order(rng: np.random.Generator) -> None:
    words, rated, neutral = units(rng, 50), units(rng, RATED), np.zeros(DIM)
    points = 30 * rated @ words[7] - 15 * rated @ words[3] + rng.normal(0, 0.2, RATED)

    told = taste_words.told_by(words, neutral, rated, points)

    assert told.chosen[:2] == (7, 3)
    assert told.factors[0] == pytest.approx(30, rel=0.15)
    assert told.factors[1] == pytest.approx(-15, rel=0.25)


def test_what_all_texts_share_does_not_count(rng: np.random.Generator) -> None:
    """In an encoder's space texts lie far from pictures, all to the same side."""
    words, rated, neutral = units(rng, 50), units(rng, RATED), 20 * units(rng, 1)[0]
    points = rated @ words[7]

    told = taste_words.told_by(words + neutral, neutral, rated, points)

    assert told.chosen[0] == 7


def test_two_words_for_the_same_do_not_cancel_each_other(rng: np.random.Generator) -> None:
    words, rated = units(rng, 50), units(rng, RATED)
    words[8] = words[7] + 1e-4 * units(rng, 1)[0]
    points = 10 * rated @ words[7] + rng.normal(0, 0.5, RATED)

    told = taste_words.told_by(words, np.zeros(DIM), rated, points)

    assert not {7, 8} <= set(told.chosen)
    assert np.abs(told.factors).max() < 20


def test_points_that_no_word_tells_are_left_without_words(rng: np.random.Generator) -> None:
    words, rated = units(rng, 3), units(rng, 2000)
    elsewhere = units(rng, 1)[0]
    elsewhere -= words.T @ np.linalg.lstsq(words.T, elsewhere, rcond=None)[0]

    assert taste_words.told_by(words, np.zeros(DIM), rated, rated @ elsewhere).chosen == ()
    assert taste_words.told_by(words, np.zeros(DIM), rated, np.zeros(2000)).chosen == ()


def test_a_photo_s_points_are_those_that_were_fitted(rng: np.random.Generator) -> None:
    words, rated = units(rng, 50), units(rng, RATED)
    points = 30 * rated @ words[7]
    told = taste_words.told_by(words, np.zeros(DIM), rated, points)

    fitted = np.array([told.points(vector).sum() for vector in rated])

    assert fitted == pytest.approx(points - points.mean(), abs=0.5)


def test_the_vocabulary_has_no_word_twice_and_reads_as_a_sentence() -> None:
    assert len(set(taste_words.VOCABULARY)) == len(taste_words.VOCABULARY)
    assert taste_words.prompt("a dog") == "a photograph of a dog"
    assert taste_words.prompt("high contrast") == "a photograph, high contrast"
