"""Samples of any depth to bytes: rounded to the nearest, whichever way they are computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.imaging.samples import Layout, band_of, over_white, to_bytes


@pytest.mark.parametrize("bits", range(1, 17))
def test_every_integer_is_rounded_to_the_nearest(bits: int) -> None:
    top = (1 << bits) - 1
    values = np.arange(top + 1, dtype=np.uint16 if bits > 8 else np.uint8)

    found = to_bytes(values[None], Layout("grey", bits))[0]

    assert found.dtype == np.uint8
    assert np.abs(found - values * (255 / top)).max() <= 0.5 + 1e-9
    assert (found[0], found[-1]) == (0, 255)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
def test_32_bit_integers(values: list[int]) -> None:
    found = to_bytes(np.array([values], np.uint32), Layout("grey", 32))[0]

    assert found.tolist() == [(v * 255 * 2 + (2**32 - 1)) // (2 * (2**32 - 1)) for v in values]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=50))
def test_floats_are_clipped_and_never_fail(values: list[float]) -> None:
    found = to_bytes(np.array([values], np.float32), Layout("grey"))[0]

    inside = np.clip(np.nan_to_num(np.array(values, np.float64), nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    assert np.abs(found - inside * 255).max() <= 0.5 + 1e-4


def test_signed_integers_begin_at_their_lowest() -> None:
    found = to_bytes(np.array([[-32768, 0, 32767]], np.int16), Layout("grey", 16))

    assert found.tolist() == [[0, 128, 255]]


@given(st.integers(0, 255), st.integers(0, 255), st.booleans())
def test_alpha_over_white(value: int, opacity: int, premultiplied: bool) -> None:
    value = min(value, opacity) if premultiplied else value
    layout = Layout("grey", alpha=1, premultiplied=premultiplied)

    [[[shown]]] = over_white(np.full((1, 1, 1), value, np.uint8), np.full((1, 1, 1), opacity, np.uint8), layout)

    colour = value if premultiplied else value * opacity / 255
    assert abs(int(shown) - (colour + 255 - opacity)) <= 0.5


def test_bands_are_pictures_of_their_kind() -> None:
    samples = np.zeros((4, 6, 5), np.uint16)

    assert [band_of(samples, Layout(kind, 16)).mode for kind in ("grey", "rgb", "cmyk")] == ["L", "RGB", "CMYK"]
    assert band_of(samples, Layout("rgb", 16)).size == (6, 4)
