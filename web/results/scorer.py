"""Scores the archive whenever it was asked for: `score_wanted` counts wishes, `score_done` the last one fulfilled."""

from __future__ import annotations

import asyncio
from functools import partial

from contracts.settings import Settings
from web import scoring
from web.database import Connection, connected
from web.single_flight import run_when_asked

_LOCK = 0x73636F72  # "scor"


async def run_scorer(settings: Settings, stop: asyncio.Event) -> None:
    """Runs until `stop`."""
    beside = partial(connected, settings.database_url.get_secret_value())

    async def work(connection: Connection) -> None:
        await scoring.score_if_wanted(connection, beside)

    await run_when_asked(settings, stop, "scorer", channel=scoring.CHANNEL, lock=_LOCK, work=work)
