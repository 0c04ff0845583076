"""The web process's one connection to RabbitMQ: reports in, search queries out. Pages work without it."""

from __future__ import annotations

import asyncio

import structlog

from contracts.settings import Settings
from web import reports
from web.broker import connect
from web.reports import ReportBoard
from web.text_search import TextTower

log = structlog.get_logger()
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0


async def follow_broker(settings: Settings, board: ReportBoard, tower: TextTower) -> None:
    """Connects, and connects again whenever RabbitMQ comes back. Until cancelled."""
    if not settings.amqp_urls:
        log.warning("no_broker_configured")
        return
    pause = _FIRST_PAUSE_S
    while True:
        try:
            connection = await connect(settings)
            async with connection:
                pause = _FIRST_PAUSE_S
                await reports.listen(connection, board, "web")
                await tower.attach(connection)
                log.info("broker_connected")
                await connection.closed()
        except Exception as error:  # the outside world went away: say so, wait, try again
            log.warning("broker_away", error=f"{type(error).__name__}: {error}")
        tower.detach()
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_S)
