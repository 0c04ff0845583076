"""Levels and names of tiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.tiling import TILED_ABOVE, is_tiled, max_level, tile_name, tiles_folder


@pytest.mark.parametrize(
    ("size", "level"), [((1, 1), 0), ((512, 512), 0), ((513, 2), 1), ((3, 1024), 1), ((1025, 1), 2), ((8200, 6200), 5)]
)
def test_levels_are_counted_from_the_one_that_fits_into_a_tile(size: tuple[int, int], level: int) -> None:
    assert max_level(*size) == level


def test_only_what_is_too_large_for_a_browser_is_tiled() -> None:
    assert not is_tiled(TILED_ABOVE, 1)
    assert is_tiled(TILED_ABOVE + 1, 1)


def test_tiles_lie_beside_their_rendering() -> None:
    assert tiles_folder(Path("/d/000000/5-1.render.jpg")) == Path("/d/000000/5-1.render.tiles")
    assert tile_name(5, 16, 12) == "5/16_12.jpg"
