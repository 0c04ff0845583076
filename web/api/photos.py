"""Photographs: pages of a view, ordered ids, items by id, renderings."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import numpy as np
import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.exif import inflate_exif
from web import gallery, jobs
from web.api.searched import PageView, View
from web.api.shapes import LARGEST_PAGE, PhotoId
from web.context import Db, Here, Json
from web.items import item, items
from web.renderings import Rendering, rendering, request_rendering

log = structlog.get_logger()
router = APIRouter(tags=["photos"])


class SomeIds(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ids: list[int] = Field(max_length=LARGEST_PAGE)


@router.get("/photos")
async def page(query: PageView, db: Db) -> Json:
    """One page of a view. Photos without the sort's key come last in both directions; a leading `-` is descending.

    A search (`q`, `like`, `unlike`) comes best first unless another sort is asked for; `note` says where likeness could
    not take part.
    """
    found = await gallery.page(db, query.view(), query.limit, query.cursor)
    return Json(
        {
            "items": await items(db, found.ids),
            "next_cursor": found.next_cursor,
            "total": found.total,
            "sort": str(found.order),
            "note": query.found.note if query.found is not None else None,
        }
    )


_BYTES = "application/octet-stream"


@router.get("/photos/ids", responses={200: {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}}})
async def ids(query: View, db: Db, request: Request) -> Response:
    """Every id of the view, in order: `{ids, total, sort, note}`.

    With `Accept: application/octet-stream` as whole numbers without sign, little-endian, of `X-Id-Bytes` bytes each: 4,
    or 8 where an id needs them. `X-Total` says how many, `X-Sort` in which order, `X-Note` (percent-encoded) where
    likeness could not take part.
    """
    ordered, order = await gallery.ordered_ids(db, query)
    note = query.found.note if query.found is not None else None
    if _BYTES not in request.headers.get("accept", ""):
        body = {"ids": ordered, "total": len(ordered), "sort": str(order), "note": note}
        return Json(body, headers={"Vary": "Accept"})
    kind = np.dtype("<u4" if ordered.max(initial=0) < 2**32 else "<u8")
    said = {"X-Total": str(len(ordered)), "X-Sort": str(order), "X-Id-Bytes": str(kind.itemsize), "Vary": "Accept"}
    if note is not None:
        said["X-Note"] = quote(note)
    return Response(ordered.astype(kind).tobytes(), headers=said, media_type=_BYTES)


@router.post("/photos/by-ids")
async def by_ids(request: SomeIds, query: View, db: Db) -> Json:
    """Items in the order of `ids`, and which of them the view of the query string holds."""
    return Json({"items": await items(db, request.ids), "in_view": await gallery.ids_in_view(db, query, request.ids)})


@router.get("/photos/{photo_id}")
async def one(photo_id: PhotoId, db: Db) -> Json:
    """One photo with all that is known of it. What a person opens is curated earlier.

    `focus_tiles` is null or `{rows, cols, values}`: where the picture is sharp, 0 to 255 (the sharpest tile of the
    frame), row by row, upright as the preview is. `picture_source` and `focus_source` say what was looked at.
    """
    found: dict[str, Any] = await item(db, photo_id)
    looked_at = await db.fetchrow(
        """SELECT p.picture_source, p.focus_source, p.focus_tiles, p.focus_rows, p.focus_cols, x.exif
           FROM photos p LEFT JOIN photo_exif x ON x.photo_id = p.id WHERE p.id = $1""",
        photo_id,
    )
    places = await db.fetch(
        """SELECT r.path || '/' || l.rel_path AS path FROM photo_locations l JOIN library_roots r ON r.id = l.root_id
           WHERE l.photo_id = $1 ORDER BY 1""",
        photo_id,
    )
    await jobs.raise_priority(db, "curate", [photo_id], jobs.PRIORITY_OPENED)
    return Json(
        found
        | {
            "exif": _tags(photo_id, looked_at["exif"]),
            "other_locations": [row["path"] for row in places],
            "picture_source": looked_at["picture_source"],
            "focus_source": looked_at["focus_source"],
            "focus_tiles": _tiles(looked_at),
        }
    )


def _tiles(row: Any) -> dict[str, Any] | None:
    """None where nothing was measured, or where grid and size do not fit."""
    tiles, rows, cols = row["focus_tiles"], row["focus_rows"], row["focus_cols"]
    if not tiles or len(tiles) != (rows or 0) * (cols or 0):
        return None
    return {"rows": rows, "cols": cols, "values": list(tiles)}


def _tags(photo_id: int, deflated: bytes | None) -> dict[str, Any]:
    try:
        return inflate_exif(deflated) if deflated else {}
    except ValueError as error:  # the rest of the photograph is worth showing
        log.warning("tags_unreadable", photo_id=photo_id, error=str(error))
        return {}


@router.post("/photos/{photo_id}/render")
async def render(photo_id: PhotoId, db: Db, here: Here) -> Json:
    """A native-size rendering (200), or 202 while it is made; the `photos` event says when it is there.

    `width` and `height` are its own, upright. `tiles` is null, or where the tiles of a rendering lie that is too large
    for a browser: replace {level}, {column} and {row} in their `url`. `max_level` is native size, each level below it
    is half as wide and high, rounded up, and `min_level` is one tile.
    """
    return _rendering(await request_rendering(db, here.settings, photo_id))


@router.get("/photos/{photo_id}/render")
async def rendered(photo_id: PhotoId, db: Db, here: Here) -> Json:
    """The same for a rendering that was asked for, without asking again; 409 with the reason when it was given up."""
    return _rendering(await rendering(db, here.settings, photo_id))


def _rendering(found: Rendering | None) -> Json:
    answer = {
        "ready": found is not None,
        "url": found and found.url,
        "width": found and found.width,
        "height": found and found.height,
        "tiles": found and found.tiles,
    }
    return Json(answer, 202 if found is None else 200)
