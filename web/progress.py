"""Live counters for the pages: one look at the counters for all readers, at most twice a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from web import counters
from web.database import Connection, Pool
from web.gallery_query import TABS
from web.live import EventHub, LiveEvent
from web.reports import ReportBoard
from web.status import status
from web.waiting import happens_within

log = structlog.get_logger()
BUSY_S = 0.5
IDLE_S = 2.0


async def tab_counts(connection: Connection) -> dict[str, int]:
    """Photos in each tab of the gallery, from the maintained counters."""
    counted = (await counters.counts(connection, "tab")).get("tab", {})
    return {name: counted.get(name, 0) for name in TABS}


async def snapshot(connection: Connection, board: ReportBoard) -> dict[str, Any]:
    """The status of the whole, the tabs and the workers that are alive."""
    state = await status(connection, board.running())
    workers = board.workers()
    return state | {
        "tabs": await tab_counts(connection),
        "workers": {stage: sum(w.stage == stage for w in workers) for stage in sorted({w.stage for w in workers})},
    }


async def run_progress(pool: Pool, board: ReportBoard, hub: EventHub) -> None:
    """Sends `progress` to all subscriptions when something changed. Until cancelled; costs nothing unread."""

    async def look() -> dict[str, Any]:
        async with pool.acquire() as connection:
            return await snapshot(connection, board)

    await _follow(look, hub)


async def _follow(look: Callable[[], Awaitable[dict[str, Any]]], hub: EventHub) -> None:
    last: dict[str, Any] | None = None
    readers = 0
    while True:
        await happens_within(hub.stirred, IDLE_S)
        hub.stirred.clear()
        if hub.listeners == 0:
            readers = 0
            continue
        try:
            now = await look()
        except Exception as error:  # counters are a courtesy: the next look will do
            log.warning("progress_not_counted", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(IDLE_S)
            continue
        if now != last or hub.listeners > readers:
            hub.broadcast([LiveEvent("progress", now)])
        last, readers = now, hub.listeners
        await asyncio.sleep(BUSY_S)
