"""The way to RabbitMQ: any node of the cluster that answers."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import aio_pika
from aio_pika.abc import AbstractConnection

from contracts.settings import Settings

Link = TypeVar("Link")
CANNOT_CONNECT = (OSError, ValueError, aio_pika.exceptions.AMQPException)
"""What `connect` raises."""


async def connect(settings: Settings, *, timeout_s: float = 10.0) -> AbstractConnection:
    """A connection to the first node that answers, of those that `AMQP_URL` names, in any order.

    `timeout_s` holds for each node. Raises one of `CANNOT_CONNECT`: the last node's refusal.
    """
    return await first_to_answer(
        settings.amqp_urls, lambda url: aio_pika.connect(url, timeout=timeout_s), CANNOT_CONNECT
    )


async def first_to_answer(
    urls: Sequence[str], open_link: Callable[[str], Awaitable[Link]], refusals: tuple[type[Exception], ...]
) -> Link:
    """What `open_link` gives for the first node that does not refuse with one of `refusals`; raises the last one's.

    The order is drawn anew each time, so that connections spread over the nodes.
    """
    refusal: Exception = ConnectionError("AMQP_URL is not set.")
    for url in random.sample(urls, len(urls)):
        try:
            return await open_link(url)
        except refusals as error:
            refusal = error
    raise refusal
