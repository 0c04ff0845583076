"""2,000 odd messages to the queues of a whole fineshyt with an archive: nobody dies, nothing is stuck or spoilt."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import httpx
import pytest
from pydantic import ValidationError

from contracts import topology
from contracts.claims import ClaimCheck
from contracts.results import Result
from tests.abuse.messages import Mutations, Odd
from tests.abuse.watched import Watched
from tests.chaos.photographs import make_photographs
from tests.chaos.stack import Stack, running_stack
from tests.integration.messages import curated
from tests.servers import PrivateServers
from web import stages
from web.decisions import Change, apply_decisions
from web.native.ports import free_port
from web.relay.broker import declare
from web.renderings import request_rendering

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1500)]

MESSAGES = 2_000
PHOTOGRAPHS = 12
VICTIMS = 40
STAGES = ("scan", "convert", "curate", "embed", "taste", "bursts", "text")
_ITSELF_MB = 1_500
_DRAINED_WITHIN_S = 900


@pytest.fixture
def stack(private_servers: PrivateServers, tmp_path: Path) -> Iterator[Stack]:
    """Every process that fineshyt has, but for the pages."""
    with running_stack(private_servers, tmp_path / "home", {"HF_HUB_OFFLINE": "1"}, STAGES) as stack:
        yield stack


# --- given: an archive, and the messages that made it ---------------------------------------------------------------


@asynccontextmanager
async def _overheard(stack: Stack) -> AsyncIterator[list[dict[str, Any]]]:
    """Every claim and every answer that is sent meanwhile."""
    heard: list[dict[str, Any]] = []

    async def hear(message: Any) -> None:
        heard.append(json.loads(message.body))

    connection = await aio_pika.connect(stack.servers.amqp_url)
    async with connection:
        channel = await connection.channel()
        await declare(channel)
        ear = await channel.declare_queue(exclusive=True)
        for name in topology.CLAIM_QUEUES:
            await ear.bind(topology.CLAIMS, name)
        await ear.bind(topology.RESULTS, topology.RESULTS_QUEUE)
        await ear.consume(hear, no_ack=True)
        yield heard


async def _publish(stack: Stack, messages: Sequence[Odd]) -> None:
    exchanges = {topology.RESULTS_QUEUE: topology.RESULTS, topology.DEAD_QUEUE: topology.DEAD}
    connection = await aio_pika.connect(stack.servers.amqp_url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        for odd in messages:
            exchange = await channel.get_exchange(exchanges.get(odd.queue, topology.CLAIMS), ensure=False)
            await exchange.publish(aio_pika.Message(odd.body, **odd.options), odd.queue)


async def _answer_as_the_model(stack: Stack) -> None:
    """There is no language model here; what it would say comes by the way of every answer."""
    async with stack.database() as database:
        jobs = await database.fetch("SELECT subject_id, generation, attempts FROM jobs WHERE stage = 'curate'")
    answers = [
        Result(
            claim_id=f"said-{job['subject_id']}", stage="curate", subject_id=job["subject_id"],
            photo_id=job["subject_id"], generation=job["generation"], attempt=job["attempts"] + 1, worker="test:1",
            payload=curated(suggested_tags=["fog"]),
        )
        for job in jobs
    ]  # fmt: skip
    await _publish(stack, [Odd(topology.RESULTS_QUEUE, answer.to_bytes()) for answer in answers])


async def _at_rest(stack: Stack) -> bool:
    """No job waits or runs, but for the language model that is not there."""
    return not await stack.count("SELECT count(*) FROM jobs WHERE status IN ('due', 'queued') AND stage <> 'curate'")


async def _victims(stack: Stack, library: Path) -> list[int]:
    """Photographs that wait for convert, which is paused: an odd answer may be taken for theirs."""
    make_photographs(library, VICTIMS, seed=912)
    async with stack.database() as database:
        await stages.pause(database, "convert")
    import_id = await stack.import_folder(library)

    async def registered() -> bool:
        return await stack.count("SELECT count(*) FROM photos WHERE import_id = $1", import_id) == VICTIMS

    await stack.until(registered, 60, "the victims were registered")
    async with stack.database() as database:
        rows = await database.fetch("SELECT id FROM photos WHERE import_id = $1", import_id)
    return [row["id"] for row in rows]


async def _archive(stack: Stack, library: Path) -> list[dict[str, Any]]:
    """Photographs with every stage done, one that failed, stars, a rendering; the messages that this took."""
    paths = make_photographs(library, PHOTOGRAPHS, seed=910)
    (library / "broken.jpg").write_text("no picture")
    async with _overheard(stack) as heard:
        import_id = await stack.import_folder(library)
        await stack.settle(import_id, len(paths) + 1)
        async with stack.database() as database:
            ready = await database.fetch("SELECT id FROM photos WHERE status = 'ready' ORDER BY id")
            for number, row in enumerate(ready[:8]):
                await apply_decisions(database, [row["id"]], Change(rating=number % 5 + 1, project="Fog"))
            await request_rendering(database, stack.settings, ready[0]["id"])
        await _answer_as_the_model(stack)
        for _ in range(2):  # bursts and taste are asked for once more when all else is done
            await stack.until(lambda: _at_rest(stack), 120, "the archive came to rest")
            await asyncio.sleep(3)
    return heard


# `{}` names the photographs of the archive.
_KEPT = {
    "photos": """SELECT id, rel_path, status, failure_reason, derivative_generation, pixel_hash, file_hash, width,
                 captured_at, camera FROM photos WHERE id IN ({}) ORDER BY id""",
    "decisions": "SELECT * FROM decisions WHERE photo_id IN ({}) ORDER BY photo_id",
    "decision_events": "SELECT * FROM decision_events ORDER BY id",
    "gallery": """SELECT photo_id, status, rejected, rating, picked, project_id, captured_at, name, camera
                  FROM gallery WHERE photo_id IN ({}) ORDER BY photo_id""",
    "metadata": "SELECT photo_id, subject, tags FROM photo_metadata WHERE photo_id IN ({}) ORDER BY photo_id",
    "vectors": "SELECT photo_id, encoder_id, vec::text FROM embeddings WHERE photo_id IN ({}) ORDER BY 1, 2",
    "jobs": """SELECT stage, subject_id, status, generation, attempts FROM jobs
               WHERE stage IN ('convert', 'curate', 'embed') AND subject_id IN ({}) ORDER BY 1, 2""",
    "encoders": "SELECT * FROM encoders ORDER BY id",
    "roots": "SELECT id, path FROM library_roots ORDER BY id",
    "projects": "SELECT * FROM projects ORDER BY id",
    "taste": "SELECT version, weights, bias, n_ratings FROM taste_models ORDER BY version",
}


async def _rows(stack: Stack, photos: Sequence[int]) -> dict[str, list[tuple[Any, ...]]]:
    ids = ", ".join(map(str, photos))
    async with stack.database() as database:
        return {name: [tuple(row) for row in await database.fetch(sql.format(ids))] for name, sql in _KEPT.items()}


def _files(folder: Path) -> dict[str, int]:
    """Every file with its size, but for derivatives and logs."""
    return {
        str(path): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not {"derivatives", "logs"} & set(path.relative_to(folder).parts)
    }


# --- then -----------------------------------------------------------------------------------------------------------


async def _in_queues(stack: Stack) -> dict[str, int]:
    """Messages of each queue, ready or in somebody's hands."""
    parts = urlsplit(stack.servers.management_url)
    async with httpx.AsyncClient(auth=(parts.username or "", parts.password or "")) as client:
        answer = await client.get(f"http://{parts.hostname}:{parts.port}/api/queues/%2F", timeout=30)
    return {row["name"]: row.get("messages", -1) for row in answer.raise_for_status().json()}


