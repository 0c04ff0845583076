"""Job rows: the outbox. Whoever changes state writes the jobs that follow in the same transaction.

A job is unique on (stage, subject). `generation` counts the versions of the work: asking again for work that has not
changed keeps it, so that a late answer still counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.base import Stage
from web.database import Connection

WAKE_RELAY = "fineshyt_due"

PRIORITY_ASKED = 40
PRIORITY_OPENED = 30
PRIORITY_RATED = 20
PRIORITY_MATCH = 10
PRIORITY_REST = 0
PRIORITIES = (PRIORITY_REST, PRIORITY_MATCH, PRIORITY_RATED, PRIORITY_OPENED, PRIORITY_ASKED)


async def make_due(
    connection: Connection,
    stage: Stage,
    subjects: Sequence[int],
    *,
    priority: int = PRIORITY_REST,
    urgent: bool = False,
    params: dict[str, Any] | None = None,
) -> None:
    """New work for `subjects`: a new generation, whatever the row said before. Attempts start again at none."""
    if not subjects:
        return
    await connection.execute(
        """
        INSERT INTO jobs AS j (stage, subject_id, priority, urgent, params)
        SELECT $1, s, $3, $4, $5 FROM unnest($2::bigint[]) s
        ON CONFLICT (stage, subject_id) DO UPDATE SET
            status = 'due', generation = j.generation + 1, attempts = 0, priority = excluded.priority,
            urgent = excluded.urgent, params = excluded.params, available_at = now(), error = NULL, dirty = false,
            claim_id = NULL, queued_at = NULL, finished_at = NULL
        """,
        stage, list(subjects), priority, urgent, params,
    )  # fmt: skip
    await wake_relay(connection)


async def retry(connection: Connection, stage: Stage, subjects: Sequence[int], *, urgent: bool = True) -> list[int]:
    """Failed jobs become due again, their work unchanged. Returns the subjects that were failed."""
    rows = await connection.fetch(
        """
        UPDATE jobs SET status = 'due', generation = generation + 1, attempts = 0, urgent = $3, available_at = now(),
            error = NULL, finished_at = NULL, priority = CASE WHEN $3 THEN $4 ELSE priority END
        WHERE stage = $1 AND subject_id = ANY ($2) AND status = 'failed'
        RETURNING subject_id
        """,
        stage, list(subjects), urgent, PRIORITY_ASKED,
    )  # fmt: skip
    await wake_relay(connection)
    return [row["subject_id"] for row in rows]


async def request_single(
    connection: Connection, stage: Stage, *, subject: int = 0, params: dict[str, Any] | None = None
) -> None:
    """The one `taste` or `bursts` job, single-flight: starts at once, or runs once more when the current run ends."""
    await connection.execute(
        """
        INSERT INTO jobs AS j (stage, subject_id, priority, params) VALUES ($1, $2, $3, $4)
        ON CONFLICT (stage, subject_id) DO UPDATE SET
            dirty = j.status = 'queued',
            status = CASE WHEN j.status = 'queued' THEN 'queued' ELSE 'due' END,
            generation = CASE WHEN j.status = 'queued' THEN j.generation ELSE j.generation + 1 END,
            attempts = CASE WHEN j.status = 'queued' THEN j.attempts ELSE 0 END,
            params = coalesce(excluded.params, j.params), available_at = now()
        """,
        stage, subject, PRIORITY_ASKED, params,
    )  # fmt: skip
    await wake_relay(connection)


async def raise_priority(connection: Connection, stage: Stage, subjects: Sequence[int], priority: int) -> None:
    """What a person looks at goes first, as far as it still waits."""
    await connection.execute(
        "UPDATE jobs SET priority = $3 WHERE stage = $1 AND subject_id = ANY ($2) AND status = 'due' AND priority < $3",
        stage, list(subjects), priority,
    )  # fmt: skip


async def wake_relay(connection: Connection) -> None:
    """Delivered at commit; the relay looks by itself every second as well."""
    await connection.execute(f"NOTIFY {WAKE_RELAY}")
