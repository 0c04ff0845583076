"""Housekeeping of the leader: lost claims, finished imports, free disk, encoder switches, old events."""

from __future__ import annotations

from typing import Any

import structlog

from contracts import topology
from contracts.events import Event
from contracts.settings import Settings
from domain.taste import ARCHIVE_SAMPLE, FEWEST_RATINGS
from web import bursts, counters, disk, events, imports, jobs, rated_photographs, roots, scoring
from web.database import Connection
from web.relay.broker import Publisher
from web.relay.dispatch import queues_of
from web.reports import ReportBoard

log = structlog.get_logger()
EVENTS_KEPT_HOURS = 24
LOGS_KEPT = 100_000


async def recover_lost_claims(
    connection: Connection, publisher: Publisher, settings: Settings, board: ReportBoard
) -> int:
    """Queued rows become due again when their claim is nowhere: no message ready, in no consumer's hands, no answer
    on its way. Returns how many."""
    old = await connection.fetch(
        """SELECT stage, claim_id::text AS claim_id FROM jobs
           WHERE status = 'queued' AND queued_at < now() - make_interval(secs => $1) LIMIT 5000""",
        settings.stuck_after_s,
    )
    if not old or await publisher.ready([topology.RESULTS_QUEUE, topology.DEAD_QUEUE]):
        return 0
    alive = board.seen_within((row["claim_id"] for row in old), settings.stuck_after_s)
    lost: list[str] = []
    for stage in {row["stage"] for row in old}:
        if await publisher.ready(queues_of(stage)) == 0:
            lost += [row["claim_id"] for row in old if row["stage"] == stage and row["claim_id"] not in alive]
    if lost:
        await connection.execute(
            """UPDATE jobs SET status = 'due', claim_id = NULL, queued_at = NULL
               WHERE status = 'queued' AND claim_id::text = ANY ($1)""",
            lost,
        )
        log.warning("lost_claims_due_again", jobs=len(lost))
    return len(lost)


async def watch_disk(connection: Connection, settings: Settings) -> None:
    """Convert and render wait while the disk is nearly full, and go on by themselves."""
    shortage = disk.shortage(settings)
    names = ["convert", "render"]
    if shortage is not None:
        changed = await connection.fetch(
            """UPDATE stages SET breaker_reason = $2, breaker_kind = 'disk', flush = true, changed_at = now()
               WHERE name = ANY ($1) AND breaker_kind IS DISTINCT FROM 'disk' RETURNING name""",
            names, shortage,
        )  # fmt: skip
    else:
        changed = await connection.fetch(
            """UPDATE stages SET breaker_reason = NULL, breaker_kind = NULL, breaker_until = NULL, changed_at = now()
               WHERE name = ANY ($1) AND breaker_kind = 'disk' RETURNING name""",
            names,
        )
    if changed:
        await events.publish(connection, [Event(kind="stages", data={"names": [row["name"] for row in changed]})])


async def switch_encoder(connection: Connection) -> None:
    """The encoder that is being built takes over once every photograph has its vector, or failed to get one."""
    row = await connection.fetchrow("SELECT id, name FROM encoders WHERE status = 'building' ORDER BY id DESC LIMIT 1")
    if row is None:
        return
    open_jobs = await connection.fetchval(
        "SELECT count(*) FROM jobs WHERE stage = 'embed' AND status IN ('due', 'queued')"
    )
    if open_jobs or not await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM embeddings WHERE encoder_id = $1)", row["id"]
    ):
        return
    async with connection.transaction():
        await connection.execute("UPDATE encoders SET status = 'retired' WHERE status = 'active'")
        await connection.execute("UPDATE encoders SET status = 'active' WHERE id = $1", row["id"])
        await jobs.request_single(connection, "taste")
        await events.publish(connection, [Event(kind="resync", data={})])
    log.info("encoder_switched", encoder=row["name"])


_LEARNT = f"""
SELECT e.id, length(m.photo_ids) / 8 AS ratings, m.archive_photos
FROM encoders e LEFT JOIN (SELECT m.* {scoring.IN_FORCE}) m ON m.encoder_id = e.id
WHERE e.status = 'active' AND NOT EXISTS (
    SELECT FROM jobs WHERE stage = 'taste' AND status IN ('due', 'queued', 'failed'))
"""


async def train_on_late_vectors(connection: Connection) -> None:
    """Photos that came with stars are rated before they have a vector; taste learns them once they have. So it does
    when twice as many photographs can stand for the archive as did."""
    learnt = await connection.fetchrow(_LEARNT)
    if learnt is None:
        return
    ratings = await rated_photographs.how_many(connection, learnt["id"])
    if ratings >= FEWEST_RATINGS and (ratings != learnt["ratings"] or await _archive_has_grown(connection, learnt)):
        async with connection.transaction():
            await jobs.request_single(connection, "taste")


async def _archive_has_grown(connection: Connection, learnt: Any) -> bool:
    known: int | None = learnt["archive_photos"]
    if known is None or known >= ARCHIVE_SAMPLE:
        return False
    return await rated_photographs.archive_size(connection, learnt["id"], ARCHIVE_SAMPLE) >= 2 * max(known, 1)


async def forget_old(connection: Connection) -> None:
    """Events older than a day are not replayed; the log keeps its newest rows."""
    await connection.execute("DELETE FROM events WHERE at < now() - make_interval(hours => $1)", EVENTS_KEPT_HOURS)
    await connection.execute("DELETE FROM error_logs WHERE id <= (SELECT max(id) FROM error_logs) - $1", LOGS_KEPT)


async def every_second(connection: Connection) -> None:
    await imports.finish_imports(connection)
    await counters.fold(connection)


async def every_ten_seconds(
    connection: Connection, publisher: Publisher, settings: Settings, board: ReportBoard, offline: set[int]
) -> None:
    """Updates `offline` in place with the roots that cannot be read now."""
    back = set(offline)
    offline.clear()
    offline.update(await roots.note_offline(connection))
    if back - offline:
        await connection.execute(
            "UPDATE jobs SET available_at = now() WHERE status = 'due' AND available_at > now() AND attempts = 0"
        )
    await watch_disk(connection, settings)
    await recover_lost_claims(connection, publisher, settings, board)
    await switch_encoder(connection)
    await bursts.detect_when_embedded(connection)
    await train_on_late_vectors(connection)
