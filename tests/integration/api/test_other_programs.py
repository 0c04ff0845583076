"""Other programs over HTTP: consent, writing and reading XMP, and catalogues below a root only."""

from __future__ import annotations

import httpx
import pytest

from tests.domain.catalogue_samples import write_lightroom
from tests.domain.xmp_samples import exiv2_properties
from tests.integration.archive import Archive

pytestmark = pytest.mark.integration


async def test_consent_then_writing_then_reading(client: httpx.AsyncClient, archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.CR2")
    await archive.rate(photo, 4)
    wish = {"ids": [photo], "beside": True, "programs": ["lightroom"]}
    assert (await client.post("/api/xmp/write", json=wish)).json()["without_consent"] == 1
    root_id = (await client.get("/api/xmp/consents")).json()["items"][0]["root_id"]

    given = await client.put("/api/xmp/consents", json={"root_id": root_id, "kind": "sidecar", "given": True})
    written = await client.post("/api/xmp/write", json=wish)
    read = await client.post("/api/xmp/read", json={"ids": [photo]})

    assert given.json()["items"][0]["kinds"] == ["sidecar"]
    assert (written.status_code, written.json()["written"]) == (200, 1)
    assert exiv2_properties(root / "a.xmp")["Xmp.xmp.Rating"] == "4"
    assert (read.json()["same"], read.json()["changed_there"]) == (1, 0)


async def test_wrong_requests_are_refused_with_a_sentence(client: httpx.AsyncClient, archive: Archive) -> None:
    await archive.root()

    nowhere = await client.post("/api/xmp/write", json={"ids": [1]})
    no_root = await client.put("/api/xmp/consents", json={"root_id": 99, "kind": "sidecar", "given": True})
    aside = await client.post("/api/xmp/write", json={"ids": [1], "aside": "/tmp/x"})
    many = await client.post("/api/xmp/read", json={"ids": list(range(1, 1002))})

    assert (nowhere.status_code, no_root.status_code, aside.status_code, many.status_code) == (422, 404, 422, 422)
    assert "Say where to" in nowhere.json()["detail"]


async def test_a_catalogue_is_read_below_a_root_only(client: httpx.AsyncClient, archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.CR2")
    outside = write_lightroom(archive.folder / "c.lrcat", f"{root}/", [("a.CR2", 5.0, 0, False)])
    (root / "link.lrcat").symlink_to(outside)
    inside = root / "mine.lrcat"
    inside.write_bytes(outside.read_bytes())

    for path in (outside, root / "link.lrcat", root / ".." / "c.lrcat", root / "missing" / "c.lrcat"):
        answer = await client.post("/api/catalogues/ratings", json={"path": str(path)})
        assert answer.status_code in {403, 404}, path
    missing = await client.post("/api/catalogues/ratings", json={"path": str(root / "missing.lrcat")})
    counted = await client.post("/api/catalogues/ratings", json={"path": str(inside)})
    taken = await client.post("/api/catalogues/ratings", json={"path": str(inside), "accept": True})

    assert missing.status_code == 422
    assert (counted.json()["fills"], counted.json()["accepted"]) == (1, None)
    assert taken.json()["accepted"] == 1
    assert (await archive.decision(photo))["rating"] == 5


async def test_a_root_is_watched_and_no_longer(client: httpx.AsyncClient, archive: Archive) -> None:
    root = await archive.root()

    given = await client.put("/api/roots/1/watch", json={"watched": True})
    missing = await client.put("/api/roots/99/watch", json={"watched": True})
    listed = await client.get("/api/roots/watched")
    taken = await client.put("/api/roots/1/watch", json={"watched": False})

    assert (given.status_code, missing.status_code) == (200, 404)
    assert [item["path"] for item in listed.json()["items"]] == [str(root)]
    assert taken.json()["items"] == []
