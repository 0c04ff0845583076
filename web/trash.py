"""Discarding: derivatives go, decisions stay, originals are never touched."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from contracts.events import Event
from contracts.settings import Settings
from web import events
from web.database import Connection
from web.decisions import in_one_transaction
from web.derivatives import remove_derivatives
from web.errors import RequestError
from web.gallery_query import GalleryQuery, conditions
from web.progress import tab_counts


async def discard(connection: Connection, photo_ids: Sequence[int]) -> list[tuple[int, int | None]]:
    """Hides these photos for good; returns `(photo, generation)` of the files to remove after the commit.

    Their jobs end. The row of `convert` stays, so that a photo that is brought back gets a new generation.
    """
    rows = await connection.fetch(
        """WITH before AS (
               SELECT id, derivative_generation FROM photos
               WHERE id = ANY ($1::bigint[]) AND discarded_at IS NULL ORDER BY id FOR UPDATE
           )
           UPDATE photos p SET discarded_at = now(), derivative_generation = NULL, status = 'waiting',
               failure_reason = NULL, failure_detail = NULL
           FROM before b WHERE p.id = b.id RETURNING p.id, b.derivative_generation""",
        list(photo_ids),
    )
    ids = [row["id"] for row in rows]
    await connection.execute(
        """DELETE FROM jobs WHERE subject_id = ANY ($1) AND (stage = 'render'
               OR (stage IN ('curate', 'embed') AND status IN ('due', 'queued', 'failed')))""",
        ids,
    )
    await connection.execute(
        """UPDATE jobs SET status = 'cancelled', claim_id = NULL, queued_at = NULL, error = NULL
           WHERE stage = 'convert' AND subject_id = ANY ($1) AND status <> 'done'""",
        ids,
    )
    await connection.execute("SELECT refresh_gallery($1)", ids)
    if ids:
        await events.publish(connection, [Event(kind="removed", data={"ids": ids})])
    return [(row["id"], row["derivative_generation"]) for row in rows]


async def discard_one(connection: Connection, photo_id: int) -> list[tuple[int, int | None]]:
    """Raises RequestError 404 for a photo that is not there (any more)."""
    gone = await in_one_transaction(connection, lambda: discard(connection, [photo_id]))
    if not gone:
        raise RequestError(404, f"There is no photograph {photo_id}. It may have been discarded already.")
    return gone


async def count(connection: Connection) -> int:
    """Photos that emptying the trash would discard."""
    return (await tab_counts(connection))["rejected"]


async def empty(connection: Connection, expected: int) -> list[tuple[int, int | None]]:
    """Discards every rejected photo, if there are `expected` of them; refused with the true count otherwise."""

    async def work() -> list[tuple[int, int | None]]:
        rejected = conditions(GalleryQuery(filter="rejected")).sql()
        rows = await connection.fetch(f"SELECT g.photo_id FROM gallery g WHERE {rejected}")
        if len(rows) != expected:
            raise TrashChangedError(len(rows))
        return await discard(connection, [row["photo_id"] for row in rows])

    return await in_one_transaction(connection, work)


class TrashChangedError(RequestError):
    """Use this when the person confirmed another number than there is. `count` is the true one."""

    def __init__(self, count: int) -> None:
        super().__init__(409, f"The trash holds {count} photographs now. Look again before emptying it.")
        self.count = count


def remove_files(settings: Settings, gone: Sequence[tuple[int, int | None]]) -> None:
    """Removes the derivatives; what cannot be removed takes space and does no other harm."""
    for photo_id, generation in gone:
        with suppress(OSError):
            remove_derivatives(settings.derivatives_dir, photo_id, generation)
