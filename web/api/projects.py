"""Projects: list, rename, delete the label, merge."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from web import projects
from web.api.shapes import Action, outcome_json
from web.context import Db, Json

router = APIRouter(prefix="/projects", tags=["projects"])


class Rename(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)


class Merge(Action):
    sources: list[str] = Field(min_length=1, max_length=1000)
    into: str = Field(min_length=1, max_length=200)


@router.get("")
async def listed(db: Db) -> Json:
    return Json({"items": await projects.listed(db)})


@router.post("/merge")
async def merge(request: Merge, db: Db) -> Json:
    """Moves the photographs of all `sources` to `into`; undo takes them back."""
    outcome = await projects.merge(
        db, request.sources, request.into, action_id=request.action_id, session=request.session
    )
    return Json(outcome_json(outcome))


@router.get("/{name:path}")
async def one(name: str, db: Db) -> Json:
    """How many photographs carry the label, how many of them are rated, and the cover; asked before it is taken off.

    `photos` counts what the gallery lists; `rejected` are further ones that carry the label.
    """
    return Json(await projects.one(db, name))


@router.patch("/{name:path}")
async def rename(name: str, request: Rename, db: Db) -> Json:
    await projects.rename(db, name, request.name)
    return Json({"name": request.name.strip()})


@router.delete("/{name:path}")
async def delete(name: str, db: Db, session: str | None = None) -> Json:
    """Takes the label off; the photographs stay."""
    return Json(outcome_json(await projects.delete(db, name, session=session)))
