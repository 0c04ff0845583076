"""The photographs of a view that are nearest to a vector.

A view of at most `EXACT_AT_MOST` photographs is compared with every one of its vectors. Above that the encoder's search
index (`web.search_index`) proposes `CANDIDATES` by the Hamming distance of their codes, the filter applied inside the
scan, and those and the vectors that the index does not hold yet are compared exactly. Where there is no index, or where
its scan ended early because few of those near the vector pass the filter, everything is compared, which is slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
"""Photographs of the index that are compared exactly. In a mixture of 120,000 vectors (`scripts/bench_search.py`)
recall was 1.000 of 1,000 and 0.993 of 500, there 0.953 under the filter that holds most neighbours back; the time grows
with their number. A view of the farther half of an archive alone is told apart less well by codes: 0.66."""
SCAN = {
    "hnsw.ef_search": "200",
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.max_scan_tuples": "100000",
    "hnsw.scan_mem_multiplier": "8",
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
SELECT c.photo_id FROM {codes} c JOIN gallery g ON g.photo_id = c.photo_id
WHERE {where} ORDER BY c.code <~> binary_quantize({vector}::halfvec - {mean}::halfvec)::bit({dim}) LIMIT {limit}
"""
_COMPARED = """
SELECT e.photo_id FROM (
    SELECT unnest({proposed}::bigint[]) AS photo_id
    UNION
    SELECT u.photo_id FROM unindexed_vectors u JOIN gallery g ON g.photo_id = u.photo_id
    WHERE u.encoder_id = {encoder} AND {where}
) p JOIN embeddings e ON e.encoder_id = {encoder} AND e.photo_id = p.photo_id
ORDER BY e.vec <#> {vector}::halfvec, e.photo_id LIMIT {limit}
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
    if index is None:
        return await exact(connection, vector, encoder_id, view, limit)
    wanted = max(CANDIDATES, limit)
    proposed = await _proposed(connection, index, vector, view, wanted)
    if len(proposed) < wanted:  # the scan ended early, or most of the view is not in the index
        return await exact(connection, vector, encoder_id, view, limit)
    statement = _statement(_COMPARED, vector, encoder_id, view, limit, proposed=proposed)
    return _ids(await connection.fetch(*statement))


async def _index(connection: Connection, encoder_id: int) -> Index | None:
    row = await connection.fetchrow("SELECT codes, mean FROM search_indexes WHERE encoder_id = $1", encoder_id)
    return Index(row["codes"], row["mean"]) if row is not None else None


async def _proposed(
    connection: Connection, index: Index, vector: NDArray[np.float16], view: GalleryQuery, limit: int
) -> list[int]:
    where = conditions(view)
    sql = _PROPOSED.format(
        codes=index.codes, where=where.sql(), vector=where.bind(vector), mean=where.bind(index.mean), dim=len(vector),
        limit=limit,
    )  # fmt: skip
    async with connection.transaction(readonly=True):
        await connection.execute("".join(f"SET LOCAL {name} = {value};" for name, value in SCAN.items()))
        return _ids(await connection.fetch(sql, *where.values))


def _statement(
    sql: str, vector: NDArray[np.float16], encoder_id: int, view: GalleryQuery, limit: int,
    *, proposed: Sequence[int] | None = None, **constants: int,
) -> tuple[Any, ...]:  # fmt: skip
    """The text and its values, for `fetch`."""
    where = conditions(view)
    places = {"where": where.sql(), "encoder": where.bind(encoder_id), "vector": where.bind(vector)}
    if proposed is not None:
        places["proposed"] = where.bind(proposed)
    return (sql.format(**places, limit=limit, **constants), *where.values)


def _ids(rows: Sequence[Any]) -> list[int]:
    return [row["photo_id"] for row in rows]
