"""Pages of views, ordered ids, items, and the lanes."""

from __future__ import annotations

import itertools

import httpx
import pytest

from tests.integration.archive import Archive
from tests.integration.messages import failure, scanned
from web.gallery_query import SORT_COLUMNS, TAB_BITS

pytestmark = pytest.mark.integration


async def _gallery(archive: Archive) -> list[int]:
    """Photographs with ties and gaps in every sort key."""
    root = await archive.root()
    ids = [await archive.ready_photo(root, f"{n % 3}/{n}.jpg") for n in range(9)]
    for n, photo in enumerate(ids):
        await archive.connection.execute(
            """UPDATE gallery SET preference = $2::smallint, rating = $3, captured_at = $4::text::timestamp,
                   focus = $2::smallint,
                   sharpness = $5 WHERE photo_id = $1""",
            photo, [None, 10, 10, 50][n % 4], [None, 3][n % 2], [None, "2024-05-01", "2024-05-01 10:00:00.5"][n % 3],
            n // 4,
        )  # fmt: skip
    return ids


@pytest.mark.parametrize(("key", "sign"), list(itertools.product(SORT_COLUMNS, ["", "-"])))
async def test_pages_give_every_photo_once_and_in_the_order_of_the_ids(
    archive: Archive, client: httpx.AsyncClient, key: str, sign: str
) -> None:
    photos = await _gallery(archive)
    seen: list[int] = []
    cursor = None
    for _ in range(10):
        query = {"sort": sign + key, "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/photos", params=query)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    ordered = (await client.get("/api/photos/ids", params={"sort": sign + key})).json()

    assert sorted(seen) == photos
    assert seen == ordered["ids"]
    assert page["total"] == len(photos)


async def test_photos_without_the_key_come_last_in_both_directions(archive: Archive, client: httpx.AsyncClient) -> None:
    await _gallery(archive)
    for sort in ("preference", "-preference"):
        items = (await client.get("/api/photos", params={"sort": sort})).json()["items"]
        scores = [item["preference_score"] for item in items]
        known = [score for score in scores if score is not None]
        assert scores[len(known) :] == [None] * (len(scores) - len(known))
        assert known == sorted(known, reverse=sort.startswith("-"))


@pytest.mark.parametrize("tab", TAB_BITS)
async def test_every_tab_answers(archive: Archive, client: httpx.AsyncClient, tab: str) -> None:
    await _gallery(archive)

    page = (await client.get("/api/photos", params={"filter": tab})).json()

    assert page["total"] == len(page["items"])
    assert all(tab in item["tabs"] for item in page["items"])


async def test_tab_bits_are_those_of_the_database(archive: Archive) -> None:
    rows = await archive.connection.fetch("SELECT tab, mask FROM tab_bits()")
    assert {row["tab"]: row["mask"] for row in rows} == TAB_BITS


async def test_a_marker_of_another_view_is_refused_with_a_sentence(archive: Archive, client: httpx.AsyncClient) -> None:
    await _gallery(archive)
    cursor = (await client.get("/api/photos", params={"limit": 2, "sort": "name"})).json()["next_cursor"]

    for query in ({"cursor": cursor, "sort": "-name"}, {"cursor": "nonsense"}):
        answer = await client.get("/api/photos", params=query)
        assert answer.status_code == 422
        assert "Load the view from its beginning" in answer.json()["detail"]


