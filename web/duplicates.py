"""Copies: photos with the same pixels, and photos that look the same by their perceptual hash."""

from __future__ import annotations

from typing import Any

from web.database import Connection
from web.items import items

_GROUPS = """
WITH listed AS (
    SELECT p.id, p.pixel_hash, p.phash FROM photos p JOIN gallery g ON g.photo_id = p.id WHERE g.tabs & 257 <> 0
), same AS (
    SELECT array_agg(id ORDER BY id) AS ids FROM listed WHERE pixel_hash IS NOT NULL
    GROUP BY pixel_hash HAVING count(*) > 1
), alike AS (
    -- An even picture has a hash of no meaning.
    SELECT array_agg(id ORDER BY id) AS ids FROM listed WHERE phash NOT IN (0, -1)
    GROUP BY phash HAVING count(DISTINCT pixel_hash) > 1
)
SELECT 'same_pixels' AS kind, ids FROM same UNION ALL SELECT 'look_alike', ids FROM alike
ORDER BY ids LIMIT $2 OFFSET $1
"""


async def groups(connection: Connection, *, offset: int, limit: int) -> list[dict[str, Any]]:
    """Groups of two and more, `kind` same_pixels or look_alike, with their items."""
    rows = await connection.fetch(_GROUPS, offset, limit)
    shown = {item["id"]: item for item in await items(connection, sorted({i for row in rows for i in row["ids"]}))}
    return [{"kind": row["kind"], "photos": [shown[i] for i in row["ids"] if i in shown]} for row in rows]
