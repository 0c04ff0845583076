"""Bursts: what is offered, what is decided as one action, what a later search leaves decided, and the preview."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import numpy as np
import pytest

from contracts.results import BurstsPayload
from domain.burst_intent import BRACKET, NO_INTENT
from domain.bursts import KEEPER, OTHER, TIE
from tests.integration.archive import Archive
from tests.integration.messages import embedded, result
from web import burst_preview, jobs, transit
from web.bursts import detect_when_embedded

SESSION = "tab"


class Bursts:
    """Photographs of an archive in groups, and the search for bursts played by hand."""

    def __init__(self, archive: Archive, client: httpx.AsyncClient, photos: list[int]) -> None:
        self.archive, self.client, self.photos = archive, client, photos

    async def found(self, *groups: tuple[list[int], list[int], int]) -> list[int]:
        """A search ends with these groups: frames (counted from 0), keepers, intent. Returns the groups' ids."""
        rows = [
            (self.photos[frame], number, keeper, intent)
            for number, (frames, keepers, intent) in enumerate(groups)
            for frame, keeper in zip(frames, keepers, strict=True)
        ]
        await jobs.request_single(self.archive.connection, "bursts")
        generation = (await self.archive.job("bursts", 0))["generation"]
        table = np.array(rows, np.int64).reshape(-1, 4)
        transit.save(transit.matrix_path(self.archive.settings, "bursts", generation, "groups"), table)
        payload = BurstsPayload(groups=len(groups), photos=len(rows), threshold=0.9, gap_s=5).model_dump()
        await self.archive.apply(result("bursts", 0, payload, generation=generation))
        return [r["id"] for r in await self.archive.connection.fetch("SELECT id FROM burst_groups ORDER BY id")]

    async def listed(self, state: str | None = None) -> list[dict[str, Any]]:
        answer = await self.client.get("/api/bursts", params={"state": state} if state else {})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def states(self) -> list[str]:
        return [group["state"] for group in await self.listed()]

    async def act(self, path: str, **body: Any) -> httpx.Response:
        return await self.client.post(f"/api/bursts/{path}", json={"session": SESSION} | body)

    async def decide(self, frame: int, **decision: Any) -> None:
        """What the person says of one frame, counted from 0, in another session than `act` has."""
        answer = await self.client.put(f"/api/photos/{self.photos[frame]}/decision", json=decision)
        answer.raise_for_status()

    async def undo(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.client.post("/api/undo", json={"session": SESSION})).json()
        return answer

    async def tab(self) -> list[int]:
        """Photographs in the gallery's tab Bursts, by id."""
        answer = (await self.client.get("/api/photos", params={"filter": "bursts", "sort": "newest"})).json()
        return sorted(item["id"] for item in answer["items"])

    async def rejected(self) -> list[int]:
        rows = await self.archive.connection.fetch("SELECT photo_id FROM gallery WHERE rejected ORDER BY 1")
        return [row["photo_id"] for row in rows]


@pytest.fixture
async def bursts(archive: Archive, client: httpx.AsyncClient) -> Bursts:
    root = await archive.root()
    photos = [await archive.ready_photo(root, f"{n}.jpg", focus_score=float(n)) for n in range(8)]
    await archive.connection.execute("INSERT INTO encoders (name, status) VALUES ('e', 'active')")
    return Bursts(archive, client, photos)


PLAIN = ([0, 1, 2], [OTHER, OTHER, KEEPER], NO_INTENT)
TIED = ([3, 4], [TIE, TIE], NO_INTENT)
MEANT = ([5, 6, 7], [OTHER, OTHER, OTHER], BRACKET)


async def test_keeping_the_best_stacks_the_others_behind_it_and_rejects_nothing(bursts: Bursts) -> None:
    [group] = await bursts.found(PLAIN)
    before = await bursts.tab()

    answer = await bursts.act(f"{group}/keep-best")

    assert sorted(answer.json()["changed"]) == bursts.photos[:3]
    assert (before, await bursts.tab()) == (bursts.photos[:3], [bursts.photos[2]])
    assert await bursts.rejected() == []
    [kept] = await bursts.listed("kept")
    assert (kept["keeper_id"], len(kept["photos"])) == (bursts.photos[2], 3)


