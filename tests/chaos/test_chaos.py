"""Real processes, real SIGKILLs: afterwards every photograph is accounted for.

One stack serves all tests of this module; each imports photographs of its own and breaks one thing while they are in
flight.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from contracts import topology
from tests.chaos.photographs import make_photographs
from tests.chaos.stack import Stack
from web import imports
from web.reconcile import reconcile

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.timeout(180)]


class InFlight:
    """An import whose photographs are on their way."""

    def __init__(self, stack: Stack, folder: Path, paths: list[Path], import_id: int) -> None:
        self.stack = stack
        self.folder = folder
        self.paths = paths
        self.import_id = import_id

    async def at_least(self, n: int, what: str = "ready") -> None:
        """Waits until `n` photographs are ready (or embedded)."""

        async def reached() -> bool:
            if what == "ready":
                return await self.stack.ready(self.import_id) >= n
            return (
                await self.stack.count(
                    "SELECT count(*) FROM embeddings e JOIN photos p ON p.id = e.photo_id WHERE p.import_id = $1",
                    self.import_id,
                )
                >= n
            )

        await self.stack.until(reached, 60, f"{n} photographs {what}")

    async def settle(self) -> None:
        await self.stack.settle(self.import_id, len(self.paths))
        await self.stack.assert_accounted(self.import_id, self.paths)


_SEEDS = iter(range(1, 1000))


@pytest.fixture
def photographs(request: pytest.FixtureRequest) -> int:
    """How many are imported, half as many in the quick run.

    Most of them are on their way when something breaks, which is at the twentieth or before.
    """
    return 100 if request.config.getoption("markexpr") == "not slow" else 200


@pytest.fixture
async def flight(stack: Stack, tmp_path: Path, photographs: int) -> InFlight:
    folder = tmp_path / "library"
    paths = make_photographs(folder, photographs, seed=next(_SEEDS))
    return InFlight(stack, folder, paths, await stack.import_folder(folder))


@pytest.mark.parametrize("victim", ["convert", pytest.param("embed", marks=pytest.mark.slow)])
async def test_a_consumer_is_killed(flight: InFlight, victim: str) -> None:
    await flight.at_least(20, "ready" if victim == "convert" else "embedded")
    flight.stack.kill(victim)
    flight.stack.start(victim)
    await flight.settle()


async def test_the_writer_is_killed_between_its_commit_and_its_acknowledgement(flight: InFlight) -> None:
    flight.stack.kill("results")
    flight.stack.start("results", "tests.chaos.dying_writer")
    flight.stack.processes["results"].wait(60)
    assert "committed_and_dying" in flight.stack.logs("results")
    flight.stack.start("results", "web.results")
    await flight.settle()


@pytest.mark.slow
async def test_the_relay_is_killed_after_publishing(flight: InFlight) -> None:
    flight.stack.kill("results")
    flight.stack.start("results", "tests.chaos.dying_relay")
    flight.stack.processes["results"].wait(60)
    assert "published_and_dying" in flight.stack.logs("results")
    flight.stack.start("results", "web.results")
    await flight.settle()


@pytest.mark.slow
async def test_web_is_killed(flight: InFlight) -> None:
    flight.stack.start("web", "web")
    await flight.at_least(20)
    flight.stack.kill("web")
    await flight.settle()


async def test_the_broker_restarts(flight: InFlight) -> None:
    await flight.at_least(20)
    flight.stack.servers.restart_rabbitmq()
    await flight.settle()


@pytest.mark.slow
async def test_postgres_restarts(flight: InFlight) -> None:
    await flight.at_least(20)
    flight.stack.servers.restart_postgres()
    await flight.settle()


@pytest.mark.slow
async def test_claims_are_delivered_twice(flight: InFlight) -> None:
    """Every claim that waits is copied, so that each is worked on twice."""
    connection = await aio_pika.connect(flight.stack.servers.amqp_url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.get_exchange(topology.CLAIMS, ensure=False)
        queue = await channel.get_queue("convert", ensure=False)
        copied = 0
        while copied < len(flight.paths) // 2:
            message = await queue.get(fail=False, timeout=5)
            if message is None:
                if await flight.stack.ready(flight.import_id) == len(flight.paths):
                    break
                continue
            for _ in range(2):
                await exchange.publish(aio_pika.Message(message.body, delivery_mode=2), "convert")
            await message.ack()
            copied += 1
    assert copied > 0
    await flight.settle()


@pytest.mark.slow
async def test_results_arrive_out_of_order(flight: InFlight) -> None:
    """Answers are held back while the writer is away, and handed over in reverse."""
    await flight.at_least(5)
    flight.stack.kill("results")
    connection = await aio_pika.connect(flight.stack.servers.amqp_url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.set_qos(prefetch_count=10 * len(flight.paths))
        queue = await channel.get_queue(topology.RESULTS_QUEUE, ensure=False)
        held: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        tag = await queue.consume(held.put)  # the queue has a single active consumer: with the writer gone, this one
        messages = await _collect(held)
        await queue.cancel(tag)
        exchange = await channel.get_exchange(topology.RESULTS, ensure=False)
        for message in reversed(messages):
            await exchange.publish(aio_pika.Message(message.body, delivery_mode=2), topology.RESULTS_QUEUE)
            await message.ack()
    assert len(messages) > 1
    flight.stack.start("results")
    await flight.settle()


async def _collect(held: asyncio.Queue[AbstractIncomingMessage]) -> list[AbstractIncomingMessage]:
    """Everything until nothing came for two seconds."""
    messages = [await asyncio.wait_for(held.get(), 60)]
    with suppress(TimeoutError):
        while True:
            messages.append(await asyncio.wait_for(held.get(), 2))
    return messages


@pytest.mark.slow
async def test_all_queues_are_purged_and_reconcile_brings_the_work_back(flight: InFlight) -> None:
    await flight.at_least(20)
    connection = await aio_pika.connect(flight.stack.servers.amqp_url)
    async with connection:
        channel = await connection.channel()
        for queue in topology.QUEUES:
            await (await channel.get_queue(queue.name, ensure=False)).purge()
    async with flight.stack.database() as database:
        await reconcile(database)
    await flight.settle()


@pytest.mark.parametrize(
    ("fate", "words"), [("segfault", "crash"), pytest.param("hang", "longer than", marks=pytest.mark.slow)]
)
async def test_a_decoder_that_dies_costs_one_photograph(
    stack: Stack, tmp_path: Path, photographs: int, fate: str, words: str
) -> None:
    """The photograph fails with its reason, the others are ready, and the consumer is the same process as before."""
    stack.kill("convert")
    stack.start("convert", "consumers", "convert", "--decoder", "tests.chaos.decoders:convert", FINESHYT_TEST_FATE=fate)
    pid = stack.processes["convert"].pid
    folder = tmp_path / "library"
    paths = make_photographs(folder, photographs, seed=next(_SEEDS))
    doomed = paths[10].rename(folder / "doomed.jpg")
    paths[10] = doomed
    import_id = await stack.import_folder(folder)
    await stack.settle(import_id, len(paths), seconds=150)
    await stack.assert_accounted(import_id, paths)
    async with stack.database() as database:
        failed = await database.fetch(
            "SELECT rel_path, failure_reason FROM photos WHERE import_id = $1 AND status = 'failed'", import_id
        )
    assert [row["rel_path"] for row in failed] == ["doomed.jpg"]
    assert "doomed.jpg" in failed[0]["failure_reason"]
    assert words in failed[0]["failure_reason"]
    assert stack.processes["convert"].pid == pid
    assert stack.processes["convert"].poll() is None
    os.killpg(pid, signal.SIGTERM)
    stack.processes["convert"].wait(30)
    stack.start("convert", "consumers", "convert")


async def test_stop_in_the_middle_of_an_import(flight: InFlight) -> None:
    await flight.at_least(20)
    async with flight.stack.database() as database:
        await imports.stop_import(database, flight.import_id)

    async def at_rest() -> bool:
        return not await flight.stack.count(
            "SELECT count(*) FROM jobs WHERE stage IN ('scan', 'convert', 'embed') AND status IN ('due', 'queued')"
        )

    await flight.stack.until(at_rest, 60, "the stopped import came to rest")
    async with flight.stack.database() as database:
        kept = await database.fetch("SELECT rel_path FROM photos WHERE import_id = $1", flight.import_id)
    names = {row["rel_path"] for row in kept}
    await flight.stack.assert_accounted(flight.import_id, [p for p in flight.paths if p.name in names])

    again = await flight.stack.import_folder(flight.folder)
    await flight.stack.until(
        lambda: flight.stack.count("SELECT count(*) FROM imports WHERE id = $1 AND status = 'done'", again),
        60,
        "the second import finished",
    )
    total = await flight.stack.count(
        "SELECT count(*) FROM photos WHERE import_id IN ($1, $2) AND status = 'ready'", flight.import_id, again
    )
    assert total == len(flight.paths)
