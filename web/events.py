"""Events for the browser: rows, written in the transaction that makes them true.

Identity columns are not handed out in commit order, so a reader that remembers the highest id could miss a row that
commits late. One advisory transaction lock around the insert makes the order of ids the order of commits; take it as
the last thing before the commit. `NOTIFY` only wakes the readers.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.events import Event
from web.database import Connection

CHANNEL = "fineshyt_events"
_ORDER_LOCK = 0x65766E74  # "evnt"


async def publish(connection: Connection, events: Sequence[Event]) -> None:
    """Appends `events`; call inside the transaction, last."""
    if not events:
        return
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _ORDER_LOCK)
    await connection.execute(
        "INSERT INTO events (kind, data) SELECT * FROM unnest($1::text[], $2::jsonb[])",
        [event.kind for event in events],
        [event.data for event in events],
    )
    await connection.execute(f"NOTIFY {CHANNEL}")
