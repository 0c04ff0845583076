"""Baseline quality against the formulas of BEHAVIOUR.md, section 2, written out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from domain.quality import baseline_quality, exposure_score, laplacian_variance

SIZES = st.tuples(st.integers(3, 24), st.integers(3, 24))


def plain_variance(grey: NDArray[np.uint8]) -> float:
    g = grey.tolist()
    values = [
        4 * g[y][x] - g[y - 1][x] - g[y + 1][x] - g[y][x - 1] - g[y][x + 1]
        for y in range(1, len(g) - 1)
        for x in range(1, len(g[0]) - 1)
    ]
    mean = sum(values) / len(values)
    return sum((v - mean) ** 2 for v in values) / len(values)


@given(SIZES, st.integers(0, 2**32 - 1), st.integers(1, 256))
def test_the_variance_of_the_laplacian(size: tuple[int, int], seed: int, levels: int) -> None:
    grey = np.random.default_rng(seed).integers(0, levels, size, dtype=np.uint8)

    assert laplacian_variance(grey) == pytest.approx(plain_variance(grey), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("size", [(1, 1024), (2, 1024), (1024, 1), (1, 1)])
def test_a_strip_without_interior_is_not_sharp(size: tuple[int, int]) -> None:
    found = baseline_quality(np.full(size, 128, np.uint8))

    assert (found.sharpness, found.exposure) == (0, 100)


def of_clipped(dark: int, bright: int, total: int = 10_000) -> NDArray[np.uint8]:
    flat = np.full(total, 128, np.uint8)
    flat[:dark], flat[dark : dark + bright] = 5, 250
    return flat.reshape(100, -1)


@pytest.mark.parametrize(
    ("dark", "bright", "score"),
    [(0, 0, 100), (50, 0, 100), (25, 25, 100), (275, 0, 50), (100, 175, 50), (500, 0, 0), (0, 5000, 0), (95, 0, 90)],
)
def test_exposure_falls_from_half_a_percent_clipped_to_five(dark: int, bright: int, score: int) -> None:
    assert exposure_score(of_clipped(dark, bright)) == pytest.approx(score)


def test_6_and_249_are_not_clipped() -> None:
    assert exposure_score(np.array([[6, 249]] * 50, np.uint8)) == 100


def test_a_flat_frame_is_well_exposed_and_not_sharp() -> None:
    found = baseline_quality(np.full((50, 50), 128, np.uint8))

    assert (found.sharpness, found.exposure, found.technical) == (0, 100, 30)


def test_sharpness_ends_at_300() -> None:
    rng = np.random.default_rng(0)
    for deviation in (1.0, 2.0, 3.0, 5.0):
        grey = np.rint(128 + deviation * rng.standard_normal((300, 300))).astype(np.uint8)
        found = baseline_quality(grey)
        assert found.sharpness == round(min(plain_variance(grey) / 300, 1) * 100)
        assert found.technical == round(0.7 * found.sharpness + 0.3 * found.exposure)
    assert found.sharpness == 100
