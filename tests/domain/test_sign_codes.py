"""Sign codes: what the bits mean, and that a scan finds what a loop over every bit finds."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.sign_codes import SignCodes, code_of, nearest, to_words

DIM = 100


def _vectors(n: int, seed: int = 0) -> NDArray[np.float16]:
    return np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float16)


def _codes(vectors: NDArray[np.float16]) -> SignCodes:
    mean = vectors.mean(axis=0).astype(np.float16)
    codes = np.stack([code_of(vector, mean) for vector in vectors])
    return SignCodes(np.arange(10, 10 + 2 * len(vectors), 2), to_words(codes), mean)


@pytest.mark.parametrize("n", [1, 7, 40_000])
def test_the_distance_is_the_number_of_signs_that_differ(n: int) -> None:
    vectors, asked = _vectors(n), _vectors(1, 5)[0]
    codes = _codes(vectors)

    counted = ((vectors - codes.mean > 0) != (asked - codes.mean > 0)).sum(axis=1)

    np.testing.assert_array_equal(codes.distances(asked), counted)


def test_a_vector_lies_at_no_distance_from_itself() -> None:
    vectors = _vectors(50)
    codes = _codes(vectors)

    assert all(codes.distances(vector)[place] == 0 for place, vector in enumerate(vectors))


def test_the_nearest_are_all_within_one_distance_and_in_order() -> None:
    apart = np.array([5, 3, 3, 9, 0, 3, 7], np.uint16)

    assert nearest(apart, 2).tolist() == [4, 1, 2, 5]
    assert nearest(apart, 1).tolist() == [4]
    assert sorted(nearest(apart, 100).tolist()) == list(range(7))
    assert nearest(apart[:0], 3).tolist() == []


def test_places_leave_out_what_has_no_code() -> None:
    codes = _codes(_vectors(3))  # photos 10, 12, 14

    assert codes.places(np.array([14, 9, 11, 10, 99])).tolist() == [2, 0]
    assert codes.places(np.array([], np.int64)).tolist() == []
