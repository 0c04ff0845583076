"""What was set aside is looked at, sent again and thrown away; nothing is lost by looking."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aio_pika
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from contracts import topology
from contracts.settings import Settings
from web import dead_letters
from web.cli import _register_all, app
from web.relay.broker import declare

pytestmark = pytest.mark.integration
_register_all()


@pytest.fixture
async def channel(amqp_url: str) -> AsyncIterator[Any]:
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        await declare(channel)
        parked = await channel.get_exchange(topology.PARKED, ensure=False)
        for number in range(3):
            await parked.publish(
                aio_pika.Message(
                    b"\xffnot json %d" % number,
                    headers={"x-parked-reason": "not understood: JSON", "x-parked-from": topology.RESULTS_QUEUE},
                ),
                "",
            )
        yield channel


@pytest.fixture
def here(settings: Settings, amqp_url: str) -> Settings:
    return settings.model_copy(update={"amqp_url": SecretStr(amqp_url)})


async def _waiting(channel: Any, queue: str) -> int:
    declared = await channel.declare_queue(queue, passive=True)
    return int(declared.declaration_result.message_count)


async def test_looking_takes_nothing_out(channel: Any, here: Settings) -> None:
    found = await dead_letters.listed(here)

    assert [letter["from"] for letter in found] == [topology.RESULTS_QUEUE] * 3
    assert found[0]["reason"] == "not understood: JSON"
    assert found[0]["body"].endswith("not json 0"), "bytes that are no text are shown as well as they can be"
    assert len(await dead_letters.listed(here)) == 3


async def test_sent_again_they_wait_where_they_came_from(channel: Any, here: Settings) -> None:
    assert await dead_letters.replay(here) == 3

    assert await _waiting(channel, topology.RESULTS_QUEUE) == 3
    assert await _waiting(channel, topology.PARKED_QUEUE) == 0


async def test_a_letter_whose_queue_is_gone_stays(channel: Any, here: Settings) -> None:
    await (await channel.get_queue(topology.PARKED_QUEUE, ensure=False)).purge()
    parked = await channel.get_exchange(topology.PARKED, ensure=False)
    await parked.publish(aio_pika.Message(b"x", headers={"x-parked-from": "no such queue"}), "")

    with pytest.raises(aio_pika.exceptions.PublishError):
        await dead_letters.replay(here)

    assert len(await dead_letters.listed(here)) == 1


async def test_what_killed_its_workers_is_counted_while_nobody_takes_it(channel: Any, here: Settings) -> None:
    assert await dead_letters.dead(here) == 0
    dead = await channel.get_exchange(topology.DEAD, ensure=False)
    await dead.publish(aio_pika.Message(b"a claim"), "convert")

    assert await dead_letters.dead(here) == 1


async def test_the_command_lists_replays_and_discards(
    channel: Any, here: Settings, database_url: str, amqp_url: str
) -> None:
    environment = {
        "DATABASE_URL": database_url,
        "AMQP_URL": amqp_url,
        "FINESHYT_HOME": str(here.home),
        "COLUMNS": "300",
    }

    async def typed(*words: str) -> str:
        done = await asyncio.to_thread(CliRunner(env=environment).invoke, app, ["dead-letters", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "from results: not understood: JSON" in (listed := await typed("list")) and "3 set aside." in listed
    assert json.loads(await typed("replay", "--json")) == {"replayed": 3}
    assert await _waiting(channel, topology.RESULTS_QUEUE) == 3
    assert "0 messages sent again." in await typed("requeue"), "the name that it had before"
    assert json.loads(await typed("discard", "--json")) == {"discarded": 0}


async def test_thrown_away_they_are_gone(channel: Any, here: Settings) -> None:
    assert await dead_letters.discard(here) == 3
    assert await dead_letters.listed(here) == []
