"""Waiting for an event, but not for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def happens_within(event: asyncio.Event, seconds: float) -> None:
    """Returns when `event` is set, or after `seconds`.

    Not `asyncio.wait_for`: on Python 3.11 it forgets a cancellation that comes together with the event.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
