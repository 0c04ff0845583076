"""Bursts: look for them, list them, keep the best frame."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from web import bursts
from web.api.shapes import Action, outcome_json
from web.context import Db, Json

router = APIRouter(prefix="/bursts", tags=["bursts"])


class Detect(BaseModel):
    model_config = ConfigDict(extra="forbid")

    threshold: float | None = Field(default=None, gt=0, le=1)
    """Cosine; absent: the encoder's own."""
    gap_s: float | None = Field(default=None, gt=0, le=3600)


class KeepBestEverywhere(Action):
    reject_rest: bool = False


class KeepBest(KeepBestEverywhere):
    keeper_id: int | None = None
    """Needed where the sharpest frames are a tie."""


@router.get("")
async def groups(
    db: Db, after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Json:
    """Bursts in order of their ids, and `totals` over all of them."""
    found = await bursts.groups(db, after=after, limit=limit)
    following = found[-1]["id"] if len(found) == limit else None
    return Json({"items": found, "next_after": following, "totals": await bursts.totals(db)})


@router.post("/detect", status_code=202)
async def detect(db: Db, request: Detect | None = None) -> Json:
    """Looks for bursts in the whole archive; the `bursts` event says when they are there."""
    wish = request or Detect()
    await bursts.detect(db, wish.threshold, wish.gap_s)
    return Json({"requested": True}, 202)


@router.post("/keep-best")
async def keep_best_everywhere(db: Db, request: KeepBestEverywhere | None = None) -> Json:
    wish = request or KeepBestEverywhere()
    outcome, ties = await bursts.keep_best_everywhere(
        db, reject_rest=wish.reject_rest, action_id=wish.action_id, session=wish.session
    )
    return Json(outcome_json(outcome) | {"ties": ties})


@router.post("/{group_id}/keep-best")
async def keep_best(group_id: int, db: Db, request: KeepBest | None = None) -> Json:
    wish = request or KeepBest()
    outcome = await bursts.keep_best(
        db, group_id, keeper_id=wish.keeper_id, reject_rest=wish.reject_rest, action_id=wish.action_id,
        session=wish.session,
    )  # fmt: skip
    return Json(outcome_json(outcome))
