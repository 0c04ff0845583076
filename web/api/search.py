"""Search."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from web import search
from web.context import Here, Json
from web.encoders import active_encoder
from web.items import items
from web.text_search import NoTextTowerError

router = APIRouter(tags=["search"])


@router.get("/search")
async def find(
    q: Annotated[str, Query(min_length=1, max_length=500)],
    here: Here,
    limit: Annotated[int, Query(ge=1, le=500)] = 60,
) -> Json:
    """By words, and by likeness where the encoder has a text tower; `note` says why it took no part."""
    async with here.pool.acquire() as connection:
        encoder = await active_encoder(connection)
        orders = [await search.by_words(connection, q)]
    note = None
    try:  # without a connection in hand: the answer may take five seconds
        vector = await here.text_tower.encode(q, encoder)
    except NoTextTowerError as reason:
        note = str(reason)
    async with here.pool.acquire() as connection:
        if note is None:
            orders.append(await search.by_likeness(connection, vector, str(encoder)))
        ids = search.merged(*orders)
        shown = await items(connection, ids[:limit])
    return Json({"items": shown, "total": len(ids), "by_likeness": note is None, "note": note})
