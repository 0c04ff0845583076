"""A search query becomes a vector: a remote call to the `text` consumers over the broker, five seconds to live."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress

import aio_pika
import numpy as np
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from numpy.typing import NDArray
from pydantic import ValidationError

from contracts import topology
from contracts.claims import TextQuery, TextReply
from web.encoders import BUNDLED

log = structlog.get_logger()
_KEPT = 500
"""Texts whose vectors are remembered, 1.5 kB each."""
_TIMEOUT_S = topology.TEXT_TTL_MS / 1000


class NoTextTowerError(Exception):
    """Use this when a query cannot be turned into a vector; the message says why, for the person who searches."""


def has_text_tower(encoder: str | None) -> bool:
    """The bundled encoder sees pictures only; open_clip encoders have both towers."""
    return encoder is not None and encoder != BUNDLED


class TextTower:
    """Asks whichever `text` consumer is free. Replies come back over RabbitMQ's direct reply-to."""

    def __init__(self) -> None:
        self._channel: AbstractChannel | None = None
        self._waiting: dict[str, asyncio.Future[TextReply]] = {}
        self._known: dict[tuple[str, str], NDArray[np.float16]] = {}

    @property
    def attached(self) -> bool:
        """Whether there is a connection to the broker now."""
        return self._channel is not None

    async def attach(self, connection: AbstractConnection) -> None:
        """Opens the channel for queries and replies on `connection`."""
        self._channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        replies = await self._channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        await replies.consume(self._take, no_ack=True)

    def detach(self) -> None:
        """The connection is gone: searches go by words until the next `attach`."""
        self._channel = None

    async def _take(self, message: AbstractIncomingMessage) -> None:
        waiting = self._waiting.get(message.correlation_id or "")
        if waiting is None or waiting.done():
            return
        with suppress(ValidationError):
            waiting.set_result(TextReply.model_validate_json(message.body))

    async def encode(self, text: str, encoder: str | None) -> NDArray[np.float16]:
        """The unit vector of `text`, float16. Raises NoTextTowerError with a sentence."""
        if not has_text_tower(encoder):
            raise NoTextTowerError("The encoder in use sees pictures only, so the search went by words and names.")
        assert encoder is not None
        if (encoder, text) in self._known:  # a view is read again whenever a photograph of it changes
            return self._known[encoder, text]
        if self._channel is None:
            raise NoTextTowerError("RabbitMQ cannot be reached just now, so the search went by words and names.")
        reply = await self._ask(TextQuery(encoder=encoder, text=text))
        if reply.vector is None:
            raise NoTextTowerError(
                reply.error or "The text consumer had no answer, so the search went by words and names."
            )
        return self._keep(encoder, text, np.frombuffer(reply.vector, "<f2"))

    def _keep(self, encoder: str, text: str, vector: NDArray[np.float16]) -> NDArray[np.float16]:
        """The oldest of `_KEPT` goes."""
        self._known[encoder, text] = vector
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return vector

    async def _ask(self, query: TextQuery) -> TextReply:
        assert self._channel is not None
        correlation_id = uuid.uuid4().hex
        answer: asyncio.Future[TextReply] = asyncio.get_running_loop().create_future()
        self._waiting[correlation_id] = answer
        message = aio_pika.Message(
            query.to_bytes(),
            reply_to="amq.rabbitmq.reply-to",
            correlation_id=correlation_id,
            expiration=_TIMEOUT_S,
            content_type="application/json",
        )
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._channel.default_exchange.publish(message, topology.TEXT_QUEUE, mandatory=True)
                return await answer
        except (TimeoutError, aio_pika.exceptions.AMQPException, ConnectionError) as error:
            log.info("text_query_unanswered", error=f"{type(error).__name__}: {error}")
            raise NoTextTowerError(
                "No `text` consumer answered within 5 seconds, so the search went by words and names."
            ) from error
        finally:
            del self._waiting[correlation_id]
