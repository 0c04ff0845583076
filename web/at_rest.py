"""Nothing at work: what replacing a whole archive needs, since an answer to yesterday's claim knows only a number."""

from __future__ import annotations

from typing import Any

from contracts import topology
from contracts.settings import Settings
from web.broker import CANNOT_CONNECT
from web.broker import connect as connect_broker
from web.database import Connection
from web.errors import RequestError
from web.relay.broker import declare
from web.relay.relay import LEADER_LOCK

_QUEUES = (*topology.CLAIM_QUEUES, topology.RESULTS_QUEUE, topology.DEAD_QUEUE)
_AT_WORK = (
    "fineshyt is at work on this archive. Stop it first (natively: fineshyt down; with Docker Compose: stop every "
    "service but the database and the broker), then restore again."
)


async def empty_queues(connection: Connection, settings: Settings) -> None:
    """Throws away claims and answers of the archive that is replaced. Raises RequestError while anything works on it,
    or where the broker cannot be asked."""
    if await connection.fetchval(
        """SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND granted AND database =
           (SELECT oid FROM pg_database WHERE datname = current_database()))""",
        LEADER_LOCK,
    ):
        raise RequestError(409, _AT_WORK)
    try:
        broker = await connect_broker(settings)
    except CANNOT_CONNECT as error:
        raise RequestError(
            503, "RabbitMQ cannot be reached. Its queues hold work for the archive as it is, and must be emptied first."
        ) from error
    async with broker:
        await _purge(await broker.channel())


async def _purge(channel: Any) -> None:
    await declare(channel)
    for name in _QUEUES:
        queue = await channel.declare_queue(name, passive=True)
        if queue.declaration_result.consumer_count:
            raise RequestError(409, _AT_WORK)
    for name in _QUEUES:
        await (await channel.get_queue(name, ensure=False)).purge()
