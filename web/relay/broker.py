"""The relay's side of the broker: publish with confirms, look at queues, take back what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange

from contracts import topology
from contracts.claims import ClaimCheck

_IN_FLIGHT = 256


async def declare(channel: AbstractChannel) -> None:
    """Declares the whole topology; harmless when it is there."""
    exchanges: dict[str, AbstractExchange] = {}
    for exchange in topology.EXCHANGES:
        exchanges[exchange.name] = await channel.declare_exchange(
            exchange.name, exchange.type, durable=exchange.durable
        )
    queues = {}
    for queue in topology.QUEUES:
        queues[queue.name] = await channel.declare_queue(
            queue.name, durable=queue.durable, arguments=dict(queue.arguments)
        )
    for binding in topology.BINDINGS:
        await queues[binding.queue].bind(exchanges[binding.exchange], binding.routing_key)


class Publisher:
    """Publishes claims on one connection. Raises aio-pika's errors when the connection is lost."""

    def __init__(self, channel: AbstractChannel, exchange: AbstractExchange) -> None:
        self._channel = channel
        self._exchange = exchange

    @classmethod
    async def open(cls, connection: AbstractConnection) -> Publisher:
        # Without on_return_raises an unroutable message is dropped in silence.
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await declare(channel)
        return cls(channel, await channel.get_exchange(topology.CLAIMS, ensure=False))

    async def publish(self, claims: Sequence[tuple[ClaimCheck, bool]]) -> None:
        """Publishes `(claim, urgent)` pairs and waits until the broker has confirmed every one."""
        for start in range(0, len(claims), _IN_FLIGHT):
            await asyncio.gather(*(self._publish(c, urgent) for c, urgent in claims[start : start + _IN_FLIGHT]))

    async def _publish(self, claim: ClaimCheck, urgent: bool) -> Any:
        message = aio_pika.Message(
            claim.to_bytes(),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=claim.claim_id,
            type=f"claim.{claim.stage}",
        )
        return await self._exchange.publish(message, topology.queue_for(claim.stage, urgent=urgent), mandatory=True)

    async def ready(self, queues: Iterable[str]) -> int:
        """Messages that wait in these queues; those in a consumer's hands are not among them."""
        total = 0
        for name in queues:
            queue = await self._channel.declare_queue(name, passive=True)
            total += queue.declaration_result.message_count or 0
        return total

    async def purge(self, queues: Iterable[str]) -> None:
        for name in queues:
            queue = await self._channel.get_queue(name, ensure=False)
            await queue.purge()
