"""From the rows alone, rebuild the work that is due and what is derived: Postgres is the truth, the broker transport.

Safe at any time, also while everything runs: an answer to a claim that was sent twice is applied once.
"""

from __future__ import annotations

from typing import Any

from contracts.base import Stage
from contracts.settings import Settings
from web import counters, jobs, missing_previews, scoring
from web.database import Connection
from web.leftovers import remove_leftovers
from web.tags import write_effective_tags

_CHUNK = 2_000
_FOLLOWERS: tuple[Stage, ...] = ("curate", "embed")


async def reconcile(connection: Connection, settings: Settings | None = None) -> dict[str, int]:
    """Returns how much was mended, by kind. With settings, missing previews are made anew and orphaned ones go."""
    mended = {
        "claims_due_again": await _claims(connection),
        "convert_due": await _missing_convert(connection),
        "scan_due": await _missing_scan(connection),
    }
    for stage in _FOLLOWERS:
        mended[f"{stage}_due"] = await _missing_follower(connection, stage)
    mended["jobs_removed"] = await _orphaned_jobs(connection)
    mended["gallery_rows"] = await rebuild_gallery(connection)
    await counters.rebuild(connection)
    async with connection.transaction():
        await jobs.request_single(connection, "taste")
        await scoring.request_scoring(connection)
    if settings is not None:
        # First, while nothing is due: what open work may have written is left alone.
        mended["leftovers_removed"] = await remove_leftovers(connection, settings)
        mended["previews_due"] = await missing_previews.convert_again(connection, settings)
    return mended


def _count(rows: list[Any]) -> int:
    return len(rows)


async def _claims(connection: Connection) -> int:
    """Whatever was sent and not answered is sent again, its generation and attempt unchanged."""
    rows = await connection.fetch(
        """UPDATE jobs SET status = 'due', available_at = now(), claim_id = NULL, queued_at = NULL
           WHERE status = 'queued' RETURNING 1"""
    )
    await jobs.wake_relay(connection)
    return _count(rows)


async def _missing_convert(connection: Connection) -> int:
    rows = await connection.fetch(
        """SELECT p.id FROM photos p LEFT JOIN jobs j ON j.stage = 'convert' AND j.subject_id = p.id
           WHERE p.status = 'waiting' AND p.discarded_at IS NULL
             AND (j.status IS NULL OR j.status IN ('done', 'cancelled'))"""
    )
    await jobs.make_due(connection, "convert", [row["id"] for row in rows])
    return _count(rows)


async def _missing_scan(connection: Connection) -> int:
    rows = await connection.fetch(
        """SELECT f.id FROM import_folders f JOIN imports i ON i.id = f.import_id AND i.status = 'scanning'
           WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.stage = 'scan' AND j.subject_id = f.id)"""
    )
    await jobs.make_due(connection, "scan", [row["id"] for row in rows], priority=jobs.PRIORITY_ASKED)
    return _count(rows)


async def _missing_follower(connection: Connection, stage: Any) -> int:
    """Ready photos without the stage's result and without open or failed work for it."""
    lacks = {
        "curate": "NOT EXISTS (SELECT 1 FROM photo_metadata m WHERE m.photo_id = p.id)",
        "embed": """NOT EXISTS (SELECT 1 FROM embeddings e JOIN encoders c ON c.id = e.encoder_id
                    WHERE e.photo_id = p.id AND c.status = 'active')""",
    }[stage]
    rows = await connection.fetch(
        f"""SELECT p.id FROM photos p LEFT JOIN jobs j ON j.stage = $1 AND j.subject_id = p.id
            WHERE p.status = 'ready' AND p.discarded_at IS NULL AND p.derivative_generation IS NOT NULL AND {lacks}
              AND (j.status IS NULL OR j.status IN ('done', 'cancelled'))
              -- Its preview is being made anew, and convert asks for what follows.
              AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.stage = 'convert' AND c.subject_id = p.id
                              AND c.status IN ('due', 'queued'))""",
        stage,
    )
    await jobs.make_due(connection, stage, [row["id"] for row in rows])
    return _count(rows)


async def _orphaned_jobs(connection: Connection) -> int:
    rows = await connection.fetch(
        """DELETE FROM jobs j WHERE stage IN ('convert', 'render', 'curate', 'embed')
           AND NOT EXISTS (SELECT 1 FROM photos p WHERE p.id = j.subject_id) RETURNING 1"""
    )
    return _count(rows)


async def rebuild_gallery(connection: Connection) -> int:
    """The read model from its sources, in chunks; rows of photos that are gone go too."""
    last = await connection.fetchval("SELECT coalesce(max(id), 0) FROM photos")
    for start in range(0, last + 1, _CHUNK):
        async with connection.transaction():
            ids = await connection.fetchval(
                "SELECT coalesce(array_agg(id), '{}') FROM photos WHERE id >= $1 AND id < $2", start, start + _CHUNK
            )
            await write_effective_tags(connection, ids)
            await connection.execute("SELECT refresh_gallery($1)", ids)
    await connection.execute("DELETE FROM gallery g WHERE NOT EXISTS (SELECT 1 FROM photos p WHERE p.id = g.photo_id)")
    return int(await connection.fetchval("SELECT count(*) FROM gallery"))
