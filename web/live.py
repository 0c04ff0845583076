"""From the events table to the browsers: one listening connection a process, a subscription for each stream.

`NOTIFY` only wakes; what happened is read from the table, so that nothing is missed while a connection was away.
Events of one kind that gather within a tenth of a second leave as one, with the ids of all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from web import events
from web.database import Connection, connect
from web.waiting import happens_within

log = structlog.get_logger()

REPLAYED_AT_MOST = 2_000
"""Events behind a cursor; a reader further behind loads its view again."""
IDS_AT_MOST = 5_000
"""Ids in one message; beyond, loading the view again is cheaper."""
GATHER_S = 0.1
_LOOK_S = 2.0
"""The table is looked at this often even without a `NOTIFY`."""


@dataclass(frozen=True)
class LiveEvent:
    """`id` is the table's, None for what is not stored (progress, resync)."""

    kind: str
    data: dict[str, Any]
    id: int | None = None


def coalesce(pending: Sequence[LiveEvent]) -> list[LiveEvent]:
    """One event a kind and stage, ids united. Only the last carries an id, that of the newest of all: a reader that
    lost the connection in between gets the whole lot again."""
    merged: dict[tuple[str, str], LiveEvent] = {}
    for event in pending:
        key = (event.kind, str(event.data.get("stage", "")))
        held = merged.pop(key, None)
        merged[key] = event if held is None else LiveEvent(event.kind, _united(held.data, event.data))
    newest = max((event.id for event in pending if event.id is not None), default=None)
    joined = [LiveEvent(event.kind, event.data) for event in merged.values()]
    if any(_too_many(event) for event in joined):
        joined = [LiveEvent("resync", {})]
    if joined:
        joined[-1] = LiveEvent(joined[-1].kind, joined[-1].data, newest)
    return joined


def _too_many(event: LiveEvent) -> bool:
    return event.kind == "resync" or len(event.data.get("ids") or ()) > IDS_AT_MOST


def _united(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    united = dict(new)
    for name in ("ids", "names"):
        if name in new:
            whole = old.get(name) is None or new[name] is None  # None: the whole archive
            united[name] = None if whole else list(dict.fromkeys([*old[name], *new[name]]))
    return united


@dataclass(eq=False)
class Subscription:
    """What one stream has still to send."""

    pending: list[LiveEvent] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, fresh: Iterable[LiveEvent]) -> None:
        self.pending.extend(fresh)
        if len(self.pending) > REPLAYED_AT_MOST:  # a reader that stopped reading costs no memory
            self.pending = coalesce(self.pending)
        self.wake.set()

    async def take(self) -> list[LiveEvent]:
        """Waits for something, gathers a little, and returns all of it."""
        await self.wake.wait()
        await asyncio.sleep(GATHER_S)
        self.wake.clear()
        taken, self.pending = self.pending, []
        return taken


class EventHub:
    """Reads new events once and hands them to every subscription."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._subscriptions: set[Subscription] = set()
        self._wake = asyncio.Event()
        self.last_id: int | None = None
        self.listening = asyncio.Event()
        """Set once the first connection listens; cancelled before, it would leave a half-open socket behind."""
        self.stirred = asyncio.Event()
        """Set whenever something happened; whoever counts along clears it."""

    @property
    def listeners(self) -> int:
        return len(self._subscriptions)

    @asynccontextmanager
    async def subscribe(self) -> AsyncIterator[Subscription]:
        subscription = Subscription()
        self._subscriptions.add(subscription)
        self.stirred.set()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def broadcast(self, fresh: Sequence[LiveEvent]) -> None:
        for subscription in self._subscriptions:
            subscription.add(fresh)

    async def run(self) -> None:
        """Until cancelled; reconnects when Postgres comes back."""
        while True:
            try:
                await self._session()
            except Exception as error:  # the outside world went away: say so, wait, try again
                log.warning("events_interrupted", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(1.0)

    async def _session(self) -> None:
        connection = await connect(self._url)
        try:
            await connection.add_listener(events.CHANNEL, lambda *_: self._wake.set())
            if self.last_id is None:
                self.last_id = await newest_id(connection)
            self.listening.set()
            while True:
                self._wake.clear()
                await self._forward(connection)
                await happens_within(self._wake, _LOOK_S)
        finally:
            connection.terminate()

    async def _forward(self, connection: Connection) -> None:
        assert self.last_id is not None
        while fresh := await _after(connection, self.last_id, REPLAYED_AT_MOST):
            self.last_id = fresh[-1].id or self.last_id
            self.broadcast(fresh)
            self.stirred.set()


async def newest_id(connection: Connection) -> int:
    """The cursor of a view that is loaded now. Ids are handed out in commit order."""
    return int(await connection.fetchval("SELECT coalesce(max(id), 0) FROM events"))


async def _after(connection: Connection, cursor: int, limit: int) -> list[LiveEvent]:
    rows = await connection.fetch("SELECT id, kind, data FROM events WHERE id > $1 ORDER BY id LIMIT $2", cursor, limit)
    return [LiveEvent(row["kind"], row["data"], row["id"]) for row in rows]


async def replay(connection: Connection, cursor: int) -> list[LiveEvent]:
    """What happened after `cursor`; a single `resync` when that is no longer, or not, known."""
    newest = await newest_id(connection)
    oldest = await connection.fetchval("SELECT min(id) FROM events WHERE at > now() - interval '24 hours'")
    unknown = cursor > newest or (cursor < newest and (oldest is None or cursor < oldest - 1))
    missed = [] if unknown else await _after(connection, cursor, REPLAYED_AT_MOST + 1)
    if unknown or len(missed) > REPLAYED_AT_MOST:
        return [LiveEvent("resync", {}, newest)]
    return missed
