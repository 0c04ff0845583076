"""Copies and versions: what is found, listed, rated together, split, kept and rejected, and taken back."""

from __future__ import annotations

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.integration.archive import Archive
from tests.integration.messages import embedded, result
from web import imports, version_search
from web.decisions import Change, apply_decisions
from web.relay.matrices import burst_matrices

pytestmark = pytest.mark.integration

SHOT = datetime(2023, 5, 6, 7, 8, 9)


async def _stack(archive: Archive, root: Path) -> dict[str, int]:
    """A frame, its edit and its export; another frame of the same second; one that stands alone."""
    shot = {"captured_at": SHOT, "captured_source": "DateTimeOriginal", "camera": "Leica"}
    files = {"IMG_1.jpg": shot, "IMG_1-Edit.tif": shot, "IMG_1 copy.jpg": {}, "IMG_2.jpg": shot, "alone.jpg": {}}
    ids = {
        name: await archive.ready_photo(root, f"trip/{name}", phash=0x0123_4567_89AB_CDEF * (n + 3) % 2**62, **facts)
        for n, (name, facts) in enumerate(files.items())
    }
    await version_search.request(archive.connection)
    assert await version_search.search_if_wanted(archive.connection)
    return ids


async def _copies(archive: Archive, root: Path, n: int = 3) -> list[int]:
    return [await archive.ready_photo(root, f"{i}/same.jpg", "pixels") for i in range(n)]


async def _listed(client: httpx.AsyncClient, **asked: object) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get("/api/duplicates", params=asked)).json()["items"]  # type: ignore[arg-type]
    return items


async def _ratings(archive: Archive, ids: dict[str, int]) -> list[int | None]:
    return [(await archive.gallery(i))["rating"] for i in ids.values()]


