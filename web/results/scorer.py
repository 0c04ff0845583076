"""Scores the archive whenever it was asked for, on a connection of its own, one process at a time.

The wish is a row, not a flag in memory, so that it survives a crash: `score_wanted` counts wishes, `score_done` the
last one fulfilled. Wishes that arrive during a run are met by the next.
"""

from __future__ import annotations

import asyncio

import structlog

from contracts.settings import Settings
from web import scoring
from web.database import connect
from web.waiting import happens_within

log = structlog.get_logger()
_LOCK = 0x73636F72  # "scor"


async def run_scorer(settings: Settings, stop: asyncio.Event) -> None:
    """Runs until `stop`; reconnects when Postgres comes back."""
    while not stop.is_set():
        try:
            await _session(settings, stop)
        except Exception as error:
            log.warning("scorer_interrupted", error=f"{type(error).__name__}: {error}")
            await happens_within(stop, 2.0)


async def _session(settings: Settings, stop: asyncio.Event) -> None:
    connection = await connect(settings.database_url.get_secret_value())
    try:
        wake = asyncio.Event()
        await connection.add_listener(scoring.CHANNEL, lambda *_: wake.set())
        while not stop.is_set():
            wake.clear()
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                await scoring.score_if_wanted(connection)
            await happens_within(wake, 1.0)
    finally:
        connection.terminate()
