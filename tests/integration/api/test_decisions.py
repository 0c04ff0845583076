"""Decisions, undo, history, projects and what follows from a rating."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest

from tests.integration.archive import Archive
from web import scoring
from web.database import Connection

pytestmark = pytest.mark.integration


async def _photos(archive: Archive, n: int = 2) -> list[int]:
    root = await archive.root()
    return [await archive.ready_photo(root, f"{i}.jpg") for i in range(n)]


async def _decide(client: httpx.AsyncClient, photo: int, **decision: object) -> dict[str, object]:
    answer = await client.put(f"/api/photos/{photo}/decision", json=decision)
    assert answer.status_code == 200, answer.text
    result: dict[str, object] = answer.json()
    return result


async def test_a_rating_is_stored_shown_and_starts_training(archive: Archive, client: httpx.AsyncClient) -> None:
    [photo, _] = await _photos(archive)

    answer = await _decide(client, photo, rating=4)

    assert answer["item"]["user_rating"] == 4  # type: ignore[index]
    assert (await archive.decision(photo))["rating_source"] == "person"
    assert (await archive.job("taste", 0))["status"] == "due"
    assert (await client.get("/api/photos?filter=for_projects")).json()["total"] == 1


async def test_a_cleared_rating_stays_the_persons_and_trains_again(archive: Archive, client: httpx.AsyncClient) -> None:
    [photo, _] = await _photos(archive)
    await _decide(client, photo, rating=4)
    await archive.connection.execute("UPDATE jobs SET status = 'done' WHERE stage = 'taste'")

    await _decide(client, photo, rating=None)

    decision = await archive.decision(photo)
    assert (decision["rating"], decision["rating_source"]) == (None, "person")
    assert (await archive.job("taste", 0))["status"] == "due"


@pytest.mark.parametrize("decision", [{"rating": 6}, {"rating": 0}, {"rating": "five"}, {"stars": 3}, {}])
async def test_nonsense_is_refused_with_a_sentence(
    archive: Archive, client: httpx.AsyncClient, decision: dict[str, object]
) -> None:
    [photo, _] = await _photos(archive)

    answer = await client.put(f"/api/photos/{photo}/decision", json=decision)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_an_action_that_is_sent_twice_counts_once(archive: Archive, client: httpx.AsyncClient) -> None:
    [photo, _] = await _photos(archive)
    action = str(uuid.uuid4())
    await _decide(client, photo, rating=4, action_id=action)
    await _decide(client, photo, rating=2)

    repeated = await _decide(client, photo, rating=4, action_id=action)

    assert repeated["repeated"] is True
    assert (await archive.decision(photo))["rating"] == 2


async def test_undo_takes_the_sessions_actions_back_one_by_one(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _photos(archive)
    await _decide(client, photos[0], rating=3, session="me")
    await client.post("/api/photos/decisions", json={"ids": photos, "rejected": True, "session": "me"})
    await _decide(client, photos[1], rating=1, session="another")

    first = (await client.post("/api/undo", json={"session": "me"})).json()
    second = (await client.post("/api/undo", json={"session": "me"})).json()
    third = await client.post("/api/undo", json={"session": "me"})

    assert first["reverted"] == photos
    assert second["reverted"] == [photos[0]]
    assert third.status_code == 404
    assert (await archive.decision(photos[0]))["rating"] is None
    assert (await archive.decision(photos[1]))["rating"] == 1


async def test_an_undo_that_is_sent_again_takes_nothing_more_back(archive: Archive, client: httpx.AsyncClient) -> None:
    [photo, _] = await _photos(archive)
    for rating in (2, 4):
        await _decide(client, photo, rating=rating, session="me")
    undo = {"session": "me", "undo_id": str(uuid.uuid4())}

    first = (await client.post("/api/undo", json=undo)).json()
    again = (await client.post("/api/undo", json=undo)).json()

    assert first == again
    assert (await archive.decision(photo))["rating"] == 2


async def test_undo_leaves_alone_what_was_changed_since(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _photos(archive)
    action = str(uuid.uuid4())
    await client.post("/api/photos/decisions", json={"ids": photos, "rating": 5, "action_id": action})
    await _decide(client, photos[0], rating=2)

    undone = (await client.post("/api/undo", json={"action_id": action})).json()

    assert (undone["reverted"], undone["kept"]) == ([photos[1]], [photos[0]])
    assert (await archive.decision(photos[0]))["rating"] == 2


async def test_decisions_are_restored_as_of_a_moment_after_a_preview(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    [photo, _] = await _photos(archive)
    await _decide(client, photo, rating=5)
    moment = datetime.now(UTC).isoformat()
    await _decide(client, photo, rating=1)

    preview = (await client.get("/api/history", params={"as_of": moment})).json()
    restored = (await client.post("/api/undo", json={"as_of": moment})).json()

    caption = {"filename": "0.jpg", "thumb_url": f"/media/thumb/{photo}?v=1"}
    assert preview["items"] == [{"photo_id": photo, "field": "rating", "then": 5, "now": 1} | caption]
    assert restored["reverted"] == [photo]
    assert (await archive.decision(photo))["rating"] == 5
    history = (await client.get("/api/history", params={"photo_id": photo})).json()["items"]
    assert [change["new"] for action in history for change in action["changes"]] == [5, 1, 5]


async def test_a_restore_of_a_selection_is_previewed_and_does_just_that(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    photos = await _photos(archive, 3)
    moment = datetime.now(UTC).isoformat()
    for photo in photos:
        await _decide(client, photo, rating=4)
    asked = {"as_of": moment, "ids": photos[:2]}

    some = (await client.post("/api/history/preview", json=asked)).json()
    every = (await client.post("/api/history/preview", json={"as_of": moment})).json()
    restored = (await client.post("/api/undo", json=asked)).json()

    assert (some["photos"], some["changes"]) == (2, 2)
    assert [(i["photo_id"], i["then"], i["now"], i["filename"]) for i in some["items"]] == [
        (photos[0], None, 4, "0.jpg"),
        (photos[1], None, 4, "1.jpg"),
    ]
    assert every["photos"] == 3
    assert restored["reverted"] == photos[:2]


@pytest.mark.parametrize(
    "asked", [{}, {"as_of": "2026-01-31T12:00:00"}, {"as_of": "2026-01-31T12:00:00Z", "ids": []}, {"as_of": "soon"}]
)
async def test_a_preview_of_no_moment_is_refused_in_words(client: httpx.AsyncClient, asked: dict[str, object]) -> None:
    refused = await client.post("/api/history/preview", json=asked)

    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert (await client.get("/api/history", params={"as_of": "2026-01-31T12:00:00"})).status_code == 422


async def test_the_history_shows_which_photographs_were_changed(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _photos(archive)
    await client.post("/api/photos/decisions", json={"ids": photos, "rating": 3})

    [action] = (await client.get("/api/history")).json()["items"]

    assert [(c["photo_id"], c["filename"], c["thumb_url"]) for c in action["changes"]] == [
        (photo, f"{n}.jpg", f"/media/thumb/{photo}?v=1") for n, photo in enumerate(photos)
    ]


async def test_tags_are_added_removed_and_searched(archive: Archive, client: httpx.AsyncClient) -> None:
    [photo, other] = await _photos(archive)
    await client.post("/api/photos/decisions", json={"ids": [photo, other], "tags_add": [" Harbour ", "fog"]})
    await _decide(client, other, tags_remove=["harbour"])

    assert [i["id"] for i in (await client.get("/api/photos?tag=harbour")).json()["items"]] == [photo]
    assert (await client.get("/api/photos?tag=fog")).json()["total"] == 2


async def test_a_pick_matches_whatever_its_stars(archive: Archive, client: httpx.AsyncClient) -> None:
    [photo, _] = await _photos(archive)

    item = (await _decide(client, photo, manual_match=True, rating=1))["item"]

    assert (item["manual_match"], item["is_match"]) == (True, True)  # type: ignore[index]


async def test_projects_are_listed_renamed_merged_and_deleted(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _photos(archive, 3)
    for photo, name in zip(photos, ("Harbour", "Fog", "Fog/2024"), strict=True):
        await _decide(client, photo, project=name)

    clash = await client.patch("/api/projects/Harbour", json={"name": "fog"})
    await client.patch("/api/projects/Harbour", json={"name": "Haven"})
    nameless = await client.post("/api/projects/merge", json={"sources": ["Fog"], "into": "  "})
    merged = (await client.post("/api/projects/merge", json={"sources": ["Fog", "Fog/2024"], "into": "Haven"})).json()
    listed = (await client.get("/api/projects")).json()["items"]

    assert clash.status_code == 409
    assert nameless.status_code == 422
    assert merged["changed"] == photos[1:]
    assert [(p["name"], p["photos"]) for p in listed] == [("Haven", 3)]
    gone = (await client.delete("/api/projects/Haven", params={"session": "me"})).json()
    assert gone["changed"] == photos
    await client.post("/api/undo", json={"session": "me"})
    assert [(p["name"], p["photos"]) for p in (await client.get("/api/projects")).json()["items"]] == [("Haven", 3)]


async def test_a_project_says_what_deleting_its_label_would_touch(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _photos(archive, 3)
    await client.post("/api/photos/decisions", json={"ids": photos, "project": "Fog/2024"})
    await _decide(client, photos[1], rating=4)
    await _decide(client, photos[2], rejected=True)
    await _decide(client, photos[1], project="Harbour")
    await _decide(client, photos[1], project="Fog/2024")

    project = await client.get("/api/projects/fog/2024")
    empty = await client.get("/api/projects/Harbour")
    unknown = await client.get("/api/projects/Haven")

    assert project.json() == {
        "name": "Fog/2024", "photos": 2, "rated": 1, "rejected": 1, "cover_url": f"/media/thumb/{photos[1]}?v=1",
    }  # fmt: skip
    assert empty.json() == {"name": "Harbour", "photos": 0, "rated": 0, "rejected": 0, "cover_url": None}
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "There is no project called 'Haven'.")


async def test_the_match_threshold_moves_the_matches(archive: Archive, client: httpx.AsyncClient) -> None:
    [photo, _] = await _photos(archive)
    await archive.connection.execute("UPDATE gallery SET preference = 60 WHERE photo_id = $1", photo)

    answer = await client.put("/api/taste/threshold", json={"value": 55})

    assert answer.json()["cut"] == 55
    assert (await client.get("/api/photos?filter=match")).json()["total"] == 1
    taste = (await client.get("/api/taste")).json()
    assert (taste["threshold"], taste["matches_at"][55], taste["matches_at"][61]) == ("55", 1, 0)
    assert (await client.put("/api/taste/threshold", json={"value": 101})).status_code == 422


async def test_a_threshold_that_postgres_broke_off_is_set_in_the_next_attempt(
    archive: Archive, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_threshold = scoring.set_threshold
    broken_off = []

    async def broken_off_once(connection: Connection, value: str) -> int:
        if not broken_off:
            broken_off.append(value)
            raise asyncpg.DeadlockDetectedError("deadlock detected")
        return await set_threshold(connection, value)

    monkeypatch.setattr(scoring, "set_threshold", broken_off_once)

    answer = await client.put("/api/taste/threshold", json={"value": 55})

    assert (answer.status_code, answer.json()) == (200, {"threshold": "55", "cut": 55})
    assert broken_off == ["55"]
