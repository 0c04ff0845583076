"""The bulk channel against a real broker: confirmed, refused, acknowledged, lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import aio_pika
import pika
import pytest

from consumers.runner import connect as connect_consumer
from contracts import topology
from contracts.settings import Settings
from web.broker import connect
from web.bulk import BrokerLostError, BulkChannel, Delivered, RefusedError
from web.relay.broker import declare

pytestmark = pytest.mark.integration

_PLAIN = pika.BasicProperties(delivery_mode=2)


@pytest.fixture
async def bulk(amqp_url: str) -> AsyncIterator[BulkChannel]:
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        await declare(await connection.channel())
    channel = await BulkChannel.open(amqp_url, prefetch=100)
    yield channel
    await channel.close()


async def test_what_was_published_is_delivered_in_order_and_acknowledged_at_once(
    bulk: BulkChannel, amqp_url: str
) -> None:
    bodies = [b"%d" % n for n in range(250)]
    await bulk.publish(topology.CLAIMS, [("embed", body, _PLAIN) for body in bodies])
    inbox: asyncio.Queue[Delivered] = asyncio.Queue()
    bulk.consume("embed", inbox.put_nowait)

    taken = []
    while len(taken) < len(bodies):
        taken += [await asyncio.wait_for(inbox.get(), 10) for _ in range(50)]
        bulk.acknowledge(taken[-1].tag)

    assert [message.body for message in taken] == bodies
    assert {(message.queue, message.routing_key) for message in taken} == {("embed", "embed")}
    await bulk.close()
    again = await BulkChannel.open(amqp_url)
    again.consume("embed", inbox.put_nowait)
    await asyncio.sleep(0.3)
    assert inbox.empty(), "an acknowledged message came back"
    await again.close()


async def test_no_more_than_the_prefetch_is_in_hand(bulk: BulkChannel) -> None:
    await bulk.publish(topology.CLAIMS, [("embed", b"x", _PLAIN)] * 130)
    inbox: asyncio.Queue[Delivered] = asyncio.Queue()
    bulk.consume("embed", inbox.put_nowait)
    await asyncio.sleep(0.5)
    assert inbox.qsize() == 100


async def test_a_message_without_a_queue_is_an_error_and_not_a_silence(bulk: BulkChannel) -> None:
    with pytest.raises(RefusedError, match="no queue nowhere"):
        await bulk.publish(topology.CLAIMS, [("embed", b"x", _PLAIN), ("nowhere", b"y", _PLAIN)])


async def test_nothing_to_publish_waits_for_nothing(bulk: BulkChannel) -> None:
    await asyncio.wait_for(bulk.publish(topology.CLAIMS, []), 1)


async def test_a_channel_that_was_closed_says_so_to_everybody(bulk: BulkChannel) -> None:
    told: list[bool] = []
    bulk.when_lost(lambda: told.append(True))
    with pytest.raises(BrokerLostError):  # the exchange does not exist: the broker closes the channel
        await bulk.publish("no such exchange", [("key", b"x", _PLAIN)])
    assert told == [True]
    with pytest.raises(BrokerLostError):
        bulk.acknowledge(1)
    with pytest.raises(BrokerLostError):
        await bulk.publish(topology.CLAIMS, [("embed", b"x", _PLAIN)])
    bulk.when_lost(lambda: told.append(True))
    assert told == [True, True], "who asks late is told at once"


async def test_a_broker_that_is_not_there_is_an_error_within_seconds(unused_tcp_port: int) -> None:
    with pytest.raises((OSError, pika.exceptions.AMQPError)):
        await BulkChannel.open(f"amqp://guest:guest@127.0.0.1:{unused_tcp_port}/")


@pytest.fixture
def nodes(amqp_url: str, unused_tcp_port_factory: Callable[[], int]) -> tuple[str, ...]:
    """The addresses of a cluster, most of whose nodes are away."""
    return (*(f"amqp://guest:guest@127.0.0.1:{unused_tcp_port_factory()}/" for _ in range(5)), amqp_url)


async def test_nodes_that_are_away_are_passed_over(nodes: tuple[str, ...]) -> None:
    settings = Settings(AMQP_URL=", ".join(nodes))
    assert settings.amqp_urls == nodes

    bulk = await BulkChannel.open(*nodes)
    await bulk.close()
    await (await connect(settings)).close()
    await asyncio.to_thread(lambda: connect_consumer(settings, 30, "a consumer").close())


async def test_without_an_address_it_is_said_which_setting_lacks() -> None:
    with pytest.raises(OSError, match="AMQP_URL is not set"):
        await connect(Settings(AMQP_URL=" "))
    with pytest.raises(OSError, match="AMQP_URL is not set"):
        connect_consumer(Settings(AMQP_URL=""), 30, "a consumer")


async def test_a_queue_of_an_earlier_version_is_removed(amqp_url: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("text", durable=True, arguments={"x-message-ttl": 5_000})
        await declare(channel)
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await channel.declare_queue("text", passive=True)
