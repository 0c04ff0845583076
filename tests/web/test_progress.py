"""The counting task ends when it is told to, whatever happens at that moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from web import progress
from web.live import EventHub


async def _nothing() -> dict[str, Any]:
    return {}


async def test_a_cancellation_together_with_an_event_ends_it() -> None:
    hub = EventHub("postgresql://nowhere")
    counting = asyncio.create_task(progress._follow(_nothing, hub))
    await asyncio.sleep(0.01)

    hub.stirred.set()
    counting.cancel()

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(1):
            await counting
