"""A language model that goes away, asks for patience or refuses: the stage waits with its reason, no photograph does.

One stack of real processes; the endpoint is `llmock` behind a gate that can be shut.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.chaos.photographs import make_photographs
from tests.chaos.stack import Stack, running_stack
from tests.servers import PrivateServers
from web import failed_lane, stages

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(180)]

ANSWER = json.dumps({"subject": "A windmill", "content_type": "landscape", "suggested_tags": ["mill"]})
_SEEDS = iter(range(5001, 6000))


class Gate:
    """Forwards a port of its own to the endpoint; shut, it refuses connections."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._server: socket.socket | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def open(self) -> None:
        if self._server is not None:
            return
        self._server = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self._server,), daemon=True).start()

    def shut(self) -> None:
        if self._server is not None:
            with suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None

    def _serve(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                inside, _ = server.accept()
                outside = socket.create_connection(self._target)
                for source, sink in ((inside, outside), (outside, inside)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError), source, sink:
        while data := source.recv(65536):
            sink.sendall(data)


@pytest.fixture(scope="module")
def gate(llmock_server: Any) -> Iterator[Gate]:
    from llmock.pytest_plugin import LLMock

    address = urlsplit(LLMock(llmock_server).base_url("openai"))
    gate = Gate((address.hostname or "127.0.0.1", address.port or 80))
    yield gate
    gate.shut()


@pytest.fixture(scope="module")
def stack(
    private_servers: PrivateServers, gate: Gate, llmock_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    from llmock.pytest_plugin import LLMock

    path = urlsplit(LLMock(llmock_server).base_url("openai")).path
    environment = {"LLM_BASE_URL": f"http://127.0.0.1:{gate.port}{path}", "WORKER_SLOTS": "1"}
    home = Path(tmp_path_factory.mktemp("home"))
    with running_stack(private_servers, home, environment, ("scan", "convert", "curate")) as stack:
        yield stack


async def _import(stack: Stack, folder: Path, n: int) -> int:
    make_photographs(folder, n, seed=next(_SEEDS))
    import_id = await stack.import_folder(folder)

    async def ready() -> bool:
        return await stack.ready(import_id) == n

    await stack.until(ready, 60, f"{n} photographs ready")
    return import_id


async def _curated(stack: Stack, import_id: int) -> int:
    return await stack.count(
        "SELECT count(*) FROM photo_metadata m JOIN photos p ON p.id = m.photo_id WHERE p.import_id = $1", import_id
    )


async def _until_curated(stack: Stack, import_id: int, n: int, seconds: float) -> None:
    async def all_curated() -> bool:
        return await _curated(stack, import_id) == n

    await stack.until(all_curated, seconds, f"{n} photographs curated")


async def _until_paused(stack: Stack, words: str) -> None:
    async def paused() -> bool:
        return words in await _reason(stack)

    await stack.until(paused, 60, f"the stage paused with {words!r}")


async def _reason(stack: Stack) -> str:
    async with stack.database() as database:
        return str(await database.fetchval("SELECT breaker_reason FROM stages WHERE name = 'curate'") or "")


async def _attempts(stack: Stack, import_id: int) -> int:
    return await stack.count(
        """SELECT coalesce(sum(j.attempts), 0) FROM jobs j JOIN photos p ON p.id = j.subject_id
           WHERE j.stage = 'curate' AND p.import_id = $1""",
        import_id,
    )


async def test_a_model_that_is_away_pauses_the_stage_and_comes_back_by_itself(
    stack: Stack, gate: Gate, llmock: Any, tmp_path: Path
) -> None:
    gate.shut()
    llmock.reply(ANSWER, times=None)
    photographs = await _import(stack, tmp_path / "library", 4)
    await _until_paused(stack, "refused")
    assert await _attempts(stack, photographs) == 0, "a model that is away costs no attempt"

    gate.open()
    await _until_curated(stack, photographs, 4, 90)
    assert await _reason(stack) == ""


async def test_a_model_that_asks_for_patience_is_asked_again_after_it(
    stack: Stack, gate: Gate, llmock: Any, tmp_path: Path
) -> None:
    gate.open()
    llmock.fail(429, times=1, message="slow down", retry_after=3)
    llmock.reply(ANSWER, times=None)
    photographs = await _import(stack, tmp_path / "library", 3)
    await _until_curated(stack, photographs, 3, 60)
    assert await _attempts(stack, photographs) == 0
    assert len(llmock.requests) == 4, "one refusal, and one call for each photograph"


async def test_five_identical_refusals_pause_the_stage_and_the_photographs_stay_ready(
    stack: Stack, gate: Gate, llmock: Any, tmp_path: Path
) -> None:
    gate.open()
    llmock.fail(400, times=None, message="no such parameter")
    photographs = await _import(stack, tmp_path / "library", 40)
    await _until_paused(stack, "no such parameter")
    assert await stack.ready(photographs) == 40
    failed = await stack.count(
        "SELECT count(*) FROM gallery WHERE failed_stage = 'curate' AND import_id = $1", photographs
    )
    assert 5 <= failed < 40, "the rest is not spent on a setting that is wrong"

    llmock.reset()
    llmock.reply(ANSWER, times=None)
    async with stack.database() as database:
        await stages.resume(database, "curate")

        async def retried_and_curated() -> bool:
            # Again and again: a request that was under way when the stage was resumed may still be refused.
            await failed_lane.retry_all(database)
            return await _curated(stack, photographs) == 40

        await stack.until(retried_and_curated, 60, "40 photographs curated")
