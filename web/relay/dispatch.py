"""Due job rows become claims: by priority, within the dispatch window, as often as it takes and never by a timer alone.

A crash between the broker's confirm and the commit leaves the rows due: the claims go out once more, the same
generation and attempt, and the writer takes the first answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

import structlog

from contracts import topology
from contracts.base import Stage
from contracts.settings import Settings
from web import stages
from web.database import Connection
from web.jobs import PRIORITY_REST
from web.relay.broker import Publisher
from web.relay.claims import BUILDERS, Built
from web.reports import ReportBoard

log = structlog.get_logger()

BATCH = 500
"""Claims a transaction: their rows are locked until the broker has confirmed."""
URGENT_ROOM = 50
"""Claims of waiting persons that may go out beyond a full window."""
PUT_OFF_S = 20.0

_TAKE = """
SELECT stage, subject_id, generation, attempts, urgent, params FROM jobs
WHERE stage = $1 AND status = 'due' AND available_at <= now() AND (urgent OR NOT $3) AND priority >= $4
ORDER BY priority DESC, available_at, subject_id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_QUEUED = """
UPDATE jobs j SET status = 'queued', queued_at = now(), claim_id = c.claim_id::uuid
FROM unnest($2::bigint[], $3::text[]) AS c (subject_id, claim_id)
WHERE j.stage = $1 AND j.subject_id = c.subject_id
"""


def in_window(window: str, now: time) -> bool:
    """Whether `now` lies in `window`, "HH:MM-HH:MM", which may cross midnight; an empty window is always open."""
    if not window:
        return True
    start, end = (time.fromisoformat(part.strip()) for part in window.split("-"))
    return start <= now < end if start <= end else now >= start or now < end


class Dispatcher:
    """The relay's work, on one database connection (which holds the leader's lock) and one publisher."""

    def __init__(
        self, connection: Connection, publisher: Publisher, settings: Settings, board: ReportBoard, offline: set[int]
    ) -> None:
        self._connection = connection
        self._publisher = publisher
        self._settings = settings
        self._board = board
        self.offline = offline

    async def run_once(self) -> int:
        """One round over all stages; returns how many job rows moved."""
        moved = 0
        for row in await self._connection.fetch("SELECT *, breaker_until <= now() AS probe FROM stages"):
            stage: Stage = row["name"]
            if row["flush"]:
                await self.take_back(stage)
            window = self._window(row)
            if window:
                moved += await self._dispatch(stage, window)
        return moved

    def _window(self, row: Any) -> int:
        """Outstanding claims that a stage may have: none when paused, one while its breaker probes."""
        if not stages.is_paused(row):
            return self._settings.dispatch_window
        probing = row["breaker_kind"] == "upstream" and row["probe"] and not row["person_paused"]
        return 1 if probing else 0

    async def _dispatch(self, stage: Stage, window: int) -> int:
        moved = 0
        while True:
            outstanding = await self._connection.fetchval(
                "SELECT count(*) FROM jobs WHERE stage = $1 AND status = 'queued'", stage
            )
            room = window - outstanding
            urgent_only = room <= 0
            limit = min(BATCH, room if room > 0 else URGENT_ROOM)
            if urgent_only and window == 1:
                return moved
            taken = await self._publish_batch(stage, limit, urgent_only)
            moved += taken
            if taken < limit or urgent_only:
                return moved

    async def _publish_batch(self, stage: Stage, limit: int, urgent_only: bool) -> int:
        async with self._connection.transaction():
            lowest = self._lowest_priority(stage)
            rows = await self._connection.fetch(_TAKE, stage, limit, urgent_only, lowest)
            if not rows:
                return 0
            built = await BUILDERS[stage](self._connection, self._settings, rows, self.offline)
            await self._settle(stage, built)
            urgent = {row["subject_id"]: row["urgent"] for row in rows}
            await self._publisher.publish([(claim, urgent[claim.subject_id]) for claim in built.claims])
            await self._connection.execute(
                _QUEUED, stage, [c.subject_id for c in built.claims], [c.claim_id for c in built.claims]
            )
            for claim in built.claims:
                log.debug("claim_published", stage=stage, claim_id=claim.claim_id, photo_id=claim.photo_id,
                          generation=claim.generation, attempt=claim.attempt)  # fmt: skip
            return len(rows)

    def _lowest_priority(self, stage: Stage) -> int:
        """Outside its nightly window the language model works only on what somebody showed an interest in."""
        if stage != "curate" or in_window(self._settings.llm_window, datetime.now().astimezone().time()):
            return PRIORITY_REST
        return PRIORITY_REST + 1

    async def _settle(self, stage: Stage, built: Built) -> None:
        """The rows that need no claim now."""
        if built.put_off:
            await self._connection.execute(
                "UPDATE jobs SET available_at = now() + make_interval(secs => $3) "
                "WHERE stage = $1 AND subject_id = ANY ($2)",
                stage, built.put_off, PUT_OFF_S,
            )  # fmt: skip
        if built.without_subject:
            await self._connection.execute(
                "DELETE FROM jobs WHERE stage = $1 AND subject_id = ANY ($2)", stage, built.without_subject
            )
        if built.done:
            await self._connection.execute(
                "UPDATE jobs SET status = 'done', finished_at = now(), attempts = 0, dirty = false "
                "WHERE stage = $1 AND subject_id = ANY ($2)",
                stage, built.done,
            )  # fmt: skip

    async def take_back(self, stage: Stage) -> None:
        """Empties the stage's queue, so that a pause, a stop or new priorities act at once.

        What a consumer has in hand is left to it; an answer to a row that was taken back still counts.
        """
        await self._publisher.purge(queues_of(stage))
        in_hand = {claim.claim_id for report in self._board.workers() for claim in report.in_hand}
        rows = await self._connection.fetch(
            """UPDATE jobs SET status = 'due', claim_id = NULL, queued_at = NULL
               WHERE stage = $1 AND status = 'queued' AND claim_id::text <> ALL ($2) RETURNING 1""",
            stage, list(in_hand),
        )  # fmt: skip
        await self._connection.execute("UPDATE stages SET flush = false WHERE name = $1", stage)
        log.info("claims_taken_back", stage=stage, jobs=len(rows))


def queues_of(stage: str) -> Sequence[str]:
    """The queues where claims of a stage may wait."""
    if stage == "render":
        return (topology.now_queue("convert"),)
    return topology.queues_of_consumer(stage)
