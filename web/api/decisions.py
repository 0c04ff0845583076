"""Decisions, undo and history."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

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


class Undo(BaseModel):
    """An action, or the latest one of a session, or everything since a moment."""

    model_config = ConfigDict(extra="forbid")

    action_id: uuid.UUID | None = None
    session: str | None = Field(default=None, max_length=100)
    as_of: datetime | None = None
    ids: Ids | None = None
    """With `as_of`: these photos only."""

    @model_validator(mode="after")
    def _says_what(self) -> Undo:
        if self.action_id is None and self.session is None and self.as_of is None:
            raise ValueError("give an action_id, a session or as_of")
        if self.as_of is not None and self.as_of.tzinfo is None:
            raise ValueError("as_of needs a time zone, such as 2026-01-31T12:00:00Z")
        return self


@router.post("/undo")
async def undo(request: Undo, db: Db) -> Json:
    """Takes back one action, per photo only where the value is unchanged since."""
    if request.as_of is not None:
        undone = await history.restore(db, request.as_of, request.ids, request.session)
    else:
        undone = await history.undo(db, action_id=request.action_id, session=request.session)
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
    as_of: datetime | None = None


@router.get("/history")
async def actions(db: Db, query: Annotated[HistoryQuery, Query()]) -> Json:
    """Actions, newest first, of a photo or a session; with `as_of`, what a restore to that moment would put back."""
    if query.as_of is not None:
        if query.as_of.tzinfo is None:
            raise RequestError(422, "as_of needs a time zone, such as 2026-01-31T12:00:00Z.")
        only = None if query.photo_id is None else [query.photo_id]
        return Json(_preview(await history.changes_since(db, query.as_of, only)))
    found = await history.actions(
        db, photo_id=query.photo_id, session=query.session, before=query.before, limit=query.limit
    )
    return Json({"items": found, "next_before": found[-1]["id"] if len(found) == query.limit else None})


_PREVIEWED = 1_000


def _preview(changes: list[Any]) -> dict[str, Any]:
    listed = [{"photo_id": c.photo_id, "field": c.field, "then": c.old, "now": c.new} for c in changes[:_PREVIEWED]]
    return {"photos": len({c.photo_id for c in changes}), "changes": len(changes), "items": listed}
