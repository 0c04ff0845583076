"""The relay's side of the broker: publish with confirms, look at queues, take back what waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange

from contracts import topology
from contracts.claims import ClaimCheck
from web.bulk import BulkChannel


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
    for name in topology.RETIRED_QUEUES:
        await channel.queue_delete(name)


class Publisher:
    """Publishes claims, and looks after their queues. Raises ConnectionError when the broker was lost."""

    def __init__(self, channel: AbstractChannel, bulk: BulkChannel) -> None:
        self._channel = channel
        self._bulk = bulk

    @classmethod
    async def open(cls, connection: AbstractConnection, *amqp_urls: str) -> Publisher:
        """Declares the topology over `connection`; claims travel on a connection of their own."""
        channel = await connection.channel()
        await declare(channel)
        return cls(channel, await BulkChannel.open(*amqp_urls))

    async def close(self) -> None:
        await self._bulk.close()

    async def publish(self, claims: Sequence[tuple[ClaimCheck, bool]]) -> None:
        """Publishes `(claim, urgent)` pairs and waits until the broker has confirmed every one."""
        await self._bulk.publish(topology.CLAIMS, (_message(claim, urgent) for claim, urgent in claims))

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


def _message(claim: ClaimCheck, urgent: bool) -> tuple[str, bytes, pika.BasicProperties]:
    properties = pika.BasicProperties(
        content_type="application/json",
        delivery_mode=pika.DeliveryMode.Persistent.value,
        message_id=claim.claim_id,
        type=f"claim.{claim.stage}",
    )
    return topology.queue_for(claim.stage, urgent=urgent), claim.to_bytes(), properties
