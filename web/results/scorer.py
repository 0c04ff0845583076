"""Scores the archive whenever it was asked for: `score_wanted` counts wishes, `score_done` the last one fulfilled."""

from __future__ import annotations

import asyncio

from contracts.settings import Settings
from web import scoring
from web.single_flight import run_when_asked

_LOCK = 0x73636F72  # "scor"


async def run_scorer(settings: Settings, stop: asyncio.Event) -> None:
    """Runs until `stop`."""
    await run_when_asked(settings, stop, "scorer", channel=scoring.CHANNEL, lock=_LOCK, work=scoring.score_if_wanted)
