"""The tile pyramid of a rendering that is too large for a browser."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from domain.imaging.conversion import Rendering, render
from domain.imaging.tiles import write_tiles
from domain.tiling import TILE_SIZE, max_level
from tests.domain.imaging.pictures import CAP, exif, grey_scene, read, rms, scene, stored_as

WIDTH, HEIGHT = 8200, 6200
NATIVE = 5


def level_size(tiles: Path, level: int) -> tuple[int, int]:
    """Width and height of a level, by its tiles; each must be whole except at the right and the lower edge."""
    sizes = {}
    for path in (tiles / str(level)).iterdir():
        column, _, row = path.stem.partition("_")
        sizes[int(column), int(row)] = read(path).size
    columns, rows = (1 + max(places) for places in zip(*sizes, strict=True))
    assert len(sizes) == columns * rows
    for (column, row), (width, height) in sizes.items():
        assert width == TILE_SIZE or column == columns - 1
        assert height == TILE_SIZE or row == rows - 1
    return sum(sizes[c, 0][0] for c in range(columns)), sum(sizes[0, r][1] for r in range(rows))


@pytest.fixture(scope="module")
def large() -> Image.Image:
    """50.8 megapixels in grey, upright, different in each corner."""
    return Image.fromarray(grey_scene(205, 155)).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)


@pytest.fixture(scope="module")
def rendered(large: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rendering, Path]:
    """What is said of the rendering of a scan that lies on its side, and the folder that it was written to."""
    folder = tmp_path_factory.mktemp("rendered")
    original = folder / "scan.tif"
    stored_as(large, 6).save(original, exif=exif(6))
    out = folder / "out"
    return render(original, render_path=out / "5-1.render.jpg", pixel_cap=CAP), out


def test_a_large_rendering_has_tiles_of_every_level(rendered: tuple[Rendering, Path]) -> None:
    said, out = rendered
    tiles = out / "5-1.render.tiles"
    assert said == Rendering(WIDTH, HEIGHT, tiled=True)
    assert {path.name for path in tiles.iterdir()} == {str(level) for level in range(NATIVE + 1)}
    for level in range(NATIVE + 1):
        scale = 2 ** (NATIVE - level)
        assert level_size(tiles, level) == (math.ceil(WIDTH / scale), math.ceil(HEIGHT / scale))


def test_native_tiles_are_the_rendering(rendered: tuple[Rendering, Path]) -> None:
    _, out = rendered
    with Image.open(out / "5-1.render.jpg") as rendering:
        assert rendering.size == (WIDTH, HEIGHT)
        for column, row in ((0, 0), (7, 5), (16, 12)):
            left, top = column * TILE_SIZE, row * TILE_SIZE
            tile = read(out / "5-1.render.tiles" / str(NATIVE) / f"{column}_{row}.jpg")
            assert tile.mode == "L"
            assert rms(tile, rendering.crop((left, top, left + tile.width, top + tile.height))) < 1


def test_tiles_are_upright(rendered: tuple[Rendering, Path], large: Image.Image) -> None:
    _, out = rendered
    whole = read(out / "5-1.render.tiles" / "0" / "0_0.jpg")
    assert rms(whole, large.resize(whole.size, Image.Resampling.BOX)) < 2


def test_nothing_is_left_beside_the_rendering_and_its_tiles(rendered: tuple[Rendering, Path]) -> None:
    _, out = rendered
    assert {path.name for path in out.iterdir()} == {"5-1.render.jpg", "5-1.render.tiles"}


def test_a_rendering_that_a_browser_can_hold_has_no_tiles_nor_keeps_earlier_ones(tmp_path: Path) -> None:
    Image.fromarray(scene(1200, 800)).save(tmp_path / "a.png")
    (tmp_path / "out" / "r.tiles" / "0").mkdir(parents=True)

    said = render(tmp_path / "a.png", render_path=tmp_path / "out" / "r.jpg", pixel_cap=CAP)

    assert said == Rendering(1200, 800, tiled=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["r.jpg"]


@pytest.mark.parametrize("size", [(512, 512), (513, 300), (1024, 1024), (1025, 1537), (8192, 3), (1, 4097)])
def test_levels_are_as_many_as_they_are_said_to_be(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(90, 160, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "r.jpg", quality=90)

    write_tiles(tmp_path / "r.jpg", tmp_path / "r.tiles", 90)

    assert sorted(int(path.name) for path in (tmp_path / "r.tiles").iterdir()) == list(range(max_level(*size) + 1))
    assert level_size(tmp_path / "r.tiles", max_level(*size)) == size


def test_tiles_are_coded_as_well_as_their_rendering(tmp_path: Path) -> None:
    Image.fromarray(scene(600, 600)).save(tmp_path / "r.jpg", quality=90)
    write_tiles(tmp_path / "r.jpg", tmp_path / "r.tiles", 90)

    with Image.open(tmp_path / "r.jpg") as rendering, Image.open(tmp_path / "r.tiles" / "1" / "0_0.jpg") as tile:
        assert tile.quantization == rendering.quantization
        assert rms(tile, rendering.crop((0, 0, 512, 512))) < 1


def test_earlier_tiles_are_replaced_as_a_whole(tmp_path: Path) -> None:
    Image.fromarray(scene(600, 600)).save(tmp_path / "r.jpg")
    (tmp_path / "r.tiles" / "9").mkdir(parents=True)
    (tmp_path / "r.tiles" / "9" / "0_0.jpg").write_bytes(b"earlier")

    write_tiles(tmp_path / "r.jpg", tmp_path / "r.tiles", 90)

    assert {path.name for path in (tmp_path / "r.tiles").iterdir()} == {"0", "1"}
    assert {path.name for path in tmp_path.iterdir()} == {"r.jpg", "r.tiles"}


def test_tiles_that_cannot_be_made_leave_nothing_and_take_nothing(tmp_path: Path) -> None:
    (tmp_path / "r.jpg").write_bytes(b"no picture")
    (tmp_path / "r.tiles" / "0").mkdir(parents=True)

    with pytest.raises(Exception, match="jpeg"):
        write_tiles(tmp_path / "r.jpg", tmp_path / "r.tiles", 90)

    assert {path.name for path in tmp_path.iterdir()} == {"r.jpg", "r.tiles"}
    assert (tmp_path / "r.tiles" / "0").is_dir()
