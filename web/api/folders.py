"""Library roots and the folders below them: all that HTTP may look at on the disk."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from web import folders, roots
from web.context import Db, Json

router = APIRouter(tags=["library"])


@router.get("/roots")
async def library_roots(db: Db) -> Json:
    return Json({"items": [root for root in await roots.list_roots(db) if root["source"] != "uploads"]})


@router.get("/folders")
async def sub_folders(db: Db, path: Annotated[str | None, Query(max_length=4096)] = None) -> Json:
    """Sub-folders of `path`, which lies below a root; without it, the roots."""
    if path is None:
        listed = [root for root in await roots.list_roots(db) if root["source"] != "uploads"]
        entries = [{"name": root["name"], "path": root["path"]} for root in listed]
        return Json({"path": None, "root": None, "parent": None, "pictures": 0, "folders": entries})
    _, root_path, rel_path = await roots.root_of(db, path)
    return Json(await asyncio.to_thread(folders.listing, root_path, rel_path))
