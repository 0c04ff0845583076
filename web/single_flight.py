"""Work of one process at a time, on a connection of its own, taken up again when Postgres comes back.

A wish for it is a row, not a flag in memory, so that it survives a crash; a notification only wakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from contracts.settings import Settings
from web.database import Connection, connect
from web.waiting import happens_within

log = structlog.get_logger()
_LOOK_S = 1.0
_AGAIN_S = 2.0

Session = Callable[[Connection], Awaitable[object]]


async def run_session(settings: Settings, stop: asyncio.Event, name: str, session: Session) -> None:
    """Runs `session` until `stop`, from the start again after an error, which is logged as `<name>_interrupted`."""
    while not stop.is_set():
        try:
            connection = await connect(settings.database_url.get_secret_value())
            try:
                await session(connection)
            finally:
                connection.terminate()
        except Exception as error:
            log.warning(f"{name}_interrupted", error=_said(error))
            await happens_within(stop, _AGAIN_S)


def _said(error: BaseException) -> str:
    """Of a group, which only counts them, the errors inside."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_said(one) for one in error.exceptions)
    return f"{type(error).__name__}: {error}"


async def run_when_asked(
    settings: Settings, stop: asyncio.Event, name: str, *, channel: str, lock: int, work: Session
) -> None:
    """Runs `work` whenever `channel` is notified, and once a second, in the one process that holds the advisory `lock`.

    What is asked for during a run is met by the next.
    """

    async def session(connection: Connection) -> None:
        wake = asyncio.Event()
        await connection.add_listener(channel, lambda *_: wake.set())
        while not stop.is_set():
            wake.clear()
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock):
                await work(connection)
            await happens_within(wake, _LOOK_S)

    await run_session(settings, stop, name, session)
