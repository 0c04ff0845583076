"""A search query over the real broker, from the web's side of the call to the text tower and back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import aio_pika
import numpy as np
import pytest

from consumers.text import TextServer
from contracts.settings import Settings
from domain import embedding
from tests.consumers.broker import Broker, until
from web.text_search import NoTextTowerError, TextTower

pytestmark = pytest.mark.integration
TINY = "ViT-S-32-alt/random"


@pytest.fixture
async def tower(amqp_url: str, settings: Settings, broker: Broker) -> AsyncIterator[TextTower]:
    server = TextServer(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    await asyncio.to_thread(until, lambda: _consumers(broker) == 1, "the text consumer reads its queue")
    async with await aio_pika.connect(amqp_url) as connection:
        made = TextTower()
        await made.attach(connection)
        yield made
    server.stop()
    await asyncio.to_thread(thread.join, 30)
    assert not thread.is_alive()


def _consumers(broker: Broker) -> int:
    return int(broker.channel.queue_declare("text", passive=True).method.consumer_count)


async def test_a_query_becomes_the_vector_of_the_text_tower(tower: TextTower) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("web.text_search._TIMEOUT_S", 60.0)  # the tower is loaded on the first query
        first = await tower.encode("a dog in the snow", TINY)
    second = await tower.encode("a dog in the snow", TINY)
    other = await tower.encode("an empty street", TINY)
    expected = embedding.load(TINY, "cpu", 2, "text").encode_texts(["a dog in the snow"])[0]
    assert np.abs(first.astype(np.float32) - expected).max() < 2e-3
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


async def test_a_query_that_cannot_be_encoded_is_answered_with_a_sentence(tower: TextTower) -> None:
    with pytest.raises(NoTextTowerError, match="No-Such-Model"):
        await tower.encode("a dog", "No-Such-Model/openai")
    assert len(await tower.encode("a dog", TINY)) == 256
