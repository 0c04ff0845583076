"""Bursts: look for them, list them, keep the best frame or all of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from web import burst_decisions, burst_preview, bursts
from web.api.shapes import Action, outcome_json
from web.context import Db, Json

router = APIRouter(prefix="/bursts", tags=["bursts"])

After = Annotated[int, Query(ge=0)]
Limit = Annotated[int, Query(ge=1, le=200)]


class Detect(BaseModel):
    model_config = ConfigDict(extra="forbid")

    threshold: float | None = Field(default=None, gt=0, le=1)
    """Cosine; absent: the encoder's own."""
    gap_s: float | None = Field(default=None, gt=0, le=3600)
    preview: bool = False
    """Only count what would be found; the present bursts stay."""


class KeepBestEverywhere(Action):
    reject_rest: bool = False
    expected: int | None = Field(default=None, ge=0)
    """How many bursts the person saw; refused when it is another number now."""


class KeepBest(Action):
    reject_rest: bool = False
    keeper_id: int | None = None
    """Needed where the best frames are a tie; another frame than the best otherwise."""


@router.get("")
async def groups(db: Db, state: bursts.State | None = None, after: After = 0, limit: Limit = 50) -> Json:
    """Bursts in order of their ids, of one state or all, and `totals` over all of them."""
    found = await bursts.groups(db, state=state, after=after, limit=limit)
    following = found[-1]["id"] if len(found) == limit else None
    return Json({"items": found, "next_after": following, "totals": await bursts.totals(db)})


@router.post("/detect", status_code=202)
async def detect(db: Db, request: Detect | None = None) -> Json:
    """Looks for bursts in the whole archive; the `bursts` event says when they are there. What was decided stays.

    With `preview` the present bursts stay too: the event carries the counts, and `GET bursts/preview` has them.
    """
    wish = request or Detect()
    await bursts.detect(db, wish.threshold, wish.gap_s, preview=wish.preview)
    return Json({"requested": True, "preview": wish.preview}, 202)


@router.get("/preview")
async def preview(db: Db) -> Json:
    """The latest preview: `running`, and `found` with the counts and the parameters that they belong to."""
    return Json(await burst_preview.latest(db))


@router.get("/keep-best")
async def keep_best_plan(db: Db, after: After = 0, limit: Limit = 100) -> Json:
    """What `POST bursts/keep-best` would decide: every group with its best frame and the rest, and how many.

    `liked` frames are picked or have four or five stars; of the `rest`, so many would not be rejected.
    """
    return Json(await bursts.plan(db, after=after, limit=limit))


@router.post("/keep-best")
async def keep_best_everywhere(db: Db, request: KeepBestEverywhere | None = None) -> Json:
    """Stacks every open burst behind its best frame; ties and intended sequences are left alone. One action.

    Rejecting the rest leaves what is picked or has four or five stars as it is; `liked` says how many those are.
    """
    wish = request or KeepBestEverywhere()
    outcome, liked, ties = await burst_decisions.keep_best_everywhere(
        db, reject_rest=wish.reject_rest, expected=wish.expected, action_id=wish.action_id, session=wish.session
    )
    return Json(outcome_json(outcome) | {"liked": liked, "ties": ties})


@router.post("/{group_id}/keep-best")
async def keep_best(group_id: int, db: Db, request: KeepBest | None = None) -> Json:
    """Puts the best frame, or another, in front of the others; they stay behind it, or are rejected if asked.

    What is picked or has four or five stars is not rejected; `liked` says how many of the others those are.
    """
    wish = request or KeepBest()
    outcome, liked = await burst_decisions.keep_best(
        db, group_id, keeper_id=wish.keeper_id, reject_rest=wish.reject_rest, action_id=wish.action_id,
        session=wish.session,
    )  # fmt: skip
    return Json(outcome_json(outcome) | {"liked": liked})


@router.post("/{group_id}/keep-all")
async def keep_all(group_id: int, db: Db, request: Action | None = None) -> Json:
    """Keeps every frame: the group is no burst any more and is not offered again."""
    wish = request or Action()
    outcome = await burst_decisions.keep_all(db, group_id, action_id=wish.action_id, session=wish.session)
    return Json(outcome_json(outcome))
