"""Thousands of messages a second to and from RabbitMQ: pika's asyncio adapter, for the relay and the writer alone.

aio-pika is easier to read and serves everywhere else, but spends 160 to 250 microseconds of processor time on a message
that it publishes and waits for; this spends 50 (`make bench PARTS=delivery`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection

from contracts import headers
from web.broker import first_to_answer

headers.leave_out_unreadable(pika.BasicProperties)
_OPEN_WITHIN_S = 10.0


class BrokerLostError(ConnectionError):
    """The connection or the channel is closed; what was not confirmed or acknowledged counts as not done."""


class RefusedError(ConnectionError):
    """The broker returned or refused a message: a queue is missing or full."""


@dataclass(frozen=True)
class Delivered:
    """A message in hand until `BulkChannel.acknowledge`."""

    tag: int
    queue: str
    routing_key: str
    body: bytes


class BulkChannel:
    """A connection with one channel in confirm mode. Not safe for several threads; one publisher at a time."""

    def __init__(self, connection: Any, channel: Any) -> None:
        self._connection = connection
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._published = 0
        self._outstanding: set[int] = set()
        self._confirmed: asyncio.Future[None] | None = None
        self._on_lost: list[Callable[[], None]] = []
        self.lost: BaseException | None = None

    @classmethod
    async def open(cls, *urls: str, prefetch: int = 0) -> BulkChannel:
        """Connects to the first of these nodes that answers; `prefetch` limits the unacknowledged messages of each
        consumer (0: no limit).

        Raises OSError or `pika.exceptions.AMQPError`, the last node's, when none does within ten seconds.
        """
        refusals = (OSError, pika.exceptions.AMQPError)
        return await first_to_answer(urls, lambda url: cls._open(url, prefetch), refusals)

    @classmethod
    async def _open(cls, url: str, prefetch: int) -> BulkChannel:
        async with asyncio.timeout(_OPEN_WITHIN_S):
            connection = await _connected(url)
            try:
                channel = await _channel(connection)
                bulk = cls(connection, channel)
                await bulk._prepare(prefetch)
            except BaseException:
                _close(connection)
                raise
        return bulk

    async def _prepare(self, prefetch: int) -> None:
        connection, channel = self._connection, self._channel
        connection.add_on_close_callback(lambda _, why: self._lose(why))
        channel.add_on_close_callback(lambda _, why: self._lose(why))
        channel.add_on_cancel_callback(lambda _: self._lose(BrokerLostError("RabbitMQ took the queue away.")))
        channel.add_on_return_callback(
            lambda _, how, *__: self._fail(RefusedError(f"RabbitMQ has no queue {how.routing_key}: {how.reply_text}"))
        )
        ready: asyncio.Future[None] = self._loop.create_future()
        # The broker answers in order: the second answer stands for both.
        channel.basic_qos(prefetch_count=prefetch)
        channel.confirm_delivery(self._on_confirm, callback=lambda _: _resolve(ready))
        await ready

    async def publish(self, exchange: str, messages: Iterable[tuple[str, bytes, pika.BasicProperties]]) -> None:
        """Publishes `(routing key, body, properties)`, mandatory, and returns when the broker has confirmed all.

        Raises RefusedError or BrokerLostError; then some may have gone out.
        """
        self._raise_if_lost()
        for key, body, properties in messages:
            self._channel.basic_publish(exchange, key, body, properties, mandatory=True)
            self._published += 1
            self._outstanding.add(self._published)
        if self._outstanding:
            self._confirmed = self._loop.create_future()
            await self._confirmed

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        if isinstance(method, pika.spec.Basic.Nack):
            self._fail(RefusedError("RabbitMQ could not store a message (a queue is full or has lost its majority)."))
        if method.multiple:
            self._outstanding = {tag for tag in self._outstanding if tag > method.delivery_tag}
        else:
            self._outstanding.discard(method.delivery_tag)
        if not self._outstanding and self._confirmed is not None:
            _resolve(self._confirmed)

    def consume(self, queue: str, take: Callable[[Delivered], None]) -> None:
        """Hands every message of `queue` to `take`, in order, on the event loop."""
        self._raise_if_lost()
        self._channel.basic_consume(
            queue, lambda _, how, __, body: take(Delivered(how.delivery_tag, queue, how.routing_key, body))
        )

    def acknowledge(self, tag: int) -> None:
        """Everything delivered up to `tag`. Raises BrokerLostError: the broker will hand all of it out again."""
        self._raise_if_lost()
        self._channel.basic_ack(tag, multiple=True)

    def when_lost(self, callback: Callable[[], None]) -> None:
        self._on_lost.append(callback)
        if self.lost is not None:
            callback()

    def _raise_if_lost(self) -> None:
        if self.lost is not None:
            raise BrokerLostError(f"The connection to RabbitMQ was closed: {self.lost}")

    def _lose(self, why: BaseException) -> None:
        if self.lost is not None:
            return
        self.lost = why
        self._fail(BrokerLostError(f"The connection to RabbitMQ was closed: {why}"))
        for callback in self._on_lost:
            callback()

    def _fail(self, error: Exception) -> None:
        if self._confirmed is not None and not self._confirmed.done():
            self._confirmed.set_exception(error)

    async def close(self) -> None:
        """Closes, and waits for it a little. Never raises."""
        _close(self._connection)
        for _ in range(100):
            if self._connection.is_closed:
                return
            await asyncio.sleep(0.02)


async def _connected(url: str) -> Any:
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[Any] = loop.create_future()

    def failed(_: Any, why: BaseException) -> None:
        if not opened.done():
            opened.set_exception(why if isinstance(why, Exception) else ConnectionError(str(why)))

    connection = AsyncioConnection(
        pika.URLParameters(url),
        on_open_callback=lambda connection: _resolve(opened, connection),
        on_open_error_callback=failed,
        custom_ioloop=loop,
    )
    try:
        return await opened
    except BaseException:
        _close(connection)
        raise


async def _channel(connection: Any) -> Any:
    opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    connection.channel(on_open_callback=lambda channel: _resolve(opened, channel))
    return await opened


def _resolve(future: asyncio.Future[Any], value: Any = None) -> None:
    if not future.done():
        future.set_result(value)


def _close(connection: Any) -> None:
    if not connection.is_closed and not connection.is_closing:
        connection.close()
