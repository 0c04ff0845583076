"""Sizes and turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from domain.imaging.picture import Want
from domain.imaging.scale import BandSink, fitted, scaled, upright
from tests.domain.imaging.pictures import ORIENTATIONS, rms, scene, stored_as

EDGES = st.integers(1, 60_000)


@given(EDGES, EDGES, st.sampled_from([400, 1440]))
def test_a_fitted_size_keeps_its_shape(width: int, height: int, edge: int) -> None:
    found = fitted(width, height, edge)

    assert max(found) == min(edge, max(width, height)) and min(found) >= 1
    factor = max(found) / max(width, height)
    assert abs(found[0] - width * factor) <= 0.5 + 1e-6 or found[0] == 1
    assert abs(found[1] - height * factor) <= 0.5 + 1e-6 or found[1] == 1


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_turn_undoes_what_the_camera_stored(orientation: int) -> None:
    picture = Image.fromarray(scene())

    assert np.array_equal(upright(stored_as(picture, orientation), orientation), picture)


@pytest.mark.parametrize("size", [(1800, 1200), (1799, 1201), (2761, 1841)])
@pytest.mark.parametrize("rows", [60, 1000])
def test_bands_give_the_picture_that_the_whole_gives(size: tuple[int, int], rows: int) -> None:
    whole = Image.fromarray(scene(*size))
    sink = BandSink(*size, "RGB", Want(10**9, 200))
    assert sink.step > 1
    band = rows - rows % sink.step
    for top in range(0, size[1], band):
        sink.add(whole.crop((0, top, size[0], min(top + band, size[1]))))

    shown = scaled(sink.picture(b""), 200)

    assert shown.size == fitted(*size, 200)
    assert rms(shown, whole.resize(shown.size, Image.Resampling.LANCZOS)) < 1
