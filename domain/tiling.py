"""Which renderings are cut into tiles, and how: a Deep Zoom pyramid, each level half as wide and high as the next.

Imports no decoder: the web room addresses by it what the imaging domain wrote.
"""

from __future__ import annotations

from pathlib import Path

TILED_ABOVE = 50_000_000
"""Pixels. A browser holds a picture of this size as some 200 MB; above it, zooming should load what is seen only."""
TILE_SIZE = 512
OVERLAP = 0


def is_tiled(width: int, height: int) -> bool:
    return width * height > TILED_ABOVE


def max_level(width: int, height: int) -> int:
    """The level of native size. Level 0 is the largest that fits into one tile; sizes of levels are rounded up."""
    tiles_along = -(-max(width, height) // TILE_SIZE)
    return (tiles_along - 1).bit_length()


def tiles_folder(rendering: Path) -> Path:
    """Where the tiles of a rendering lie: beside it, `.tiles` instead of `.jpg`."""
    return rendering.with_suffix(".tiles")


def tile_name(level: int, column: int, row: int) -> str:
    """The path of a tile below its folder, `/`-separated."""
    return f"{level}/{column}_{row}.jpg"
