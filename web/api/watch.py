"""Watched roots over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from web import watch
from web.context import Db, Json

router = APIRouter(tags=["library"])


class Watch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    watched: bool


@router.get("/roots/watched")
async def watched_roots(db: Db) -> Json:
    """Roots whose new files are imported by themselves, and why one cannot be looked at now."""
    return Json({"items": await watch.watched(db)})


@router.put("/roots/{root_id}/watch")
async def set_watched(root_id: Annotated[int, Path(ge=1, le=2**31 - 1)], request: Watch, db: Db) -> Json:
    """Watches a root from now on, all that is there first, or no longer; what was imported stays."""
    await (watch.watch if request.watched else watch.unwatch)(db, root_id)
    return Json({"items": await watch.watched(db)})
