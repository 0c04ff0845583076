"""`python -m web.results`: results writer, relay, scorer, search for versions, watched folders.

A second one is a hot standby.
"""

from __future__ import annotations

import asyncio
import signal

import structlog
import uvloop

from contracts.settings import Settings
from web import database, journal, roots, scoring
from web.relay.relay import run_relay
from web.results.scorer import run_scorer
from web.results.writer import Writer
from web.version_search import run_version_search
from web.watch import run_watch

log = structlog.get_logger()


async def main(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await _first_start(settings)
    tasks = [
        asyncio.create_task(Writer(settings, stop).run(), name="writer"),
        asyncio.create_task(run_relay(settings, stop), name="relay"),
        asyncio.create_task(run_scorer(settings, stop), name="scorer"),
        asyncio.create_task(run_version_search(settings, stop), name="versions"),
        asyncio.create_task(run_watch(settings, stop), name="watch"),
    ]
    # A part that dies takes the process with it: the supervisor starts all of it again.
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    if rest:
        await asyncio.wait(rest, timeout=settings.grace_s)
    for task in done:
        task.result()


async def _first_start(settings: Settings) -> None:
    """The configured roots and threshold are rows before anybody asks for them."""
    connection = await database.connect(settings.database_url.get_secret_value())
    try:
        await roots.ensure_roots(connection, settings)
        await scoring.ensure_threshold(connection, settings.match_threshold)
    finally:
        await connection.close()


if __name__ == "__main__":
    loaded = Settings.read()
    journal.configure(loaded)
    uvloop.run(main(loaded))
