"""Decoder children: what goes wrong in one costs its own call."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from consumers.convert import Convert
from consumers.decoders import DecoderPool, UnexpectedDecoderError
from consumers.errors import DecoderDiedError, DecoderHungError
from contracts.results import ConvertPayload
from contracts.settings import Settings
from domain.errors import DomainError, PermanentError, TransientError, UnavailableError
from tests.consumers.broker import claim

HERE = "tests.consumers.decoded"


class Pool:
    def __init__(self, **options: Any) -> None:
        self._pool = DecoderPool(**({"children": 1, "files_per_child": 500, "memory_mb": 1000} | options))

    def call(self, function: str, timeout_s: float = 30.0, **arguments: Any) -> dict[str, Any]:
        return self._pool.call(f"{HERE}:{function}", arguments, name="IMG_1.CR2", timeout_s=timeout_s)

    def pid(self) -> int:
        return int(self.call("pid")["pid"])

    def close(self) -> None:
        self._pool.close()


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.close()


def test_a_child_is_another_process_and_stays(pool: Pool) -> None:
    first = pool.pid()
    assert first != os.getpid()
    assert pool.pid() == first


@pytest.mark.parametrize(
    ("function", "arguments", "error", "words"),
    [
        ("segfault", {}, DecoderDiedError, "SIGSEGV"),
        ("leave", {"status": 3}, DecoderDiedError, "exit status 3"),
        ("hang", {"seconds": 60}, DecoderHungError, "longer than 1 seconds"),
        ("hungry", {"megabytes": 1500, "seconds": 60}, DecoderHungError, "1000 MB"),
    ],
)
def test_a_child_that_fails_costs_one_call_and_is_replaced(
    pool: Pool, function: str, arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    before, parent = pool.pid(), os.getpid()
    with pytest.raises(error, match=words) as caught:
        pool.call(function, timeout_s=1 if function == "hang" else 30, **arguments)
    assert caught.value.sentence.startswith("IMG_1.CR2 ")  # type: ignore[attr-defined]
    assert pool.pid() not in (before, parent)
    assert os.getpid() == parent


def test_a_child_is_replaced_after_a_number_of_files() -> None:
    pool = Pool(files_per_child=3)
    pids = [pool.pid() for _ in range(7)]
    pool.close()
    assert len(set(pids[:3])) == len(set(pids[3:6])) == 1
    assert len(set(pids)) == 3


def test_a_child_that_grew_is_replaced_between_two_files(pool: Pool) -> None:
    before = pool.pid()
    assert pool.call("hungry", megabytes=600, seconds=0)["pid"] == before
    assert pool.pid() != before


def test_as_many_children_work_at_once_as_there_are_slots() -> None:
    pool = Pool(children=3)
    started = threading.Barrier(3)

    def sleep() -> int:
        started.wait()
        return int(pool.call("hang", seconds=1.0)["pid"])

    for _ in range(3):
        pool.pid()
    with ThreadPoolExecutor(3) as threads:
        pids = [work.result() for work in [threads.submit(sleep) for _ in range(3)]]
    pool.close()
    assert len(set(pids)) == 3


@pytest.mark.parametrize(
    ("kind", "error"), [("permanent", PermanentError), ("transient", TransientError), ("unavailable", UnavailableError)]
)
def test_errors_of_the_domain_arrive_as_they_were_raised(pool: Pool, kind: str, error: type[DomainError]) -> None:
    with pytest.raises(error) as caught:
        pool.call("fail", kind=kind)
    assert type(caught.value) is error
    assert caught.value.sentence.startswith(("a.tif is", "The library"))
    assert (caught.value.op, caught.value.detail) == ("convert.read", "why")
    assert caught.value.context == {"path": "/photos/a.tif"}
    if kind == "transient":
        assert caught.value.retry_after_s == 7  # type: ignore[attr-defined]
    if kind == "unavailable":
        assert caught.value.needs_person  # type: ignore[attr-defined]
        assert caught.value.upstream == {"status_code": 401}


def test_a_bug_in_a_child_keeps_its_name_and_its_place(pool: Pool) -> None:
    with pytest.raises(UnexpectedDecoderError, match=r"(?s)ZeroDivisionError: ours.*decoded\.py"):
        pool.call("fail", kind="bug")
    assert pool.pid()


def test_nothing_that_a_child_sends_is_unpickled(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Connection) -> Any:
        raise AssertionError("unpickled")

    monkeypatch.setattr(Connection, "recv", refuse)
    with pytest.raises(UnexpectedDecoderError, match="TypeError"):
        pool.call("pickled")
    assert pool.pid()


def test_a_fork_server_that_dies_is_started_again(pool: Pool) -> None:
    parent = pool.call("pid")["parent"]
    assert parent != os.getpid()
    os.kill(parent, signal.SIGKILL)
    time.sleep(0.3)
    assert pool.call("pid")["parent"] not in (parent, os.getpid())


def test_a_sigterm_to_the_group_leaves_the_decoders_alone(pool: Pool) -> None:
    before = pool.call("pid")
    for pid in (before["parent"], before["pid"]):
        os.kill(pid, signal.SIGTERM)
    time.sleep(0.3)
    assert pool.call("pid") == before


def test_a_photograph_crosses_the_pipe_as_a_few_kilobytes(
    shared_data: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    receive = Connection.recv_bytes

    def measured(self: Connection, maxlength: int | None = None) -> bytes:
        message = receive(self, maxlength)
        sizes.append(len(message))
        return message

    monkeypatch.setattr(Connection, "recv_bytes", measured)
    original = max((shared_data / "photos").glob("*.jpg"), key=lambda p: p.stat().st_size)
    params = {
        "preview_path": str(tmp_path / "p.jpg"), "thumb_path": str(tmp_path / "t.jpg"),
        "pixel_cap": 10**9, "timeout_s": 60,
    }  # fmt: skip
    worker = Convert(settings.model_copy(update={"slots": 1, "derivatives": tmp_path}))
    [(_, payload)] = list(worker.run([claim("convert", file_path=str(original), params=params)]))
    worker.close()
    assert isinstance(payload, ConvertPayload)
    assert sizes
    assert max(sizes) < 100_000
