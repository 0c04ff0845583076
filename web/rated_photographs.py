"""The photographs that a taste is learnt from, and those that stand for the archive: read from Postgres.

Versions of one photograph carry the same stars, which count once: as many ratings as the person gave.
"""

from __future__ import annotations

from typing import Any

from web.database import Connection

_RATED_ROWS = """
FROM decisions d
JOIN photos p ON p.id = d.photo_id AND p.discarded_at IS NULL
JOIN gallery g ON g.photo_id = d.photo_id
JOIN embeddings e ON e.photo_id = d.photo_id
WHERE d.rating IS NOT NULL AND e.encoder_id = $1
"""
_RATED = f"""
SELECT DISTINCT ON (coalesce(g.stack_front, d.photo_id))
    d.photo_id, d.rating, e.vec, p.root_id, g.folder, p.captured_at::date AS day, g.burst_group
{_RATED_ROWS} ORDER BY coalesce(g.stack_front, d.photo_id), d.photo_id <> g.stack_front, d.photo_id
"""
_HOW_MANY = f"SELECT count(DISTINCT coalesce(g.stack_front, d.photo_id)) {_RATED_ROWS}"

_OF_ARCHIVE = """
FROM gallery g JOIN embeddings e ON e.photo_id = g.photo_id AND e.encoder_id = $1
WHERE g.status = 'ready' AND NOT g.discarded
"""
# A hash of the id orders the archive at random and the same way every time.
_SAMPLE = f"""
WITH drawn AS (SELECT g.photo_id {_OF_ARCHIVE} ORDER BY hashint8extended(g.photo_id, 0) LIMIT $2)
SELECT e.vec FROM drawn JOIN embeddings e ON e.photo_id = drawn.photo_id AND e.encoder_id = $1 ORDER BY e.photo_id
"""


async def rated(connection: Connection, encoder_id: int) -> list[Any]:
    """Rated photographs that have a vector, by id: of each stack of versions the one in front, or the first that has.

    Columns: photo_id, rating, vec, root_id, folder, day, burst_group.
    """
    rows: list[Any] = await connection.fetch(_RATED, encoder_id)
    return sorted(rows, key=lambda row: row["photo_id"])


async def how_many(connection: Connection, encoder_id: int) -> int:
    """Rows of `rated`."""
    return int(await connection.fetchval(_HOW_MANY, encoder_id))


async def archive_sample(connection: Connection, encoder_id: int, most: int) -> list[Any]:
    """Vectors of at most `most` photographs, drawn at random among those that have one; the same ones every time."""
    return [row["vec"] for row in await connection.fetch(_SAMPLE, encoder_id, most)]


async def archive_size(connection: Connection, encoder_id: int, most: int) -> int:
    """How many `archive_sample` would draw."""
    return int(
        await connection.fetchval(f"SELECT count(*) FROM (SELECT {_OF_ARCHIVE} LIMIT $2) known", encoder_id, most)
    )
