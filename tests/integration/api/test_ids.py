"""The ids of a whole view, in order: as JSON, and as bytes for a page that holds a large archive."""

from __future__ import annotations

import httpx
import numpy as np
import pytest

from tests.integration.archive import Archive

pytestmark = pytest.mark.integration

AS_BYTES = {"Accept": "application/octet-stream"}


async def _photos(archive: Archive, n: int = 4) -> list[int]:
    root = await archive.root()
    return [await archive.ready_photo(root, f"{i}.jpg") for i in range(n)]


@pytest.mark.parametrize("sort", ["name", "-name", "newest", "-preference"])
async def test_the_bytes_are_the_ids_of_the_json_form(archive: Archive, client: httpx.AsyncClient, sort: str) -> None:
    await _photos(archive)

    listed = await client.get("/api/photos/ids", params={"sort": sort})
    packed = await client.get("/api/photos/ids", params={"sort": sort}, headers=AS_BYTES)

    assert np.frombuffer(packed.content, "<u4").tolist() == listed.json()["ids"]
    assert listed.headers["content-type"] == "application/json"
    assert packed.headers["content-type"] == "application/octet-stream"
    assert (packed.headers["x-total"], packed.headers["x-id-bytes"]) == ("4", "4")
    assert packed.headers["x-sort"] == listed.json()["sort"] == sort
    assert "accept" in packed.headers["vary"].lower()


async def test_the_order_in_force_is_named_where_none_was_asked_for(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    await _photos(archive, 1)

    assert (await client.get("/api/photos/ids", headers=AS_BYTES)).headers["x-sort"] == "-captured"
    assert (await client.get("/api/photos/ids")).json()["sort"] == "-captured"


async def test_an_empty_view_is_no_bytes(archive: Archive, client: httpx.AsyncClient) -> None:
    packed = await client.get("/api/photos/ids", headers=AS_BYTES)

    assert (packed.status_code, packed.content, packed.headers["x-total"]) == (200, b"", "0")
    assert (await client.get("/api/photos/ids")).json() == {"ids": [], "total": 0, "sort": "-captured", "note": None}


@pytest.mark.parametrize(("largest", "size"), [(2**32 - 1, 4), (2**32, 8)])
async def test_ids_that_need_more_than_four_bytes_get_eight(
    archive: Archive, client: httpx.AsyncClient, largest: int, size: int
) -> None:
    await archive.connection.execute(f"ALTER TABLE photos ALTER COLUMN id RESTART WITH {largest}")
    await _photos(archive, 1)

    packed = await client.get("/api/photos/ids", headers=AS_BYTES)

    assert packed.headers["x-id-bytes"] == str(size)
    assert np.frombuffer(packed.content, f"<u{size}").tolist() == [largest]


async def test_a_view_that_is_none_is_refused_in_words(client: httpx.AsyncClient) -> None:
    refused = await client.get("/api/photos/ids", params={"sort": "size"}, headers=AS_BYTES)

    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
