"""The trash: rejected photographs, until it is emptied. Originals stay where they are."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from web import trash
from web.context import Db, Here, Json
from web.problems import problem

router = APIRouter(prefix="/trash", tags=["trash"])


class Empty(BaseModel):
    model_config = ConfigDict(extra="forbid")

    expected: int = Field(ge=0)
    """The count that the person was shown."""


@router.get("")
async def count(db: Db) -> Json:
    return Json({"count": await trash.count(db)})


@router.post("/empty")
async def empty(request: Empty, db: Db, here: Here) -> Response:
    """Removes the derivatives of every rejected photo and hides it; 409 with the true count when that is another."""
    try:
        gone = await trash.empty(db, request.expected)
    except trash.TrashChangedError as changed:
        return problem(changed.status, changed.sentence, count=changed.count)
    await asyncio.to_thread(trash.remove_files, here.settings, gone)
    return Json({"discarded": len(gone)})
