"""Which photographs to rate next: those whose rating teaches most about the rest (`domain.selection`)."""

from __future__ import annotations

import asyncio

import numpy as np

from domain import selection, taste
from web.database import Connection

_RATED = """
SELECT e.photo_id, d.rating, e.vec FROM decisions d
JOIN embeddings e ON e.photo_id = d.photo_id
JOIN encoders c ON c.id = e.encoder_id AND c.status = 'active'
WHERE d.rating IS NOT NULL ORDER BY e.photo_id
"""
# A hash of id and seed orders the archive at random and the same way every time.
_OPEN = """
WITH drawn AS (
    SELECT photo_id FROM gallery WHERE tabs & 32 <> 0
    ORDER BY hashint8extended(photo_id, $1) LIMIT $2
)
SELECT e.photo_id, NULL::smallint AS rating, e.vec FROM drawn
JOIN embeddings e ON e.photo_id = drawn.photo_id
JOIN encoders c ON c.id = e.encoder_id AND c.status = 'active'
ORDER BY e.photo_id
"""


async def next_to_rate(connection: Connection, size: int, seed: int) -> list[int]:
    """At most `size` unrated photos, in the order to rate them; empty while nothing has a vector."""
    rated = await connection.fetch(_RATED)
    unrated = await connection.fetch(_OPEN, seed, selection.SAMPLE)
    if not unrated:
        return []
    rows = [*rated, *unrated]
    features = np.stack([row["vec"] for row in rows])
    stars = np.array([row["rating"] for row in rated], np.float64)
    chosen = await asyncio.to_thread(_choose, features, stars, size, seed)
    return [rows[i]["photo_id"] for i in chosen]


def _choose(
    features: np.ndarray[tuple[int, ...], np.dtype[np.float16]],
    stars: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    size: int,
    seed: int,
) -> list[int]:
    index = np.arange(len(stars))
    model = taste.fit(stars, index, features, seed) if len(stars) else None
    return [int(i) for i in selection.next_batch(model, index, features, size, seed)]
