"""`/events` over a real socket: live, missed and too old."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
import uvicorn

from contracts.events import Event
from contracts.settings import Settings
from web import events
from web.app import create_app
from web.database import Connection
from web.native.ports import free_port

pytestmark = pytest.mark.timeout(60)


@dataclass(frozen=True)
class Message:
    event: str
    data: Any
    id: int | None


@pytest.fixture
async def address(settings: Settings) -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), host="127.0.0.1", port=port, log_level="warning", lifespan="on")
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@asynccontextmanager
async def _reading(address: str, path: str = "/events", **headers: str) -> AsyncIterator[AsyncIterator[Message]]:
    """The messages of a stream that is connected: what is published from now on is seen."""
    async with (
        httpx.AsyncClient(base_url=address, timeout=20) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert await anext(lines) == ": connected"
        yield _messages(lines)


async def _messages(lines: AsyncIterator[str]) -> AsyncIterator[Message]:
    fields: dict[str, str] = {}
    async for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and "data" in fields:
            number = fields.get("id")
            yield Message(fields.get("event", ""), orjson.loads(fields["data"]), int(number) if number else None)
            fields = {}


async def _publish(database: Connection, *happened: Event) -> int:
    """Returns the newest id."""
    async with database.transaction():
        await events.publish(database, happened)
    return int(await database.fetchval("SELECT max(id) FROM events"))


def _photos(*ids: int) -> Event:
    return Event(kind="photos", data={"stage": "convert", "ids": list(ids)})


async def _next(messages: AsyncIterator[Message], kind: str) -> Message:
    """The next message of `kind`; counters come in between."""
    async with asyncio.timeout(15):
        async for message in messages:
            if message.event == kind:
                return message
    raise AssertionError("the stream ended")


async def test_what_happens_is_sent_with_the_cursor_to_go_on_from(address: str, database: Connection) -> None:
    async with _reading(address) as messages:
        newest = await _publish(database, _photos(1, 2))
        message = await _next(messages, "photos")
        # Counters that are sent at the same moment come last, and the last one carries the cursor.
        cursor = message.id or (await anext(messages)).id

    assert message.data == {"stage": "convert", "ids": [1, 2]}
    assert cursor == newest


@pytest.mark.parametrize("how", ["header", "query"])
async def test_what_was_missed_is_sent_as_one_message_a_kind_and_nothing_twice(
    address: str, database: Connection, how: str
) -> None:
    seen = await _publish(database, _photos(1))
    await _publish(database, _photos(2, 3))
    newest = await _publish(database, _photos(3, 4))
    path, headers = ("/events", {"Last-Event-ID": str(seen)}) if how == "header" else (f"/events?after={seen}", {})

    async with _reading(address, path, **headers) as messages:
        missed = await _next(messages, "photos")
        await _publish(database, _photos(5))
        live = await _next(messages, "photos")

    assert (missed.data["ids"], missed.id) == ([2, 3, 4], newest)
    assert live.data["ids"] == [5]


@pytest.mark.parametrize("cursor", ["1", "999999", "9" * 30], ids=["forgotten", "of another archive", "too large"])
async def test_a_cursor_that_is_not_known_any_more_asks_to_load_again(
    address: str, database: Connection, cursor: str
) -> None:
    for number in range(3):
        await _publish(database, _photos(number))
    await database.execute("UPDATE events SET at = now() - interval '25 hours' WHERE id < (SELECT max(id) FROM events)")
    newest = await _publish(database, _photos(9))

    async with _reading(address, **{"Last-Event-ID": cursor}) as messages:
        message = await _next(messages, "resync")

    assert message.id == newest


@pytest.mark.parametrize("cursor", ["yesterday", "9" * 5000])
async def test_a_cursor_that_is_none_gets_what_happens_from_now_on(
    address: str, database: Connection, cursor: str
) -> None:
    await _publish(database, _photos(1))

    async with _reading(address, **{"Last-Event-ID": cursor}) as messages:
        await _publish(database, _photos(2))
        assert (await _next(messages, "photos")).data["ids"] == [2]


async def test_a_burst_of_events_leaves_as_few_messages(address: str, database: Connection) -> None:
    async with _reading(address) as messages:
        await _publish(database, *(_photos(number) for number in range(200)))
        got: list[int] = []
        count = 0
        while len(got) < 200:
            got += (await _next(messages, "photos")).data["ids"]
            count += 1

    assert got == list(range(200))
    assert count <= 2
