"""The queue of messages that could not be understood: look, send again, throw away.

What killed its workers needs no hand: the results writer turns the `dead` queue into failures by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika

from contracts import topology
from contracts.settings import Settings
from web.broker import connect

LOOKED_AT = 1_000
_SHOWN = 300


@asynccontextmanager
async def _parked(settings: Settings) -> AsyncIterator[tuple[Any, Any]]:
    broker = await connect(settings)
    async with broker:
        channel = await broker.channel(publisher_confirms=True, on_return_raises=True)
        yield channel, await channel.get_queue(topology.PARKED_QUEUE, ensure=False)


async def listed(settings: Settings) -> list[dict[str, Any]]:
    """The parked messages: reason, origin, the beginning of the body. They go back when the connection closes."""
    found: list[dict[str, Any]] = []
    async with _parked(settings) as (_, queue):
        while len(found) < LOOKED_AT and (message := await queue.get(fail=False)) is not None:
            found.append(
                {
                    "reason": str(message.headers.get("x-parked-reason", "")),
                    "from": str(message.headers.get("x-parked-from", "")),
                    "body": message.body[:_SHOWN].decode(errors="replace"),
                }
            )
    return found


async def replay(settings: Settings) -> int:
    """Publishes each message to the queue it came from and waits for the confirm before it is taken out."""
    sent = 0
    async with _parked(settings) as (channel, queue):
        declared = await channel.declare_queue(topology.PARKED_QUEUE, passive=True)
        for _ in range(declared.declaration_result.message_count):
            message = await queue.get(fail=False)
            if message is None:
                break
            origin = str(message.headers.get("x-parked-from", "") or topology.RESULTS_QUEUE)
            copy = aio_pika.Message(message.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(copy, origin, mandatory=True)
            await message.ack()
            sent += 1
    return sent


async def dead(settings: Settings) -> int:
    """Messages in the queue `dead`. Only where the results writer is away do they wait: it takes them as they come."""
    broker = await connect(settings)
    async with broker:
        declared = await (await broker.channel()).declare_queue(topology.DEAD_QUEUE, passive=True)
        return int(declared.declaration_result.message_count or 0)


async def discard(settings: Settings) -> int:
    async with _parked(settings) as (_, queue):
        purged = await queue.purge()
    return int(purged.message_count or 0)
