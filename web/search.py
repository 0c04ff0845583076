"""Search by words (what the model saw, tags, file names) and, with a text tower, by likeness to the query.

The two orders are merged by reciprocal ranks (Cormack, Clarke and Büttcher 2009, k = 60): neither scale has to be
compared with the other. Likeness is an exact scan: 80 ms for 100,000 photographs, and no index to tune.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from web.database import Connection
from web.gallery_query import GalleryQuery, conditions

CANDIDATES = 500
_RANK_OFFSET = 60

_BY_WORDS = """
SELECT g.photo_id FROM gallery g LEFT JOIN photo_metadata m ON m.photo_id = g.photo_id
WHERE {where} ORDER BY ts_rank(coalesce(m.words, ''), websearch_to_tsquery('english', {said})) DESC, g.photo_id
LIMIT {limit}
"""
_BY_LIKENESS = """
SELECT photo_id FROM (
    SELECT e.photo_id, e.vec <#> $1::halfvec AS distance FROM embeddings e
    JOIN encoders c ON c.id = e.encoder_id AND c.name = $2 WHERE e.encoder_id = c.id
    ORDER BY distance LIMIT $3
) near JOIN gallery g USING (photo_id) WHERE g.tabs & 1 <> 0 ORDER BY distance
"""


async def by_words(connection: Connection, text: str) -> list[int]:
    """Photos whose name, tags or description hold the words, best first."""
    where = conditions(GalleryQuery(q=text))
    said = where.bind(text)
    sql = _BY_WORDS.format(where=where.sql(), said=said, limit=CANDIDATES)
    return [row["photo_id"] for row in await connection.fetch(sql, *where.values)]


async def by_likeness(connection: Connection, vector: NDArray[np.float16], encoder: str) -> list[int]:
    """Photos nearest to the vector, nearest first."""
    return [row["photo_id"] for row in await connection.fetch(_BY_LIKENESS, vector, encoder, CANDIDATES)]


def merged(*orders: Sequence[int]) -> list[int]:
    """One order of several: each id scores the sum of `1 / (60 + rank)`."""
    scores: dict[int, float] = {}
    for order in orders:
        for rank, photo_id in enumerate(order, 1):
            scores[photo_id] = scores.get(photo_id, 0.0) + 1.0 / (_RANK_OFFSET + rank)
    return sorted(scores, key=lambda photo_id: (-scores[photo_id], photo_id))
