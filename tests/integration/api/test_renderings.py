"""Native-size renderings and their tiles: asked for, found, served, removed."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.integration.archive import Archive
from tests.integration.messages import converted, result
from web import doctor
from web.derivatives import derivative_path, remove_derivative, tile_path

pytestmark = pytest.mark.integration

NOT_READY = {"ready": False, "url": None, "width": None, "height": None, "tiles": None}


def rendered(archive: Archive, photo: int, size: tuple[int, int], *, generation: int = 1) -> Path:
    """The rendering as convert leaves it, without tiles."""
    path = derivative_path(archive.settings.derivatives_dir, photo, generation, "render")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(path, "JPEG")
    return path


def tiled(archive: Archive, photo: int, *, generation: int = 1) -> Path:
    """One tile of a rendering; returns the folder of all."""
    path = tile_path(archive.settings.derivatives_dir, photo, generation, 5, 16, 12)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xd8tile")
    return path.parent.parent


async def test_a_rendering_is_asked_for_once_and_found_when_it_is_there(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")

    first = await client.post(f"/api/photos/{photo}/render")
    await client.post(f"/api/photos/{photo}/render")
    assert (first.status_code, first.json()) == (202, NOT_READY)
    assert (await archive.job("render", photo))["generation"] == 1

    rendered(archive, photo, (60, 40))
    found = await client.post(f"/api/photos/{photo}/render")
    assert found.status_code == 200
    assert found.json() == {
        "ready": True, "url": f"/media/render/{photo}?v=1", "width": 60, "height": 40, "tiles": None,
    }  # fmt: skip


async def test_the_size_is_that_of_the_rendering_whatever_the_row_says(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    rendered(archive, photo, (20_000, 10_000))  # more than Pillow opens unasked

    answer = (await client.post(f"/api/photos/{photo}/render")).json()

    assert (answer["width"], answer["height"]) == (20_000, 10_000)
    assert ((await client.get(f"/api/photos/{photo}")).json())["width"] == 600


async def test_a_tiled_rendering_says_where_its_tiles_are(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    rendered(archive, photo, (8200, 6200))
    tiled(archive, photo)

    tiles = (await client.post(f"/api/photos/{photo}/render")).json()["tiles"]

    assert tiles == {
        "url": f"/media/tiles/{photo}/{{level}}/{{column}}_{{row}}?v=1",
        "tile_size": 512, "overlap": 0, "min_level": 0, "max_level": 5,
    }  # fmt: skip
    tile = await client.get(tiles["url"].format(level=5, column=16, row=12))
    assert tile.content == b"\xff\xd8tile"


async def test_looking_for_a_rendering_asks_for_none_and_says_why_it_was_given_up(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.tif")
    path = f"/api/photos/{photo}/render"

    unasked = await client.get(path)
    await client.post(path)
    waiting = await client.get(path)
    await archive.connection.execute(
        "UPDATE jobs SET status = 'failed', error = '{\"sentence\": \"a.tif is gone.\"}' WHERE stage = 'render'"
    )
    given_up = await client.get(path)

    assert unasked.status_code == 404
    assert (waiting.status_code, waiting.json()["ready"]) == (202, False)
    assert (given_up.status_code, given_up.json()["detail"]) == (409, "a.tif is gone.")
    assert (await archive.job("render", photo))["status"] == "failed"


async def test_a_rendering_that_was_lost_by_halves_is_made_again(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    rendered(archive, photo, (60, 40)).write_bytes(b"")

    answer = await client.post(f"/api/photos/{photo}/render")

    assert (answer.status_code, answer.json()) == (202, NOT_READY)
    assert (await archive.job("render", photo))["status"] == "due"


async def test_a_tile_is_kept_for_good_by_the_browser(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    tiled(archive, photo)
    address = f"/media/tiles/{photo}/5/16_12?v=1"

    found = await client.get(address)
    cached = await client.get(address, headers={"If-None-Match": found.headers["etag"]})

    assert (found.status_code, found.headers["content-type"]) == (200, "image/jpeg")
    assert "immutable" in found.headers["cache-control"]
    assert found.headers["x-content-type-options"] == "nosniff"
    assert cached.status_code == 304


async def test_a_tile_that_is_not_there_is_a_problem_in_words(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    tiled(archive, photo)
    for place in ("5/17_12?v=1", "6/0_0?v=1", "5/16_12?v=2"):
        answer = await client.get(f"/media/tiles/{photo}/{place}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert answer.json()["detail"].startswith(f"There is no such tile of photograph {photo}.")


async def test_what_is_no_place_of_a_tile_is_refused(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    tiled(archive, photo)
    for place in (
        "5/16_12", "5/16_12?v=-1", "-1/0_0?v=1", "5/a_b?v=1", "5/0?v=1", "5/_?v=1", "5/0_-1?v=1", "x/0_0?v=1",
        "5/..%2f..%2f0_0?v=1", "..%2f5/0_0?v=1", "5/0_0.jpg?v=1", "5/1" + 5000 * "0" + "_0?v=1", "99999999/0_0?v=1",
    ):  # fmt: skip
        answer = await client.get(f"/media/tiles/{photo}/{place}")
        assert answer.status_code in (404, 422), place
        assert answer.headers["content-type"] == "application/problem+json"


async def test_tiles_go_with_a_discarded_photo(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    rendering, tiles = rendered(archive, photo, (60, 40)), tiled(archive, photo)

    await client.post(f"/api/photos/{photo}/discard")

    assert not rendering.exists()
    assert not tiles.exists()
    assert (await client.get(f"/media/tiles/{photo}/5/16_12?v=1")).status_code == 404


async def test_tiles_of_an_older_generation_go_when_the_file_was_read_again(archive: Archive) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    tiles = tiled(archive, photo)
    await archive.connection.execute(
        "UPDATE jobs SET status = 'queued', generation = 2 WHERE stage = 'convert' AND subject_id = $1", photo
    )

    applied = await archive.apply(result("convert", photo, converted("other pixels"), generation=2))
    for path in applied.unlink_after:
        remove_derivative(path)

    assert not tiles.exists()


async def test_the_doctor_finds_tiles_without_a_photo(archive: Archive) -> None:
    await archive.ready_photo(await archive.root(), "a.jpg")
    orphan = tiled(archive, 12345)

    findings = {f.what: f for f in await doctor.examine(archive.connection, archive.settings)}

    assert not findings["orphaned derivatives"].ok
    assert str(orphan) in findings["orphaned derivatives"].say
