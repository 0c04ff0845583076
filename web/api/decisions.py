"""Decisions, undo and history."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from web import history
from web.api.shapes import Action, Ids, PhotoId, outcome_json
from web.context import Db, Json
from web.decisions import Change, apply_decisions
from web.errors import RequestError
from web.items import item

router = APIRouter(tags=["decisions"])


class Decision(Change, Action):
    """Any of the decisions for one photo."""

    model_config = ConfigDict(extra="forbid")

    def change(self) -> Change:
        said = self.model_dump(include=self.model_fields_set & Change.model_fields.keys())
        if not said:
            raise RequestError(422, "Say what to decide: rating, manual_match, rejected, project, tags or seen.")
        return Change.model_validate(said)


class Decisions(Decision):
    """The same decisions for many photos, as one action."""

    ids: Ids


@router.put("/photos/{photo_id}/decision")
async def decide(photo_id: PhotoId, request: Decision, db: Db) -> Json:
    """Rates, picks, rejects, assigns or tags one photo; null clears. Answers with the item as it is now."""
    outcome = await apply_decisions(
        db, [photo_id], request.change(), action_id=request.action_id, session=request.session
    )
    if outcome.missing:
        raise RequestError(404, f"There is no photograph {photo_id}.")
    return Json(outcome_json(outcome) | {"item": await item(db, photo_id)})


@router.post("/photos/decisions")
async def decide_many(request: Decisions, db: Db) -> Json:
    """The same for many photos, as one action: one undo takes all of it back."""
    outcome = await apply_decisions(
        db, request.ids, request.change(), action_id=request.action_id, session=request.session
    )
    return Json(outcome_json(outcome))


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("the moment needs a time zone, such as 2026-01-31T12:00:00Z")
    return moment


Moment = Annotated[datetime, AfterValidator(_with_zone)]


class Undo(BaseModel):
    """An action, or the latest one of a session, or everything since a moment."""

    model_config = ConfigDict(extra="forbid")

    action_id: uuid.UUID | None = None
    session: str | None = Field(default=None, max_length=100)
    undo_id: uuid.UUID | None = None
    """The name of the undo itself: sent again, it takes nothing more back."""
    as_of: Moment | None = None
    ids: Ids | None = None
    """With `as_of`: these photos only."""

    @model_validator(mode="after")
    def _says_what(self) -> Undo:
        if self.action_id is None and self.session is None and self.as_of is None:
            raise ValueError("give an action_id, a session or as_of")
        return self


@router.post("/undo")
async def undo(request: Undo, db: Db) -> Json:
    """Takes back one action, per photo only where the value is unchanged since."""
    if request.as_of is not None:
        undone = await history.restore(db, request.as_of, request.ids, request.session)
    else:
        undone = await history.undo(db, action_id=request.action_id, session=request.session, undo_id=request.undo_id)
    return Json(
        {
            "action_id": undone.action_id,
            "undoes": undone.undoes,
            "reverted": undone.reverted,
            "kept": undone.kept,
        }
    )


class HistoryQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    photo_id: int | None = None
    session: str | None = None
    before: int | None = None
    limit: int = Field(default=50, ge=1, le=200)
    as_of: Moment | None = None


@router.get("/history")
async def actions(db: Db, query: Annotated[HistoryQuery, Query()]) -> Json:
    """Actions, newest first, of a photo or a session; with `as_of`, what a restore to that moment would put back.

    Each change says its photo's `filename` and `thumb_url` (null where there is none).
    """
    if query.as_of is not None:
        only = None if query.photo_id is None else [query.photo_id]
        return Json(await history.preview(db, query.as_of, only))
    found = await history.actions(
        db, photo_id=query.photo_id, session=query.session, before=query.before, limit=query.limit
    )
    return Json({"items": found, "next_before": found[-1]["id"] if len(found) == query.limit else None})


class Preview(BaseModel):
    """A moment, and the photos to look at; without `ids` all of them."""

    model_config = ConfigDict(extra="forbid")

    as_of: Moment
    ids: Ids | None = None


@router.post("/history/preview")
async def preview(request: Preview, db: Db) -> Json:
    """What `POST /api/undo` with the same `as_of` and `ids` would put back; changes nothing.

    `photos` and `changes` count all of it, `items` are the first 1,000 changes: `{photo_id, field, then, now, filename,
    thumb_url}`.
    """
    return Json(await history.preview(db, request.as_of, request.ids))
