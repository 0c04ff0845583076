from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from contracts.settings import Settings
from web import single_flight


class _Connection:
    def terminate(self) -> None:
        pass


async def test_what_interrupted_a_task_of_several_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = asyncio.Event()

    async def connect(url: str) -> _Connection:
        return _Connection()

    async def fails() -> None:
        stop.set()
        raise ValueError("the row is gone")

    async def session(connection: object) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(fails())

    monkeypatch.setattr(single_flight, "connect", connect)
    with capture_logs() as logs:
        await single_flight.run_session(Settings(), stop, "scorer", session)

    assert [(entry["event"], entry["error"]) for entry in logs] == [
        ("scorer_interrupted", "ValueError: the row is gone")
    ]
