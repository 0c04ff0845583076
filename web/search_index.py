"""The index of search by likeness: one sign code a photograph (`domain.sign_codes`), in a table of its own.

A code is 96 bytes for the 1,536 of 768 half floats: those of a million photographs are written in seconds, read into
memory in one or two (`web.search_codes`), and scanned there for every search. Each build makes a table and takes the
place of the one before it when it is done, and search goes on meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from web.database import Connection
from web.encoders import active_encoder
from web.errors import RequestError

Progress = Callable[[int, int], None]
"""Told (photographs done, of how many)."""

SAMPLE = 20_000
"""Vectors that the mean is taken over."""
OUTSIDE_AT_MOST, OUTSIDE_SHARE = 5_000, 0.02
"""Vectors outside the index that a search compares one by one without being slowed down: so many, or that share."""
_WRITTEN_AT_A_TIME = 20_000
_LOCK = 5_730_417


@dataclass(frozen=True)
class Built:
    encoder: str
    vectors: int
    seconds: float


async def build(connection: Connection, progress: Progress) -> Built:
    """Indexes every vector of the active encoder.

    Raises RequestError where a build runs already, or where there is nothing to index.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        raise RequestError(409, "The search index is being built already. Wait for that build to finish.")
    try:
        return await _build(connection, progress)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _build(connection: Connection, progress: Progress) -> Built:
    encoder = await active_encoder(connection)
    if encoder is None or encoder.dim is None:
        raise RequestError(409, "No photograph is embedded yet, so there is nothing to index. Import some first.")
    started = time.monotonic()
    await _forget_leftovers(connection)
    table = f"search_codes_{encoder.id}_{await connection.fetchval('SELECT nextval($1)', 'vector_stamps')}"
    total = await connection.fetchval("SELECT count(*) FROM embeddings WHERE encoder_id = $1", encoder.id)
    progress(0, total)
    mean = await _mean(connection, encoder.id, total)
    vectors = await _write_codes(connection, table, encoder.id, encoder.dim, mean, lambda done: progress(done, total))
    await connection.execute(f"ANALYZE {table}")
    seconds = time.monotonic() - started
    await _put_in_force(connection, encoder.id, table, mean, vectors, seconds)
    return Built(encoder.name, vectors, seconds)


async def wanted(connection: Connection, large: int) -> bool:
    """Whether more than `large` photographs are embedded, so many of them outside the index that search slows down."""
    now = await state(connection)
    indexed, outside = now["indexed"], now["unindexed"]
    return bool(indexed + outside > large and outside > max(OUTSIDE_AT_MOST, OUTSIDE_SHARE * indexed))


_WRITE = f"""
WITH batch AS (
    SELECT photo_id, vec FROM embeddings WHERE encoder_id = $1 AND photo_id > $3 ORDER BY photo_id
    LIMIT {_WRITTEN_AT_A_TIME}
), made AS (
    INSERT INTO {{table}} SELECT photo_id, binary_quantize(vec - $2::halfvec)::bit({{dim}}) FROM batch
)
SELECT max(photo_id) AS last, count(*) AS n FROM batch
"""


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


async def _write_codes(
    connection: Connection, table: str, encoder_id: int, dim: int, mean: Any, progress: Callable[[int], None]
) -> int:
    """The codes of one moment, and which of the unindexed vectors are among them. Returns how many."""
    written = 0
    async with connection.transaction(isolation="repeatable_read"):
        await connection.execute(f"CREATE TABLE {table} (photo_id bigint NOT NULL, code bit({dim}) NOT NULL)")
        await connection.execute(f"ALTER TABLE {table} ALTER COLUMN code SET STORAGE PLAIN")
        await connection.execute(
            f"CREATE TABLE {table}_taken AS SELECT photo_id, stamp FROM unindexed_vectors "
            f"WHERE encoder_id = {encoder_id}"
        )
        last: int | None = -1
        while last is not None:
            row = await connection.fetchrow(_WRITE.format(table=table, dim=dim), encoder_id, mean, last)
            last, written = row["last"], written + row["n"]
            progress(written)
    return written


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
