"""Pausing and resuming: by a person, or by the breaker when what a stage depends on is unavailable."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from contracts.base import STAGES
from contracts.events import Event
from web import events
from web.database import Connection
from web.errors import RequestError
from web.jobs import PRIORITIES

FIRST_PROBE_S = 20.0
LONGEST_PROBE_S = 600.0


def _check(name: str) -> None:
    if name not in STAGES:
        raise RequestError(404, f"There is no stage called {name!r}. The stages are {', '.join(STAGES)}.")


async def pause(connection: Connection, name: str) -> None:
    """A person's pause: holds until a person resumes. Claims that wait in the queue are taken back."""
    _check(name)
    async with connection.transaction():
        await connection.execute(
            "UPDATE stages SET person_paused = true, flush = true, changed_at = now() WHERE name = $1", name
        )
        await events.publish(connection, [Event(kind="stages", data={"names": [name]})])


async def resume(connection: Connection, name: str) -> None:
    """Ends a person's pause, and closes the breaker so that the next claim finds out at once."""
    _check(name)
    async with connection.transaction():
        await connection.execute(
            """UPDATE stages SET person_paused = false, breaker_reason = NULL, breaker_kind = NULL,
                   breaker_until = NULL, breaker_trips = 0, same_errors = 0, same_error = NULL,
                   changed_at = now() WHERE name = $1""",
            name,
        )
        # What was put off by the pause is tried now.
        await connection.execute(
            "UPDATE jobs SET available_at = now() WHERE stage = $1 AND status = 'due' AND available_at > now()", name
        )
        await events.publish(connection, [Event(kind="stages", data={"names": [name]})])


async def open_breaker(
    connection: Connection, name: str, reason: str, *, kind: str = "upstream", retry_after_s: float | None = None
) -> None:
    """Pauses `name` until a probe, later each time (20 s doubling to 10 minutes). Call in the writer's transaction."""
    await connection.execute(
        """
        UPDATE stages SET breaker_reason = $2, breaker_kind = $3, flush = true, changed_at = now(),
            breaker_trips = breaker_trips + (breaker_until IS NULL OR breaker_until <= now())::int,
            breaker_until = CASE WHEN breaker_until > now() THEN breaker_until ELSE now() + make_interval(secs =>
                coalesce($4, least($6::float8, $5::float8 * 2 ^ least(breaker_trips, 10)))) END
        WHERE name = $1
        """,
        name, reason, kind, retry_after_s, FIRST_PROBE_S, LONGEST_PROBE_S,
    )  # fmt: skip


async def close_breakers(connection: Connection, names: set[str]) -> list[str]:
    """A success shows that what `names` depend on is back. Returns the stages that were closed."""
    rows = await connection.fetch(
        """
        UPDATE stages SET breaker_reason = NULL, breaker_kind = NULL, breaker_until = NULL, breaker_trips = 0,
            same_errors = 0, same_error = NULL, changed_at = now()
        WHERE name = ANY ($1) AND (breaker_kind = 'upstream' OR same_errors > 0) RETURNING name
        """,
        list(names),
    )
    if rows:
        await connection.execute(
            "UPDATE jobs SET available_at = now() WHERE stage = ANY ($1) AND status = 'due' AND available_at > now() "
            "AND attempts = 0",
            [row["name"] for row in rows],
        )
    return [row["name"] for row in rows]


_OLDEST = """
SELECT s.name, min(o.available_at) AS since FROM stages s CROSS JOIN unnest($1::smallint[]) p (priority)
CROSS JOIN LATERAL (
    SELECT available_at FROM jobs WHERE stage = s.name AND status = 'due' AND priority = p.priority
    ORDER BY available_at LIMIT 1
) o WHERE o.available_at <= now() GROUP BY s.name
"""


async def oldest_due(connection: Connection) -> dict[str, datetime]:
    """Since when the oldest job of a stage waits for its turn; stages where none does are left out.

    One look into the index for each priority, however many wait. What is put off until later does not wait.
    """
    return {row["name"]: row["since"] for row in await connection.fetch(_OLDEST, list(PRIORITIES))}


def is_paused(row: Any) -> bool:
    """Whether a row of `stages` says pause: by a person, or by an open breaker."""
    return paused_by(row) is not None


def paused_by(row: Any) -> Literal["person", "breaker"] | None:
    """Who holds the stage of this row of `stages`; a person's pause outlasts the breaker's."""
    if row["person_paused"]:
        return "person"
    return "breaker" if row["breaker_reason"] is not None else None


def next_probe(row: Any) -> str | None:
    """When the breaker tries again, as ISO time with its zone. A person's pause is not probed. May lie in the past
    while the probe is under way."""
    until = row["breaker_until"]
    return until.isoformat() if until is not None and paused_by(row) == "breaker" else None


def pause_reason(row: Any) -> str | None:
    reason: str | None = row["breaker_reason"]
    return "Paused by you." if paused_by(row) == "person" else reason
