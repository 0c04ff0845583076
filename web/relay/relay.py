"""The leader's loop. `pg_try_advisory_lock` elects it; the lock lives on the connection that does the work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from aio_pika.abc import AbstractConnection

from contracts.settings import Settings
from web import reports, roots
from web.broker import connect as connect_broker
from web.database import Connection, connect
from web.jobs import WAKE_RELAY
from web.relay import sweep
from web.relay.broker import Publisher
from web.relay.dispatch import Dispatcher
from web.relay.index_keeper import IndexKeeper
from web.reports import ReportBoard
from web.waiting import happens_within

log = structlog.get_logger()

LEADER_LOCK = 0x72656C61  # "rela"
_IDLE_S = 1.0
_STANDBY_S = 1.0


async def run_relay(settings: Settings, stop: asyncio.Event) -> None:
    """Leads, or waits to lead, until `stop`; reconnects to whatever was lost."""
    delay = 0.5
    while not stop.is_set():
        try:
            await _session(settings, stop)
            delay = 0.5
        except Exception as error:  # the outside world went away: say so, wait, try again
            log.warning("relay_interrupted", error=f"{type(error).__name__}: {error}")
            await happens_within(stop, delay)
            delay = min(delay * 2, 10.0)


async def _session(settings: Settings, stop: asyncio.Event) -> None:
    connection = await connect(settings.database_url.get_secret_value())
    try:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LEADER_LOCK):
            await happens_within(stop, _STANDBY_S)
            if stop.is_set():
                return
        broker = await connect_broker(settings)
        async with broker:
            await _lead(connection, broker, settings, stop)
    finally:
        connection.terminate()


async def _lead(connection: Connection, broker: AbstractConnection, settings: Settings, stop: asyncio.Event) -> None:
    board = ReportBoard()
    publisher = await Publisher.open(broker, *settings.amqp_urls)
    try:
        await _work(connection, broker, publisher, board, settings, stop)
    finally:
        await publisher.close()


async def _work(
    connection: Connection,
    broker: AbstractConnection,
    publisher: Publisher,
    board: ReportBoard,
    settings: Settings,
    stop: asyncio.Event,
) -> None:
    await reports.listen(broker, board, "relay")
    offline = await roots.note_offline(connection)
    dispatcher = Dispatcher(connection, publisher, settings, board, offline)
    wake = asyncio.Event()
    await connection.add_listener(WAKE_RELAY, lambda *_: wake.set())
    log.info("relay_leads")
    each_second = _Every(1.0, lambda: sweep.every_second(connection))
    each_ten = _Every(
        min(10.0, settings.stuck_after_s),
        lambda: sweep.every_ten_seconds(connection, publisher, settings, board, offline),
    )
    keeper = IndexKeeper(settings.database_url.get_secret_value())
    each_minute = _Every(60.0, lambda: keeper.look(connection))
    each_hour = _Every(3600.0, lambda: sweep.forget_old(connection))
    try:
        while not stop.is_set():
            wake.clear()
            moved = await dispatcher.run_once()
            for duty in (each_second, each_ten, each_minute, each_hour):
                await duty.when_due()
            if broker.is_closed:
                raise ConnectionError("The connection to RabbitMQ was closed.")
            if not moved:
                await happens_within(wake, _IDLE_S)
    finally:
        await keeper.close()


class _Every:
    """Runs a duty at most once in `seconds`."""

    def __init__(self, seconds: float, duty: Callable[[], object]) -> None:
        self._seconds = seconds
        self._duty = duty
        self._last = float("-inf")

    async def when_due(self) -> None:
        if time.monotonic() - self._last < self._seconds:
            return
        self._last = time.monotonic()
        result = self._duty()
        if asyncio.iscoroutine(result):
            await result
