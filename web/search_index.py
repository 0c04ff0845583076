"""The index of search by likeness: one code of signs a photograph, and an HNSW graph over the codes.

A code is the sign of each value of the vector less the mean of all: 96 bytes for 768 values instead of 1,536, so that
the graph of a million photographs fits in memory and is built several times quicker than one over the vectors. What
the codes lose is made good by comparing the best exactly. Each build makes a table of its own and takes the place of
the one before it when it is done: search goes on meanwhile, and nothing is ever inserted into a graph.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import psutil

from web.database import Connection
from web.errors import RequestError

Phase = Literal["codes", "graph"]
Progress = Callable[[Phase, int, int], None]
"""Told (phase, done, of how many) twice a second."""

SAMPLE = 20_000
"""Vectors that the mean is taken over."""
LINKS, CANDIDATES = 16, 100
"""`m` and `ef_construction` of the graph."""
_BYTES_A_VECTOR = 1_200
"""Memory that a build needs for each (measured: 1.0 kB at 768 values)."""
_LEAST_MEMORY = 64 << 20
_LOCK = 5_730_417
_LOOK_S = 0.5


@dataclass(frozen=True)
class Built:
    encoder: str
    vectors: int
    seconds: float


async def build(connection: Connection, watcher: Connection, progress: Progress) -> Built:
    """Indexes every vector of the active encoder. `watcher`: a second connection, which looks at the progress.

    Raises RequestError where a build runs already, or where there is nothing to index.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        raise RequestError(409, "The search index is being built already. Wait for that build to finish.")
    try:
        return await _build(connection, watcher, progress)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _build(connection: Connection, watcher: Connection, progress: Progress) -> Built:
    encoder = await connection.fetchrow("SELECT id, name, dim FROM encoders WHERE status = 'active'")
    if encoder is None or encoder["dim"] is None:
        raise RequestError(409, "No photograph is embedded yet, so there is nothing to index. Import some first.")
    started = time.monotonic()
    await _forget_leftovers(connection)
    table = f"search_codes_{encoder['id']}_{await connection.fetchval('SELECT nextval($1)', 'vector_stamps')}"
    total = await connection.fetchval("SELECT count(*) FROM embeddings WHERE encoder_id = $1", encoder["id"])
    progress("codes", 0, total)
    mean = await _mean(connection, encoder["id"], total)
    vectors = await _write_codes(connection, table, encoder["id"], encoder["dim"], mean)
    progress("codes", vectors, vectors)
    await _prepare(connection, vectors)
    watching = asyncio.create_task(_watch(watcher, table, vectors, progress))
    try:
        await connection.execute(
            f"CREATE INDEX ON {table} USING hnsw (code bit_hamming_ops) "
            f"WITH (m = {LINKS}, ef_construction = {CANDIDATES})",
            timeout=None,
        )
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    progress("graph", vectors, vectors)
    await connection.execute(f"ANALYZE {table}")
    seconds = time.monotonic() - started
    await _put_in_force(connection, encoder["id"], table, mean, vectors, seconds)
    return Built(encoder["name"], vectors, seconds)


async def _forget_leftovers(connection: Connection) -> None:
    """Tables of builds that were broken off."""
    rows = await connection.fetch(
        r"""SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^search_codes_\d+_\d+(_taken)?$'
            AND relname NOT IN (SELECT codes FROM search_indexes)"""
    )
    for row in rows:
        await connection.execute(f"DROP TABLE {row['relname']}")


async def _mean(connection: Connection, encoder_id: int, total: int) -> Any:
    """Of about `SAMPLE` vectors, drawn the same way every time."""
    return await connection.fetchval(
        """SELECT avg(vec)::halfvec FROM embeddings
           WHERE encoder_id = $1 AND abs(hashint8extended(photo_id, 0) % greatest($2::bigint, 1)) < $3::bigint""",
        encoder_id, total, SAMPLE,
    )  # fmt: skip


async def _write_codes(connection: Connection, table: str, encoder_id: int, dim: int, mean: Any) -> int:
    """The codes of one moment, and which of the unindexed vectors are among them. Returns how many."""
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(f"CREATE TABLE {table} (photo_id bigint NOT NULL, code bit({int(dim)}) NOT NULL)")
        await connection.execute(f"ALTER TABLE {table} ALTER COLUMN code SET STORAGE PLAIN")
        written = await connection.execute(
            f"""INSERT INTO {table} SELECT photo_id, binary_quantize(vec - $2::halfvec)::bit({int(dim)})
                FROM embeddings WHERE encoder_id = $1""",
            encoder_id, mean, timeout=None,
        )  # fmt: skip
        await connection.execute(
            f"CREATE TABLE {table}_taken AS SELECT photo_id, stamp FROM unindexed_vectors WHERE encoder_id = "
            f"{int(encoder_id)}"
        )
    return int(written.split()[-1])


async def _prepare(connection: Connection, vectors: int) -> None:
    """Memory for the whole graph, within half of what is free: beyond it a build slows down tenfold."""
    wanted = min(vectors * _BYTES_A_VECTOR, psutil.virtual_memory().available // 2)
    memory = max(wanted, _LEAST_MEMORY) >> 10
    workers = max(1, (os.cpu_count() or 2) - 1)
    await connection.execute(
        f"SET maintenance_work_mem = '{memory}kB'; SET max_parallel_maintenance_workers = {workers};"
        "SET min_parallel_table_scan_size = '1MB'"
    )


async def _watch(watcher: Connection, table: str, vectors: int, progress: Progress) -> None:
    while True:
        done = await watcher.fetchval(
            "SELECT tuples_done FROM pg_stat_progress_create_index WHERE relid = to_regclass($1)", table
        )
        progress("graph", min(done or 0, vectors), vectors)
        await asyncio.sleep(_LOOK_S)


async def _put_in_force(
    connection: Connection, encoder_id: int, table: str, mean: Any, vectors: int, seconds: float
) -> None:
    async with connection.transaction():
        old = await connection.fetchval("SELECT codes FROM search_indexes WHERE encoder_id = $1", encoder_id)
        await connection.execute(
            """INSERT INTO search_indexes (encoder_id, codes, mean, vectors, seconds) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (encoder_id) DO UPDATE SET codes = excluded.codes, mean = excluded.mean,
                   vectors = excluded.vectors, seconds = excluded.seconds, built_at = now()""",
            encoder_id, table, mean, vectors, seconds,
        )  # fmt: skip
        await connection.execute(
            f"""DELETE FROM unindexed_vectors u USING {table}_taken t
                WHERE u.encoder_id = $1 AND u.photo_id = t.photo_id AND u.stamp = t.stamp""",
            encoder_id,
        )
        await connection.execute(f"DROP TABLE {table}_taken")
        if old is not None:
            await connection.execute(f"DROP TABLE {old}")


async def state(connection: Connection) -> dict[str, Any]:
    """Of the active encoder: vectors in the index (0: there is none), vectors outside, when it was built."""
    row = await connection.fetchrow(
        """SELECT e.name AS encoder, coalesce(s.vectors, 0) AS indexed, s.seconds, s.built_at,
               (SELECT count(*) FROM unindexed_vectors u WHERE u.encoder_id = e.id) AS unindexed
           FROM encoders e LEFT JOIN search_indexes s ON s.encoder_id = e.id WHERE e.status = 'active'"""
    )
    return dict(row) if row is not None else {"encoder": None, "indexed": 0, "unindexed": 0}