async def test_one_undo_takes_the_stack_and_the_rejects_back(bursts: Bursts) -> None:
    [group] = await bursts.found(PLAIN)
    await bursts.act(f"{group}/keep-best", reject_rest=True)
    assert await bursts.rejected() == bursts.photos[:2]

    undone = await bursts.undo()

    assert undone["reverted"] == bursts.photos[:3]
    assert (await bursts.rejected(), await bursts.states(), await bursts.tab()) == ([], ["open"], bursts.photos[:3])


async def test_the_same_request_twice_is_one_action(bursts: Bursts) -> None:
    [group] = await bursts.found(PLAIN)
    action = str(uuid.uuid4())
    first = await bursts.act(f"{group}/keep-best", action_id=action)

    second = await bursts.act(f"{group}/keep-best", action_id=action)

    assert (first.json()["repeated"], second.json()["repeated"]) == (False, True)
    await bursts.undo()
    assert await bursts.states() == ["open"]


async def test_the_best_everywhere_sent_twice_is_one_action_and_no_surprise(bursts: Bursts) -> None:
    """An answer was lost on its way: nothing is left to decide, which is no other number than was expected."""
    await bursts.found(PLAIN, TIED)
    action = str(uuid.uuid4())
    first = await bursts.act("keep-best", action_id=action, expected=1)

    second = await bursts.act("keep-best", action_id=action, expected=1)

    assert (second.status_code, second.json()["repeated"]) == (200, True)
    assert sorted(second.json()["changed"]) == sorted(first.json()["changed"])


async def test_a_tie_needs_an_eye_and_is_settled_by_it_until_the_undo(bursts: Bursts) -> None:
    [group] = await bursts.found(TIED)
    assert (await bursts.act(f"{group}/keep-best")).status_code == 409

    await bursts.act(f"{group}/keep-best", keeper_id=bursts.photos[3])

    [kept] = await bursts.listed()
    assert (kept["state"], kept["keeper_id"], kept["tie"]) == ("kept", bursts.photos[3], False)
    await bursts.undo()
    [again] = await bursts.listed()
    assert (again["state"], again["keeper_id"], again["tie"]) == ("open", None, True)


async def test_another_frame_is_chosen_and_a_rejected_one_comes_back_for_it(bursts: Bursts) -> None:
    [group] = await bursts.found(PLAIN)
    await bursts.act(f"{group}/keep-best", reject_rest=True)

    await bursts.act(f"{group}/keep-best", keeper_id=bursts.photos[0])

    [kept] = await bursts.listed()
    assert (kept["state"], kept["keeper_id"]) == ("kept", bursts.photos[0])
    assert await bursts.rejected() == [bursts.photos[1]]
    await bursts.undo()
    assert (await bursts.listed())[0]["keeper_id"] == bursts.photos[2]
    assert await bursts.rejected() == bursts.photos[:2]


async def test_keeping_all_dissolves_the_group_until_the_undo(bursts: Bursts) -> None:
    [group] = await bursts.found(PLAIN)

    await bursts.act(f"{group}/keep-all")

    assert (await bursts.states(), await bursts.tab()) == (["whole"], [])
    await bursts.undo()
    assert (await bursts.states(), await bursts.tab()) == (["open"], bursts.photos[:3])


@pytest.mark.parametrize(("act", "state"), [("keep-best", "kept"), ("keep-all", "whole")])
async def test_a_later_search_finds_it_decided(bursts: Bursts, act: str, state: str) -> None:
    [group] = await bursts.found(PLAIN)
    await bursts.act(f"{group}/{act}")

    [again] = await bursts.found(([0, 1, 2], [KEEPER, OTHER, OTHER], NO_INTENT))

    assert again != group
    assert await bursts.states() == [state]
    assert (await bursts.client.get("/api/bursts/keep-best")).json()["groups"] == 0


async def test_a_frame_that_joins_a_decided_group_opens_it_with_its_choice(bursts: Bursts) -> None:
    [group] = await bursts.found(PLAIN)
    await bursts.act(f"{group}/keep-best", keeper_id=bursts.photos[1])

    await bursts.found(([0, 1, 2, 3], [OTHER, OTHER, OTHER, KEEPER], NO_INTENT))

    [opened] = await bursts.listed()
    assert (opened["state"], opened["keeper_id"]) == ("open", bursts.photos[1])