async def _drained(stack: Stack) -> bool:
    """Twice in a row, as the figures of the management page are five seconds old."""
    for _ in range(2):
        held = await _in_queues(stack)
        if any(held[queue.name] != 0 for queue in topology.QUEUES if queue.name != topology.PARKED_QUEUE):
            return False
        await asyncio.sleep(6)
    return True


async def _parked(stack: Stack) -> list[Any]:
    found = []
    connection = await aio_pika.connect(stack.servers.amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue(topology.PARKED_QUEUE, ensure=False)
        while (message := await queue.get(fail=False, timeout=30)) is not None:
            found.append(message)
    return found


def _makes_sense(odd: Odd) -> bool:
    """Whether a consumer of the queue would take it for work."""
    with suppress(ValidationError):
        stage = ClaimCheck.model_validate_json(odd.body).stage
        return odd.queue in topology.queues_of_consumer("convert" if stage == "render" else stage)
    return False


async def test_odd_messages_kill_nobody_and_spoil_nothing(stack: Stack, tmp_path: Path) -> None:
    real = await _archive(stack, tmp_path / "library")
    real.append({"v": 1, "encoder": "efficientnet-lite2", "text": "fog over a harbour"})
    said = {message.get("stage") for message in real}
    assert {"scan", "convert", "render", "curate", "embed", "taste", "bursts"} <= said
    async with stack.database() as database:
        photos = [row["id"] for row in await database.fetch("SELECT id FROM photos")]
    victims = await _victims(stack, tmp_path / "victims")
    outside = tmp_path / "outside"
    outside.mkdir()
    before, files = await _rows(stack, photos), _files(tmp_path)
    odd = list(Mutations(real, victims, outside, seed=30).messages(MESSAGES))

    with Watched(stack) as watched:
        await _publish(stack, odd)
        await stack.until(lambda: _drained(stack), _DRAINED_WITHIN_S, "the queues ran empty")

    watched.assert_nobody_died()
    assert all(mb < _ITSELF_MB for mb in watched.largest_mb.values()), str(watched)
    parked = await _parked(stack)
    print(f"{len(odd)} sent, {len(parked)} parked; {watched}")
    assert all(message.headers.get("x-parked-reason") for message in parked)
    senseless = Counter(o.body for o in odd if o.queue in topology.CLAIM_QUEUES and not _makes_sense(o))
    assert sum(senseless.values()) > MESSAGES // 10
    assert not senseless - Counter(message.body for message in parked), "a message without sense was lost"
    after = await _rows(stack, photos)
    for name, rows in before.items():
        assert after[name] == rows, name
    assert _files(tmp_path) == files
    await _victims_are_accounted_for(stack, victims)
    await _healthy_work_goes_through(stack, tmp_path / "later")
    await _pages_can_be_read(stack)


async def _victims_are_accounted_for(stack: Stack, victims: Sequence[int]) -> None:
    """Whatever answer was taken for theirs: each is ready, or failed with its reason, and nothing is open."""
    async with stack.database() as database:
        taken = await database.fetchval(
            "SELECT count(*) FROM jobs WHERE stage = 'convert' AND subject_id = ANY ($1) AND status <> 'due'", victims
        )
        await stages.resume(database, "convert")
    assert taken > 5, "odd answers reached rows"
    await stack.until(lambda: _at_rest(stack), 300, "the victims came to rest")
    async with stack.database() as database:
        rows = await database.fetch("SELECT status, failure_reason FROM photos WHERE id = ANY ($1)", victims)
        # An answer with the pixels of a known photograph makes a second location of it.
        joined = await database.fetchval("SELECT count(*) FROM photo_locations")
    assert len(rows) + joined == len(victims)
    assert all(row["status"] == "ready" or (row["status"] == "failed" and row["failure_reason"]) for row in rows)


async def _pages_can_be_read(stack: Stack) -> None:
    """What odd answers left in the rows of the victims breaks no page."""
    port = free_port()
    stack.start("web", "web", FINESHYT_PORT=str(port))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

        async def answers() -> bool:
            with suppress(httpx.TransportError):
                return (await client.get("/readyz")).status_code == 200
            return False

        await stack.until(answers, 60, "the pages answered")
        ids = (await client.get("/api/photos/ids")).json()["ids"]
        tabs = ("all", "match", "rated", "unrated", "rejected", "failed", "bursts")
        paths = [f"/api/photos?filter={tab}&limit=500" for tab in tabs] + [f"/api/photos/{i}" for i in ids]
        paths += ["/api/facets", "/api/status", "/api/logs?limit=500", "/api/taste", "/api/bursts", "/api/duplicates"]
        paths += ["/metrics", "/api/imports", "/api/projects", "/api/history", f"/api/taste/why/{ids[0]}", "/gallery"]
        for path in paths:
            answer = await client.get(path)
            assert answer.status_code < 500, (path, answer.text, stack.logs("web")[-3000:])


async def _healthy_work_goes_through(stack: Stack, library: Path) -> None:
    paths = make_photographs(library, 5, seed=911)
    import_id = await stack.import_folder(library)
    await stack.settle(import_id, len(paths))
    await stack.assert_accounted(import_id, paths)
    assert await stack.ready(import_id) == len(paths)
    versions = await stack.count("SELECT count(*) FROM taste_models")
    async with stack.database() as database:
        ids = await database.fetch("SELECT id FROM photos WHERE import_id = $1", import_id)
        await apply_decisions(database, [row["id"] for row in ids], Change(rating=4))

    async def learnt() -> bool:
        return await stack.count("SELECT count(*) FROM taste_models") > versions

    await stack.until(learnt, 60, "the new stars were learnt")
