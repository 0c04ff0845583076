"""The way to RabbitMQ: any node of the cluster that answers."""

from __future__ import annotations

import random
from collections.abc import Sequence

import aio_pika
from aio_pika.abc import AbstractConnection

from contracts.settings import Settings

CANNOT_CONNECT = (OSError, ValueError, aio_pika.exceptions.AMQPException)
"""What `connect` raises."""


async def connect(settings: Settings, *, timeout_s: float = 10.0) -> AbstractConnection:
    """A connection to the first node that answers, of those that `AMQP_URL` names, in any order.

    `timeout_s` holds for each node. Raises one of `CANNOT_CONNECT`: the last node's refusal.
    """
    refusal: Exception = ConnectionError("AMQP_URL is not set.")
    for url in in_any_order(settings.amqp_urls):
        try:
            return await aio_pika.connect(url, timeout=timeout_s)
        except CANNOT_CONNECT as error:
            refusal = error
    raise refusal


def in_any_order(urls: Sequence[str]) -> list[str]:
    """Shuffled, so that connections spread over the nodes."""
    return random.sample(urls, len(urls))
