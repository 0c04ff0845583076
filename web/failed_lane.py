"""The failed lane: trying again what a stage gave up on."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.base import Stage
from contracts.events import Event
from web import events, jobs
from web.database import Connection
from web.decisions import in_one_transaction
from web.errors import RequestError

LANE_STAGES: tuple[Stage, ...] = ("convert", "curate", "embed")


async def retry_photo(connection: Connection, photo_id: int) -> list[str]:
    """Tries the photo's failed stages again, first in line; returns them. Raises RequestError 404 or 409."""
    if not await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM photos WHERE id = $1 AND discarded_at IS NULL)", photo_id
    ):
        raise RequestError(404, f"There is no photograph {photo_id}.")

    async def work() -> list[str]:
        stages = [stage for stage in LANE_STAGES if await jobs.retry(connection, stage, [photo_id], urgent=True)]
        await _back_to_work(connection, [photo_id] if stages else [])
        return list(stages)

    stages = await in_one_transaction(connection, work)
    if not stages:
        raise RequestError(409, "No stage gave up on this photograph, so there is nothing to try again.")
    return stages


async def retry_all(connection: Connection) -> int:
    """Tries every photo of the failed lane again; returns how many photos."""

    async def work() -> int:
        retried: set[int] = set()
        for stage in LANE_STAGES:
            failed = await connection.fetch(
                """SELECT j.subject_id FROM jobs j JOIN photos p ON p.id = j.subject_id AND p.discarded_at IS NULL
                   WHERE j.stage = $1 AND j.status = 'failed' ORDER BY j.subject_id""",
                stage,
            )
            retried.update(await jobs.retry(connection, stage, [r["subject_id"] for r in failed], urgent=False))
        await _back_to_work(connection, sorted(retried))
        return len(retried)

    return await in_one_transaction(connection, work)


async def _back_to_work(connection: Connection, photo_ids: Sequence[int]) -> None:
    if not photo_ids:
        return
    await connection.execute(
        """UPDATE photos SET status = CASE WHEN status = 'failed' THEN 'waiting' ELSE status END,
               failure_reason = NULL, failure_detail = NULL WHERE id = ANY ($1)""",
        list(photo_ids),
    )
    await connection.execute("SELECT refresh_gallery($1)", list(photo_ids))
    await events.publish(connection, [Event(kind="photos", data={"stage": "retry", "ids": list(photo_ids)})])
