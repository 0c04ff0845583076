"""The writer on a real queue: parked, dead, away and back again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from contracts import topology
from contracts.base import Stage
from contracts.claims import ClaimCheck
from contracts.results import Failure, Result
from contracts.settings import Settings
from tests.integration.archive import Archive
from tests.integration.messages import converted, failure, result, scanned
from web import jobs
from web.database import Connection
from web.relay.broker import declare
from web.results.writer import Writer

pytestmark = pytest.mark.integration

FOUND = {
    "taste": {"encoder": "e", "weights": "", "dim": 0, "bias": 0.0, "n_ratings": 5, "tentative": True},
    "bursts": {"groups": 1, "photos": 2},
}


class Bench:
    """A running writer and a channel to publish answers on."""

    def __init__(self, archive: Archive, channel: Any) -> None:
        self.archive = archive
        self.channel = channel

    async def send(
        self, body: bytes | Result | Failure, exchange: str = topology.RESULTS, key: str = "results", **headers: Any
    ) -> None:
        raw = body if isinstance(body, bytes) else body.to_bytes()
        target = await self.channel.get_exchange(exchange, ensure=False)
        await target.publish(aio_pika.Message(raw, headers=headers), key)

    async def count(self, queue: str) -> int:
        declared = await self.channel.declare_queue(queue, passive=True)
        return int(declared.declaration_result.message_count)


async def eventually(condition: Callable[[], Awaitable[Any]], seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if await condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail("did not happen in time")


@pytest.fixture
async def bench(database: Connection, settings: Settings, amqp_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    from pydantic import SecretStr

    settings = settings.model_copy(update={"amqp_url": SecretStr(amqp_url)})
    connection = await aio_pika.connect(amqp_url)
    channel = await connection.channel()
    await declare(channel)
    stop = asyncio.Event()
    task = asyncio.create_task(Writer(settings, stop).run())
    yield Bench(Archive(database, settings, tmp_path), channel)
    stop.set()
    await asyncio.wait_for(task, 10)
    await connection.close()


async def _photo(archive: Archive) -> int:
    row = await archive.start_import(await archive.root())
    return (await archive.register(row, scanned("a.jpg"))).new[0]


async def test_results_are_applied_and_acknowledged(bench: Bench) -> None:
    photo = await _photo(bench.archive)

    await bench.send(result("convert", photo, converted("a")))

    async def ready() -> bool:
        return (await bench.archive.gallery(photo))["status"] == "ready"

    await eventually(ready)
    assert await bench.count("results") == 0


@pytest.mark.parametrize("body", [b"not json", b"{}", b'{"v": 2, "kind": "result"}'])
async def test_a_malformed_answer_is_parked_and_blocks_nothing(bench: Bench, body: bytes) -> None:
    photo = await _photo(bench.archive)

    await bench.send(body)
    await bench.send(result("convert", photo, converted("a")))

    async def ready() -> bool:
        return (await bench.archive.gallery(photo))["status"] == "ready"

    await eventually(ready)
    assert await bench.count("parked") == 1


class _Far(datetime):
    """A time long after the year 9999."""

    def timestamp(self) -> float:
        return 2.0**62


async def test_a_header_that_cannot_be_read_costs_nothing(bench: Bench) -> None:
    photo = await _photo(bench.archive)

    await bench.send(result("convert", photo, converted("a")), odd=_Far(2026, 1, 1, tzinfo=UTC))

    async def ready() -> bool:
        return (await bench.archive.gallery(photo))["status"] == "ready"

    await eventually(ready)


async def test_an_answer_that_cannot_be_applied_fails_its_job_and_leaves_the_others(bench: Bench) -> None:
    row = await bench.archive.start_import(await bench.archive.root())
    bad, good = (await bench.archive.register(row, scanned("bad.jpg"), scanned("good.jpg"))).new

    await bench.send(result("convert", bad, {"nonsense": True}))
    await bench.send(result("convert", good, converted("good")))

    async def settled() -> bool:
        states = [(await bench.archive.gallery(photo))["status"] for photo in (bad, good)]
        return states == ["failed", "ready"]

    await eventually(settled)
    assert await bench.count("parked") == 1


async def test_a_failure_that_cannot_be_stored_still_ends_its_attempt(bench: Bench) -> None:
    """What a damaged file made a library say may hold characters that Postgres keeps in no text."""
    photo = await _photo(bench.archive)

    await bench.send(failure("convert", photo, "permanent", message="tag \x00\x00"))

    async def failed() -> bool:
        return (await bench.archive.gallery(photo))["status"] == "failed"

    await eventually(failed)
    assert await bench.count("parked") == 1


@pytest.mark.parametrize("stage", ["taste", "bursts"])
async def test_a_matrix_that_is_gone_holds_nobody_up(bench: Bench, stage: Stage) -> None:
    photo = await _photo(bench.archive)
    await jobs.request_single(bench.archive.connection, stage)

    await bench.send(result(stage, 0, FOUND[stage]))
    await bench.send(result("convert", photo, converted("a")))

    async def settled() -> bool:
        job = await bench.archive.job(stage, 0)
        return (job["status"], (await bench.archive.gallery(photo))["status"]) == ("failed", "ready")

    await eventually(settled)


async def test_a_dead_letter_becomes_a_failure_with_a_sentence(bench: Bench) -> None:
    photo = await _photo(bench.archive)
    claim = ClaimCheck(
        claim_id="c", stage="convert", subject_id=photo, photo_id=photo, file_path="/x/a.jpg", generation=1, attempt=1
    )

    await bench.send(claim.to_bytes(), topology.DEAD, "convert")

    async def failed() -> bool:
        return (await bench.archive.gallery(photo))["status"] == "failed"

    await eventually(failed)
    reason = await bench.archive.connection.fetchval("SELECT failure_reason FROM photos")
    assert "a.jpg" in reason


async def test_while_the_database_is_away_nothing_is_lost(bench: Bench) -> None:
    photo = await _photo(bench.archive)
    name = await bench.archive.connection.fetchval("SELECT current_database()")
    await bench.archive.connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", name
    )

    await bench.send(result("convert", photo, converted("a")))

    async def ready() -> bool:
        return (await bench.archive.gallery(photo))["status"] == "ready"

    await eventually(ready)
    assert await bench.count("parked") == 0