async def test_rejecting_the_front_opens_the_burst_again(bursts: Bursts) -> None:
    [group] = await bursts.found(PLAIN)
    await bursts.act(f"{group}/keep-best")

    await bursts.client.put(f"/api/photos/{bursts.photos[2]}/decision", json={"rejected": True, "session": SESSION})

    [opened] = await bursts.listed()
    assert (opened["state"], opened["tie"]) == ("open", True)  # which of the others is sharpest was not measured
    await bursts.undo()
    assert await bursts.states() == ["kept"]


async def test_an_intended_sequence_is_never_offered_but_may_be_decided(bursts: Bursts) -> None:
    [group] = await bursts.found(MEANT)
    refused = await bursts.act(f"{group}/keep-best")
    everywhere = await bursts.act("keep-best")

    assert (refused.status_code, everywhere.json()["changed"]) == (409, [])
    assert "exposure bracket" in refused.json()["detail"]
    [shown] = await bursts.listed("intended")
    assert (shown["intent"], shown["keeper_id"]) == ("bracket", None)
    await bursts.act(f"{group}/keep-best", keeper_id=bursts.photos[5])
    assert await bursts.states() == ["kept"]


async def test_the_best_everywhere_is_planned_counted_and_one_undo(bursts: Bursts) -> None:
    await bursts.found(PLAIN, TIED, MEANT)
    plan = (await bursts.client.get("/api/bursts/keep-best")).json()

    assert {k: plan[k] for k in ("groups", "rest", "ties", "intended")} == {
        "groups": 1, "rest": 2, "ties": 1, "intended": 1,
    }  # fmt: skip
    [shown] = plan["items"]
    assert shown["best"]["filename"] == "2.jpg"
    assert [one["id"] for one in shown["rest"]] == [bursts.photos[1], bursts.photos[0]]
    assert (await bursts.act("keep-best", expected=2)).status_code == 409
    answer = await bursts.act("keep-best", expected=1, reject_rest=True)
    assert (sorted(answer.json()["changed"]), answer.json()["ties"]) == (bursts.photos[:3], 1)
    assert await bursts.states() == ["kept", "open", "intended"]
    await bursts.undo()
    assert (await bursts.states(), await bursts.rejected()) == (["open", "open", "intended"], [])


async def test_the_frame_that_the_person_likes_wins_over_the_sharpest(bursts: Bursts) -> None:
    await bursts.found(PLAIN)
    for photo, stars in ((0, 5), (1, 2)):
        await bursts.archive.rate(bursts.photos[photo], stars)

    [group] = await bursts.listed()

    assert (group["keeper_id"], group["tie"]) == (bursts.photos[0], False)


async def test_two_frames_liked_as_much_are_decided_by_eye(bursts: Bursts) -> None:
    await bursts.found(PLAIN)
    for photo in (0, 1):
        await bursts.archive.rate(bursts.photos[photo], 5)

    assert (await bursts.listed())[0]["tie"] is True
    assert (await bursts.client.get("/api/bursts/keep-best")).json()["groups"] == 0


@pytest.mark.parametrize(
    ("first", "sharpest"),
    [
        ({"rating": 5}, {"rating": 5}),
        ({"manual_match": True}, {"manual_match": True}),
        ({"rating": 5}, {"manual_match": True}),
        ({"rating": 4}, {"rating": 5}),
    ],
)
@pytest.mark.parametrize("everywhere", [True, False])
async def test_what_the_person_likes_is_not_rejected_with_the_rest(
    bursts: Bursts, first: dict[str, Any], sharpest: dict[str, Any], everywhere: bool
) -> None:
    """Of a burst whose best is known the others are rejected; a pick and four or five stars are left as they are."""
    [group] = await bursts.found(PLAIN)
    await bursts.decide(0, **first)
    await bursts.decide(2, **sharpest)
    path = "keep-best" if everywhere else f"{group}/keep-best"

    answer = await bursts.act(path, reject_rest=True)

    assert (answer.json()["liked"], await bursts.rejected()) == (1, [bursts.photos[1]])
    [kept] = await bursts.listed()
    assert (kept["state"], kept["keeper_id"]) == ("kept", bursts.photos[2])
    assert sorted((await bursts.undo())["reverted"]) == bursts.photos[:3]
    assert (await bursts.rejected(), await bursts.states()) == ([], ["open"])