async def test_facets_and_search_narrow_a_view(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _gallery(archive)
    folder = str(archive.folder / "library" / "1")

    below = (await client.get("/api/photos", params={"folder": folder})).json()
    named = (await client.get("/api/photos", params={"q": "7.JP"})).json()
    scored = (await client.get("/api/photos", params={"min_preference": 20})).json()

    assert below["total"] == 3
    assert [item["id"] for item in named["items"]] == [photos[7]]
    assert {item["preference_score"] for item in scored["items"]} == {50}


async def test_a_search_is_taken_literally(archive: Archive, client: httpx.AsyncClient) -> None:
    await _gallery(archive)
    for text in ("%", "_", "\\", "'; DROP TABLE photos; --"):
        assert (await client.get("/api/photos", params={"q": text})).json()["total"] == 0


async def test_by_ids_keeps_the_order_and_says_what_the_view_holds(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _gallery(archive)
    await client.put(f"/api/photos/{photos[1]}/decision", json={"rejected": True})

    answer = (await client.post("/api/photos/by-ids", json={"ids": [photos[2], photos[1], 999]})).json()

    assert [item["id"] for item in answer["items"]] == [photos[2], photos[1]]
    assert answer["in_view"] == [photos[2]]


async def test_one_photo_with_all_that_is_known_of_it(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg", exif={"Exif.Image.Model": "<b>M10</b>"}, camera="M10")

    item = (await client.get(f"/api/photos/{photo}")).json()

    assert item["exif"] == {"Exif.Image.Model": "<b>M10</b>"}
    assert (item["filename"], item["camera"], item["status"]) == ("a.jpg", "M10", "ready")
    assert (await client.get("/api/photos/999")).status_code == 404


async def test_a_photo_says_where_it_is_sharp(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    tiles = {"focus_tiles": bytes([0, 128, 255, 3, 4, 5]), "focus_grid": (2, 3), "focus_source": "demosaic"}
    measured = await archive.ready_photo(root, "a.jpg", **tiles)
    unmeasured = await archive.ready_photo(root, "b.jpg")

    item = (await client.get(f"/api/photos/{measured}")).json()
    other = (await client.get(f"/api/photos/{unmeasured}")).json()

    assert item["focus_tiles"] == {"rows": 2, "cols": 3, "values": [0, 128, 255, 3, 4, 5]}
    assert (item["picture_source"], item["focus_source"]) == ("original", "demosaic")
    assert (other["focus_tiles"], other["focus_source"]) == (None, None)


async def test_the_failed_lane_says_why_and_retries_one_and_all(archive: Archive, client: httpx.AsyncClient) -> None:
    row = await archive.start_import(await archive.root())
    photos = (await archive.register(row, scanned("a.jpg"), scanned("b.jpg"))).new
    for photo in photos:
        await archive.apply(failure("convert", photo, "permanent"))
    lane = (await client.get("/api/photos", params={"filter": "failed"})).json()
    assert [item["failure_reason"] for item in lane["items"]] == ["picture.jpg could not be read."] * 2

    one = await client.post(f"/api/photos/{photos[0]}/retry")
    again = await client.post(f"/api/photos/{photos[0]}/retry")
    rest = await client.post("/api/photos/retry-failed")

    assert one.json()["stages"] == ["convert"]
    assert again.status_code == 409
    assert rest.json() == {"retried": 1}
    job = await archive.job("convert", photos[0])
    assert (job["status"], job["attempts"], job["urgent"]) == ("due", 0, True)


async def test_a_discarded_photo_is_hidden_and_its_decisions_stay(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg")
    await client.put(f"/api/photos/{photo}/decision", json={"rating": 5})

    await client.post(f"/api/photos/{photo}/discard")

    assert (await client.get("/api/photos")).json()["total"] == 0
    assert (await client.get(f"/api/photos/{photo}")).status_code == 404
    assert (await archive.decision(photo))["rating"] == 5
    assert (root / "a.jpg").exists()


async def test_the_trash_empties_only_with_the_right_count(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    photos = [await archive.ready_photo(root, f"{n}.jpg") for n in range(3)]
    await client.post("/api/photos/decisions", json={"ids": photos[:2], "rejected": True})
    assert (await client.get("/api/trash")).json() == {"count": 2}

    wrong = await client.post("/api/trash/empty", json={"expected": 1})
    right = await client.post("/api/trash/empty", json={"expected": 2})

    assert (wrong.status_code, wrong.json()["count"]) == (409, 2)
    assert right.json() == {"discarded": 2}
    assert (await client.get("/api/photos")).json()["total"] == 1


async def test_media_serves_derivatives_and_nothing_else(archive: Archive, client: httpx.AsyncClient) -> None:
    from web.derivatives import derivative_path

    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    thumb = derivative_path(archive.settings.derivatives_dir, photo, 1, "thumb")
    thumb.parent.mkdir(parents=True)
    thumb.write_bytes(b"\xff\xd8thumb")

    found = await client.get(f"/media/thumb/{photo}?v=1")
    cached = await client.get(f"/media/thumb/{photo}?v=1", headers={"If-None-Match": found.headers["etag"]})

    assert (found.content, found.headers["content-type"]) == (b"\xff\xd8thumb", "image/jpeg")
    assert "immutable" in found.headers["cache-control"]
    assert found.headers["x-content-type-options"] == "nosniff"
    assert cached.status_code == 304
    for path in (f"/media/preview/{photo}", "/media/original/1", "/media/thumb/..%2f..%2fpassword"):
        assert (await client.get(path)).status_code in (404, 422)
