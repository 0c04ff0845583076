"""The photographs of a view that are nearest to a vector.

A view of at most `EXACT_AT_MOST` photographs is compared with every one of its vectors. Above that the encoder's search
index (`web.search_index`) proposes photographs by the Hamming distance of their codes, the filter applied inside the
scan; those, and the vectors that the index does not hold yet, are compared exactly. More are fetched until it is
unlikely that one of the nearest is still to come (`share_within`). Where that does not happen within `MOST_CANDIDATES`,
where the scan gives no more, and where there is no index, everything is compared: slower, never less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from web.database import Connection
from web.gallery_query import GalleryQuery, conditions
from web.progress import tab_counts

EXACT_AT_MOST = 100_000
"""Photographs of a view up to which no index is asked."""
NEAREST = 500
"""Photographs that a search by likeness shows."""
CANDIDATES = 700
"""Photographs of the index that are compared exactly at a time."""
MOST_CANDIDATES = 7_000
"""Photographs of the index after which comparing everything is as quick."""
SETTLED_FOR = 50
"""The nearest that have to be settled: what is seen first."""
SETTLED = 0.98
"""Share of those that lies within the front of the scan, by estimate. Where the front cuts a normal distribution off at
its mean the estimate is 0.91, for what is beyond is not seen; at 0.965 of it, 0.98."""
SCAN = {
    "hnsw.ef_search": "200",
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "200000",
    "hnsw.scan_mem_multiplier": "32",
    # Left to itself the planner sorts a whole view rather than walk the index.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_sort": "off",
}
"""Settings of the statement that walks the index. The defaults give 40 rows, and none beyond 20,000 looked at."""

_FEW = """
WITH inside AS MATERIALIZED (SELECT g.photo_id FROM gallery g WHERE {where} LIMIT {most} + 1),
few AS MATERIALIZED (SELECT array_agg(photo_id) AS ids FROM inside HAVING count(*) <= {most})
SELECT (SELECT count(*) FROM inside) AS size, ARRAY(
    SELECT e.photo_id FROM embeddings e
    WHERE e.encoder_id = {encoder} AND e.photo_id = ANY ((SELECT ids FROM few)::bigint[])
    ORDER BY e.vec <#> {vector}::halfvec, e.photo_id LIMIT {limit}
) AS ids
"""
_ALL = """
SELECT e.photo_id FROM embeddings e JOIN gallery g ON g.photo_id = e.photo_id
WHERE e.encoder_id = {encoder} AND {where} ORDER BY e.vec <#> {vector}::halfvec, e.photo_id LIMIT {limit}
"""
_PROPOSED = """
SELECT c.photo_id, c.code <~> binary_quantize({vector}::halfvec - {mean}::halfvec)::bit({dim}) AS apart
FROM {codes} c JOIN gallery g ON g.photo_id = c.photo_id WHERE {where} ORDER BY apart LIMIT {limit}
"""
_COMPARED = """
SELECT photo_id, vec <#> $2::halfvec AS far FROM embeddings WHERE encoder_id = $1 AND photo_id = ANY ($3::bigint[])
"""
_UNINDEXED = """
SELECT u.photo_id FROM unindexed_vectors u JOIN gallery g ON g.photo_id = u.photo_id
WHERE u.encoder_id = {encoder} AND {where}
"""


@dataclass(frozen=True)
class Index:
    """The search index in force: the table of its codes, and the mean that was subtracted."""

    codes: str
    mean: NDArray[np.float16]


async def nearest(
    connection: Connection, vector: NDArray[np.float16], encoder: str, view: GalleryQuery, limit: int = NEAREST
) -> list[int]:
    """Photos of `view`, nearest to the unit vector (d,) first, at most `limit`."""
    encoder_id = await connection.fetchval("SELECT id FROM encoders WHERE name = $1 AND dim = $2", encoder, len(vector))
    if encoder_id is None:
        return []
    if not await _surely_large(connection, view):
        size, ids = await _among_few(connection, vector, encoder_id, view, limit)
        if size <= EXACT_AT_MOST:
            return ids
    for _ in range(2):
        try:
            return await _among_many(connection, vector, encoder_id, view, limit)
        except asyncpg.UndefinedTableError:  # a build put another index in its place just now
            continue
    return await exact(connection, vector, encoder_id, view, limit)


async def _surely_large(connection: Connection, view: GalleryQuery) -> bool:
    return view.only_tab() and (await tab_counts(connection))[view.filter] > EXACT_AT_MOST


async def _among_few(
    connection: Connection, vector: NDArray[np.float16], encoder_id: int, view: GalleryQuery, limit: int
) -> tuple[int, list[int]]:
    """(size of the view, at most `EXACT_AT_MOST` + 1; the nearest, empty where it is larger)."""
    row = await connection.fetchrow(*_statement(_FEW, vector, encoder_id, view, limit, most=EXACT_AT_MOST))
    return row["size"], row["ids"]


async def exact(
    connection: Connection, vector: NDArray[np.float16], encoder_id: int, view: GalleryQuery, limit: int
) -> list[int]:
    """Compares every vector of the view, however many."""
    return _ids(await connection.fetch(*_statement(_ALL, vector, encoder_id, view, limit)))


async def _among_many(
    connection: Connection, vector: NDArray[np.float16], encoder_id: int, view: GalleryQuery, limit: int
) -> list[int]:
    index = await _index(connection, encoder_id)
    if index is not None:
        async with connection.transaction(readonly=True):
            found = await _walked(connection, index, vector, encoder_id, view, limit)
        if found is not None:
            return found
    return await exact(connection, vector, encoder_id, view, limit)


async def _index(connection: Connection, encoder_id: int) -> Index | None:
    row = await connection.fetchrow("SELECT codes, mean FROM search_indexes WHERE encoder_id = $1", encoder_id)
    return Index(row["codes"], row["mean"]) if row is not None else None


async def _walked(
    connection: Connection, index: Index, vector: NDArray[np.float16], encoder_id: int, view: GalleryQuery, limit: int
) -> list[int] | None:
    """The nearest by the index; None where it cannot tell them."""
    where = conditions(view)
    outside = _ids(
        await connection.fetch(_UNINDEXED.format(encoder=where.bind(encoder_id), where=where.sql()), *where.values)
    )
    far = await _compared(connection, vector, encoder_id, outside)
    apart: dict[int, int] = {}
    walk = await _walk(connection, index, vector, view)
    wanted = max(CANDIDATES, limit)
    while len(apart) < MOST_CANDIDATES:
        batch = dict(await walk.fetch(wanted))
        if len(batch) < wanted:  # the scan ended early, or most of the view is not in the index
            return None
        apart |= batch
        far |= await _compared(connection, vector, encoder_id, batch)
        best = sorted(far, key=lambda photo: (far[photo], photo))[:limit]
        known = [photo for photo in best[:SETTLED_FOR] if photo in apart]
        front = float(np.median(list(batch.values())))
        if share_within(front, [far[photo] for photo in known], [apart[photo] for photo in known]) >= SETTLED:
            return best
    return None


async def _walk(connection: Connection, index: Index, vector: NDArray[np.float16], view: GalleryQuery) -> Any:
    """A cursor over (photo, Hamming distance), nearest first."""
    where = conditions(view)
    sql = _PROPOSED.format(
        codes=index.codes,
        where=where.sql(),
        vector=where.bind(vector),
        mean=where.bind(index.mean),
        dim=len(vector),
        limit=2 * MOST_CANDIDATES,
    )
    await connection.execute("".join(f"SET LOCAL {name} = {value};" for name, value in SCAN.items()))
    return await connection.cursor(sql, *where.values)


async def _compared(
    connection: Connection, vector: NDArray[np.float16], encoder_id: int, photos: Iterable[int]
) -> dict[int, float]:
    """How far each lies, by id; the negative inner product."""
    return dict(await connection.fetch(_COMPARED, encoder_id, vector, list(photos)))


def share_within(front: float, far: Sequence[float], apart: Sequence[int]) -> float:
    """The share of photographs as near as these, some of them not fetched yet, whose codes lie within the front.

    `front`: the Hamming distance that the scan has come to; `far`, `apart`: of the nearest so far, the distances of the
    vectors and of their codes. The codes are taken for a line over the vectors, with normal errors.
    """
    if len(far) < 3:
        return 1.0
    slope, level = np.polyfit(far, apart, 1) if np.ptp(far) > 0 else (0.0, float(np.mean(apart)))
    expected = level + slope * np.array(far)
    spread = float(np.sqrt(np.sum((np.array(apart) - expected) ** 2) / (len(far) - 2)))
    normal = NormalDist(0.0, max(spread, 0.5))
    return float(np.mean([normal.cdf(front - place) for place in expected]))


def _statement(
    sql: str, vector: NDArray[np.float16], encoder_id: int, view: GalleryQuery, limit: int, **constants: int
) -> tuple[Any, ...]:
    """The text and its values, for `fetch`."""
    where = conditions(view)
    places = {"where": where.sql(), "encoder": where.bind(encoder_id), "vector": where.bind(vector)}
    return (sql.format(**places, limit=limit, **constants), *where.values)


def _ids(rows: Sequence[Any]) -> list[int]:
    return [row["photo_id"] for row in rows]
