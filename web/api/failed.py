"""The failed lane: retry one, retry all, discard."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from web import failed_lane, trash
from web.api.shapes import PhotoId
from web.context import Db, Here, Json

router = APIRouter(tags=["failed"])


@router.post("/photos/retry-failed")
async def retry_all(db: Db) -> Json:
    """Every photo of the failed lane is tried again, not one page of it."""
    return Json({"retried": await failed_lane.retry_all(db)})


@router.post("/photos/{photo_id}/retry")
async def retry(photo_id: PhotoId, db: Db) -> Json:
    return Json({"id": photo_id, "stages": await failed_lane.retry_photo(db, photo_id)})


@router.post("/photos/{photo_id}/discard")
async def discard(photo_id: PhotoId, db: Db, here: Here) -> Json:
    """Hides the photo and removes its derivatives; the original and the decisions stay."""
    gone = await trash.discard_one(db, photo_id)
    await asyncio.to_thread(trash.remove_files, here.settings, gone)
    return Json({"discarded": [photo_id]})
