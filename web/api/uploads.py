"""One dropped photograph: stored, converted first in line, and found again whatever it became."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, UploadFile
from fastapi import Path as PathParameter

from web import uploads
from web.context import Db, Here, Json
from web.items import items

router = APIRouter(prefix="/uploads", tags=["uploads"])


@router.post("", status_code=202)
async def upload(file: UploadFile, here: Here) -> Json:
    """Takes one picture. Ask `GET /api/uploads/{upload}` for what became of it, or listen to /events."""
    rel_path = await uploads.store(here.settings, file)
    async with here.pool.acquire() as connection:  # not before: a large upload holds no connection
        photo_id = await uploads.register(connection, here.settings, rel_path)
    url = f"/api/uploads/{rel_path.partition('/')[0]}"
    return Json({"id": photo_id, "photo_id": photo_id, "url": url}, 202, {"Location": url})


@router.get("/{token}")
async def became(token: Annotated[str, PathParameter(pattern="^[0-9a-f]{32}$")], db: Db, here: Here) -> Json:
    """The item of an upload; a picture that was known already is the known photo."""
    photo_id = await uploads.photo_of(db, here.settings, token)
    return Json({"photo_id": photo_id, "item": next(iter(await items(db, [photo_id])), None)})