async def test_the_plan_shows_stars_and_picks_and_counts_what_would_not_be_rejected(bursts: Bursts) -> None:
    await bursts.found(PLAIN)
    await bursts.decide(0, rating=4)
    await bursts.decide(1, rating=3)
    await bursts.decide(2, rating=4, manual_match=True)

    plan = (await bursts.client.get("/api/bursts/keep-best")).json()

    assert (plan["rest"], plan["liked"]) == (2, 1)
    [group] = plan["items"]
    said = [(f["id"], f["user_rating"], f["manual_match"], f["liked"]) for f in (group["best"], *group["rest"])]
    assert said == [
        (bursts.photos[2], 4, True, True), (bursts.photos[1], 3, False, False), (bursts.photos[0], 4, False, True),
    ]  # fmt: skip
    await bursts.decide(0, rejected=True)
    assert (await bursts.client.get("/api/bursts/keep-best")).json()["liked"] == 0


async def test_stacking_leaves_nothing_to_be_spared(bursts: Bursts) -> None:
    [group] = await bursts.found(PLAIN)
    await bursts.decide(2, rating=5)
    await bursts.decide(0, rating=4)

    assert (await bursts.act(f"{group}/keep-best")).json()["liked"] == 0


async def test_a_burst_of_which_one_frame_is_left_is_decided(bursts: Bursts) -> None:
    await bursts.found(PLAIN)

    body = {"ids": bursts.photos[:2], "rejected": True}
    await bursts.client.post("/api/photos/decisions", json=body)

    assert await bursts.states() == ["kept"]


async def test_the_history_shows_the_frame_and_its_place(bursts: Bursts) -> None:
    [group] = await bursts.found(PLAIN)
    await bursts.act(f"{group}/keep-best")

    [action] = (await bursts.client.get("/api/history", params={"session": SESSION})).json()["items"]

    assert {change["field"] for change in action["changes"]} == {"burst_front"}


async def test_a_preview_counts_and_replaces_nothing(bursts: Bursts) -> None:
    await bursts.found(PLAIN)
    asked = await bursts.client.post("/api/bursts/detect", json={"threshold": 0.8, "gap_s": 2, "preview": True})
    assert asked.status_code == 202
    assert (await bursts.client.get("/api/bursts/preview")).json() == {"running": True, "found": None, "error": None}
    job = await bursts.archive.job("bursts", burst_preview.SUBJECT)
    assert job["params"] == {"threshold": 0.8, "gap_s": 2.0}

    found = BurstsPayload(groups=7, photos=20, threshold=0.8, gap_s=2).model_dump()
    await bursts.archive.apply(result("bursts", burst_preview.SUBJECT, found, generation=job["generation"]))

    answer = (await bursts.client.get("/api/bursts/preview")).json()
    assert (answer["running"], answer["found"]["groups"], answer["found"]["threshold"]) == (False, 7, 0.8)
    assert len(await bursts.listed()) == 1
    event = await bursts.archive.connection.fetchval("SELECT data FROM events WHERE kind = 'bursts' ORDER BY id DESC")
    assert event["preview"]["photos"] == 20


async def test_a_search_is_asked_for_with_its_parameters(bursts: Bursts) -> None:
    asked = await bursts.client.post("/api/bursts/detect", json={"gap_s": 2})

    assert asked.status_code == 202
    assert (await bursts.archive.job("bursts", 0))["params"] == {"gap_s": 2.0}


async def test_a_burst_that_is_gone_says_so(bursts: Bursts) -> None:
    for act in ("keep-best", "keep-all"):
        assert (await bursts.act(f"4711/{act}")).status_code == 404


async def test_bursts_are_looked_for_when_the_last_new_vector_is_there(bursts: Bursts) -> None:
    archive = bursts.archive
    first, second = bursts.photos[:2]
    others = "DELETE FROM jobs WHERE stage = 'embed' AND subject_id <> ALL ($1)"
    await archive.connection.execute(others, [first, second])
    await archive.apply(result("embed", first, embedded(1, encoder="e")))
    await detect_when_embedded(archive.connection)
    assert await archive.job("bursts", 0) is None

    await archive.apply(result("embed", second, embedded(2, encoder="e")))
    await detect_when_embedded(archive.connection)

    assert (await archive.job("bursts", 0))["status"] == "due"
    await archive.connection.execute("UPDATE jobs SET status = 'done' WHERE stage = 'bursts'")
    await detect_when_embedded(archive.connection)
    assert (await archive.job("bursts", 0))["status"] == "done"