async def test_versions_are_stacked_with_the_finished_picture_in_front(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    ids = await _stack(archive, await archive.root())

    [stack] = await _listed(client)

    assert stack["kind"] == "versions"
    assert [p["filename"] for p in stack["photos"]] == ["IMG_1-Edit.tif", "IMG_1 copy.jpg", "IMG_1.jpg"]
    front = ids["IMG_1-Edit.tif"]
    assert {(p["stack_front"], p["versions"]) for p in stack["photos"]} == {(front, 3)}
    assert (await client.get("/api/duplicates")).json()["totals"] == {
        "copies": 0, "rejectable": 0, "stacks": 1, "stacked": 3
    }  # fmt: skip


async def test_the_wall_hides_versions_behind_the_front_when_asked(archive: Archive, client: httpx.AsyncClient) -> None:
    ids = await _stack(archive, await archive.root())
    front = ids["IMG_1-Edit.tif"]

    every = (await client.get("/api/photos?sort=name")).json()
    fronts = (await client.get("/api/photos?sort=name&versions=front")).json()
    stack = (await client.get(f"/api/photos/ids?sort=name&stack={front}")).json()

    assert every["total"] == 5
    assert ([p["filename"] for p in fronts["items"]], fronts["total"]) == (
        ["alone.jpg", "IMG_1-Edit.tif", "IMG_2.jpg"],
        3,
    )
    assert stack["ids"] == [ids["IMG_1 copy.jpg"], front, ids["IMG_1.jpg"]]


async def test_a_stack_is_rated_together_and_undone_together(archive: Archive, client: httpx.AsyncClient) -> None:
    ids = await _stack(archive, await archive.root())
    front = ids["IMG_1-Edit.tif"]

    answer = (await client.put(f"/api/photos/{front}/decision", json={"rating": 4, "project": "Trip"})).json()
    rated, projects = await _ratings(archive, ids), [(await archive.gallery(i))["project_id"] for i in ids.values()]
    await client.post("/api/undo", json={"action_id": answer["action_id"]})

    assert (rated, await _ratings(archive, ids)) == ([4, 4, 4, None, None], [None] * 5)
    assert [p is not None for p in projects] == [False, True, False, False, False]
    assert set(answer["changed"]) == {front, ids["IMG_1.jpg"], ids["IMG_1 copy.jpg"]}


async def test_a_version_that_was_split_is_rated_alone_until_that_is_undone(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    ids = await _stack(archive, await archive.root())
    front, export = ids["IMG_1-Edit.tif"], ids["IMG_1 copy.jpg"]
    split = (await client.put(f"/api/photos/{export}/decision", json={"apart": True})).json()
    await version_search.request(archive.connection)
    await version_search.search_if_wanted(archive.connection)

    await client.put(f"/api/photos/{export}/decision", json={"rating": 1})
    await client.put(f"/api/photos/{front}/decision", json={"rating": 5})

    [stack] = await _listed(client)
    assert [p["filename"] for p in stack["photos"]] == ["IMG_1-Edit.tif", "IMG_1.jpg"]
    assert await _ratings(archive, ids) == [5, 5, 1, None, None]
    await client.post("/api/undo", json={"action_id": split["action_id"]})
    assert [len(s["photos"]) for s in await _listed(client)] == [3]


async def test_a_stack_that_was_split_does_not_come_back(archive: Archive, client: httpx.AsyncClient) -> None:
    ids = await _stack(archive, await archive.root())
    await client.post("/api/photos/decisions", json={"ids": list(ids.values()), "apart": True})

    await version_search.request(archive.connection)
    await version_search.search_if_wanted(archive.connection)

    assert await _listed(client) == []
    assert (await archive.gallery(ids["IMG_1.jpg"]))["stack_size"] is None


async def test_what_is_rejected_leaves_its_stack_and_the_next_comes_forward(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    ids = await _stack(archive, await archive.root())
    front = ids["IMG_1-Edit.tif"]

    await client.put(f"/api/photos/{front}/decision", json={"rejected": True})
    [without] = await _listed(client)
    await client.put(f"/api/photos/{front}/decision", json={"rejected": False})
    [again] = await _listed(client)

    assert [p["filename"] for p in without["photos"]] == ["IMG_1 copy.jpg", "IMG_1.jpg"]
    assert without["photos"][0]["stack_front"] == ids["IMG_1 copy.jpg"]
    assert again["photos"][0]["id"] == front


async def test_a_group_that_lost_a_member_is_right_after_the_next_search(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    ids = await _stack(archive, await archive.root())
    await archive.connection.execute(
        "UPDATE photos SET rel_path = 'elsewhere/another name.jpg' WHERE id = $1", ids["IMG_1 copy.jpg"]
    )

    await version_search.request(archive.connection)
    await version_search.search_if_wanted(archive.connection)

    assert [[p["id"] for p in s["photos"]] for s in await _listed(client)] == [
        [ids["IMG_1-Edit.tif"], ids["IMG_1.jpg"]]
    ]
    assert (await archive.gallery(ids["IMG_1.jpg"]))["stack_size"] == 2
    assert (await archive.gallery(ids["IMG_1 copy.jpg"]))["stack_size"] is None


async def test_the_end_of_an_import_asks_for_versions(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    row = await archive.start_import(root)
    await archive.connection.execute("UPDATE imports SET folders_done = folders_found WHERE id = $1", row["id"])
    before = (await client.get("/api/duplicates")).json()["search"]

    for _ in range(2):
        await imports.finish_imports(archive.connection)
    wanted = (await client.get("/api/duplicates")).json()["search"]
    await version_search.search_if_wanted(archive.connection)
    after = (await client.get("/api/duplicates")).json()["search"]

    assert (before, wanted["wanted"], after["wanted"]) == ({"wanted": False, "found_at": None}, True, False)
    assert after["found_at"]
    assert not await version_search.search_if_wanted(archive.connection)


async def test_copies_are_rejected_but_for_one_after_the_count_was_said(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    copies = await _copies(archive, await archive.root())
    await client.put(f"/api/photos/{copies[1]}/decision", json={"rating": 3})
    [group] = await _listed(client)
    assert (group["keep_id"], sorted(group["rejectable"])) == (copies[1], [copies[0], copies[2]])

    wrong = await client.post("/api/duplicates/reject", json={"expected": 3})
    named = {"expected": 2, "action_id": str(uuid.uuid4())}
    done = (await client.post("/api/duplicates/reject", json=named)).json()
    again = (await client.post("/api/duplicates/reject", json=named)).json()

    assert (wrong.status_code, wrong.json()["detail"][:8]) == (409, "2 copies")
    assert (sorted(done["changed"]), done["left_alone"], again["repeated"]) == ([copies[0], copies[2]], 0, True)
    assert await _listed(client) == []
    await client.post("/api/undo", json={"action_id": done["action_id"]})
    assert len(await _listed(client)) == 1


async def test_copies_are_not_listed_once_more_as_versions(archive: Archive, client: httpx.AsyncClient) -> None:
    copies = await _copies(archive, await archive.root(), 2)
    await version_search.request(archive.connection)
    await version_search.search_if_wanted(archive.connection)

    assert [group["kind"] for group in await _listed(client)] == ["same_pixels"]
    assert [group["kind"] for group in await _listed(client, photo=copies[0])] == ["same_pixels", "versions"]
    assert (await client.get("/api/duplicates")).json()["totals"]["stacks"] == 0


async def test_another_copy_can_be_chosen_to_stay(archive: Archive, client: httpx.AsyncClient) -> None:
    copies = await _copies(archive, await archive.root())

    done = (await client.post(f"/api/duplicates/{copies[2]}/keep", json={"expected": 2})).json()

    assert sorted(done["changed"]) == copies[:2]
    assert (await client.post(f"/api/duplicates/{copies[2]}/keep", json={"expected": 0})).status_code == 404


async def test_copies_that_stay_are_not_offered_again_but_a_new_one_is(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    root = await archive.root()
    copies = await _copies(archive, root)
    kept = (await client.post("/api/photos/decisions", json={"ids": copies, "copy_kept": True})).json()
    assert await _listed(client) == []

    new = await archive.ready_photo(root, "new/same.jpg", "pixels")

    [group] = await _listed(client)
    assert (group["rejectable"], group["kept"], len(group["photos"])) == ([new], copies, 4)
    await client.put(f"/api/photos/{new}/decision", json={"rejected": True})
    await client.post("/api/undo", json={"action_id": kept["action_id"]})
    assert len((await _listed(client))[0]["rejectable"]) == 2


async def test_the_last_copy_that_can_be_read_is_never_rejected(archive: Archive, client: httpx.AsyncClient) -> None:
    """Two copies on one drive, a rated one on another that is unplugged: the rated one is not what stays."""
    here, drive = await archive.root("here"), await archive.root("drive")
    [one, two] = await _copies(archive, here, 2)
    gone = await archive.ready_photo(drive, "same.jpg", "other pixels")
    await archive.connection.execute(
        "UPDATE photos SET pixel_hash = (SELECT pixel_hash FROM photos WHERE id = $1) WHERE id = $2", one, gone
    )
    await client.put(f"/api/photos/{gone}/decision", json={"rating": 5})
    await archive.connection.execute("UPDATE library_roots SET offline_reason = 'away' WHERE path = $1", str(drive))
    (drive / "same.jpg").unlink()

    [group] = await _listed(client)
    unreadable = await client.post(f"/api/duplicates/{gone}/keep", json={"expected": 2})

    assert (group["keep_id"], sorted(group["rejectable"])) == (one, [two, gone])
    assert (unreadable.status_code, "cannot be read" in unreadable.json()["detail"]) == (409, True)


async def test_a_file_that_vanished_meanwhile_leaves_its_copies_alone(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    root = await archive.root()
    copies = await _copies(archive, root, 2)
    (root / "0/same.jpg").unlink()

    done = (await client.post("/api/duplicates/reject", json={"expected": 1})).json()

    assert (done["changed"], done["left_alone"]) == ([], 1)
    assert len((await _listed(client))[0]["photos"]) == len(copies)


async def test_while_no_copy_can_be_read_nothing_is_proposed(archive: Archive, client: httpx.AsyncClient) -> None:
    await _copies(archive, await archive.root())
    await archive.connection.execute("UPDATE library_roots SET offline_reason = 'away'")

    [group] = await _listed(client)

    assert (group["rejectable"], len(group["photos"])) == ([], 3)
    assert (await client.get("/api/duplicates")).json()["totals"]["rejectable"] == 0


async def test_pictures_that_only_look_the_same_are_never_proposed(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    shot = {"captured_at": SHOT, "captured_source": "DateTimeOriginal"}
    await archive.ready_photo(root, "a/IMG_1.jpg", "one", phash=0x1234_5678_9ABC, **shot)
    await archive.ready_photo(root, "b/sent to me.jpg", "two", phash=0x1234_5678_9ABC)
    await version_search.request(archive.connection)
    await version_search.search_if_wanted(archive.connection)

    [stack] = await _listed(client)

    assert (stack["kind"], stack["reasons"]) == ("versions", ["look", "look"])
    assert await _listed(client, kind="same_pixels") == []


async def test_groups_come_page_by_page_and_by_photo(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    groups = [[await archive.ready_photo(root, f"{k}/{n}.jpg", f"pixels {n}") for k in range(2)] for n in range(3)]

    first = (await client.get("/api/duplicates?kind=same_pixels&limit=2")).json()
    rest = (await client.get(f"/api/duplicates?kind=same_pixels&limit=2&after={first['next_after']}")).json()
    [one] = await _listed(client, photo=groups[1][1])

    assert [[p["id"] for p in g["photos"]] for g in first["items"] + rest["items"]] == groups
    assert rest["next_after"] is None
    assert [p["id"] for p in one["photos"]] == groups[1]


async def test_a_rating_of_many_rates_each_stack_once(archive: Archive) -> None:
    ids = await _stack(archive, await archive.root())

    outcome = await apply_decisions(archive.connection, list(ids.values()), Change(rating=2))

    assert sorted(outcome.changed) == sorted(ids.values())
    assert await archive.connection.fetchval("SELECT count(*) FROM decision_events") == len(ids)


async def test_a_frame_and_its_edit_are_no_burst(archive: Archive) -> None:
    ids = await _stack(archive, await archive.root())
    shot = [ids[name] for name in ("IMG_1.jpg", "IMG_1-Edit.tif", "IMG_2.jpg")]
    await archive.connection.execute("INSERT INTO encoders (name, status) VALUES ('efficientnet-lite2', 'active')")
    await archive.apply(*(result("embed", i, embedded(1)) for i in shot))

    async with archive.connection.transaction():
        made = await burst_matrices(
            archive.connection, archive.settings, {"subject_id": 0, "generation": 1, "params": {}}
        )

    assert made is not None
    assert np.load(made.table_path)["photo_id"].tolist() == shot[1:]
