"""Search."""

from __future__ import annotations

from fastapi import APIRouter

from web import gallery
from web.api.searched import PageView
from web.context import Db, Json
from web.errors import RequestError
from web.items import items

router = APIRouter(tags=["search"])


@router.get("/search")
async def find(query: PageView, db: Db) -> Json:
    """The best of a search, by words (`q`) and by likeness to words and photographs (`like`, `unlike`, `minus`,
    `toward`), within every facet of the gallery. `by_likeness` says whether likeness took part, `note` why not.
    """
    if query.found is None:
        raise RequestError(422, "Say what to look for: words as `q`, or ids of photographs as `like`.")
    found = await gallery.page(db, query.view(), query.limit, query.cursor)
    return Json(
        {
            "items": await items(db, found.ids),
            "next_cursor": found.next_cursor,
            "total": found.total,
            "by_likeness": query.found.near is not None,
            "note": query.found.note,
        }
    )
