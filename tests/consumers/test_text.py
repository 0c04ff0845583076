"""A search query over the real broker, from the web's side of the call to the text tower and back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import aio_pika
import numpy as np
import pytest

from consumers.text import TextServer
from contracts import topology
from contracts.claims import TextQuery
from contracts.settings import Settings
from domain import embedding
from tests.consumers.broker import Broker, until
from web.text_search import NoTextTowerError, TextTower

pytestmark = pytest.mark.integration
TINY = "ViT-S-32-alt/random"


@pytest.fixture
async def server(
    amqp_url: str, settings: Settings, broker: Broker, request: pytest.FixtureRequest
) -> AsyncIterator[TextServer]:
    """It has just begun to read its queue. Its parameter: the setting of the encoder, `bundled` unless it is said."""
    encoder = getattr(request, "param", "bundled")
    server = TextServer(settings.model_copy(update={"encoder": encoder, "clip_device": "cpu", "torch_threads": 2}))
    thread = threading.Thread(target=server.run)
    thread.start()
    await asyncio.to_thread(until, lambda: _consumers(broker) == 1, "the text consumer reads its queue", 120)
    yield server
    server.stop()
    await asyncio.to_thread(thread.join, 30)
    assert not thread.is_alive()


@pytest.fixture
async def tower(amqp_url: str, server: TextServer) -> AsyncIterator[TextTower]:
    async with await aio_pika.connect(amqp_url) as connection:
        made = TextTower()
        await made.attach(connection)
        yield made


def _consumers(broker: Broker) -> int:
    return int(broker.channel.queue_declare(topology.TEXT_QUEUE, passive=True).method.consumer_count)


def _waiting(broker: Broker) -> int:
    return int(broker.channel.queue_declare(topology.TEXT_QUEUE, passive=True).method.message_count)


@pytest.mark.parametrize("server", [TINY], indirect=True)
async def test_the_text_tower_is_there_before_the_first_query(tower: TextTower, server: TextServer) -> None:
    assert server.encoder == TINY

    first = await tower.encode("a dog in the snow", TINY)
    second = await tower.encode("a dog in the snow", TINY)
    other = await tower.encode("an empty street", TINY)
    expected = embedding.load(TINY, "cpu", 2, "text").encode_texts(["a dog in the snow"])[0]
    assert np.abs(first.astype(np.float32) - expected).max() < 2e-3
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


async def test_queries_that_nobody_waits_for_are_not_encoded(
    tower: TextTower, server: TextServer, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait in the queue, and expire there while another one is answered."""
    held, go_on, encoded = threading.Event(), threading.Event(), []

    def slowly(query: TextQuery) -> bytes:
        encoded.append(query.text)
        held.set()
        go_on.wait(30)
        return bytes(512)

    monkeypatch.setattr(server, "_encode", slowly)
    monkeypatch.setattr("web.text_search._TIMEOUT_S", 0.5)
    asked = await asyncio.gather(
        *(tower.encode(f"query {n}", TINY) for n in range(10)), asyncio.to_thread(held.wait, 30), return_exceptions=True
    )
    await asyncio.to_thread(until, lambda: _waiting(broker) == 0, "the queries expire")
    monkeypatch.setattr("web.text_search._TIMEOUT_S", 30.0)
    go_on.set()
    await tower.encode("the last one", TINY)

    assert all(isinstance(answer, NoTextTowerError) for answer in asked[:10])
    assert len(encoded) == 2
    assert encoded[1] == "the last one"


async def test_a_query_that_cannot_be_encoded_is_answered_with_a_sentence(
    tower: TextTower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.text_search._TIMEOUT_S", 60.0)  # this tower is loaded with its first query
    with pytest.raises(NoTextTowerError, match="No-Such-Model"):
        await tower.encode("a dog", "No-Such-Model/openai")
    assert len(await tower.encode("a dog", TINY)) == 256
