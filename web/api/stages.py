"""Stages of the pipeline and the state of the whole."""

from __future__ import annotations

from fastapi import APIRouter

from web import progress, stages
from web.context import Db, Here, Json

router = APIRouter(tags=["stages"])


@router.get("/status")
async def status(db: Db, here: Here) -> Json:
    """As `fineshyt status --json` prints it, with the gallery's tabs and the workers that are alive.

    A stage says `paused_by` ("person", "breaker" or null) and `until`: when the breaker tries again, null when a person
    holds the stage or nobody does. The event `progress` holds the same.
    """
    return Json(await progress.snapshot(db, here.board))


@router.post("/stages/{name}/pause")
async def pause(name: str, db: Db) -> Json:
    await stages.pause(db, name)
    return Json({"name": name, "paused": True})


@router.post("/stages/{name}/resume")
async def resume(name: str, db: Db) -> Json:
    """Ends a pause, a person's or the breaker's; the next claim finds out whether it holds."""
    await stages.resume(db, name)
    return Json({"name": name, "paused": False})
