"""The web application, put together: guard, API, pages, live events and what they stand on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from contracts.settings import Settings
from web import api, assets, event_stream, media, operations, pages, problems
from web.broker_link import follow_broker
from web.context import Context
from web.database import create_pool
from web.likeness import Likeness
from web.live import EventHub
from web.progress import run_progress
from web.reports import ReportBoard
from web.security import Guard, allowed_hosts
from web.text_search import TextTower
from web.waiting import happens_within
from web.word_vectors import WordVectors

_DESCRIPTION = """Finds the keepers in one photographer's archive. Errors are `application/problem+json` with a
sentence that says what to do."""


def create_app(settings: Settings) -> FastAPI:
    """The whole application behind its guard. RabbitMQ may be away; Postgres is needed at the start."""
    app = FastAPI(
        title="fineshyt",
        description=_DESCRIPTION,
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(settings),
    )
    problems.install(app)
    for router in (operations.router, event_stream.router, media.router, api.router, pages.router):
        app.include_router(router)
    app.mount(assets.address(), assets.assets(), name="static")
    app.add_middleware(_guard(settings))
    return app


def _guard(settings: Settings) -> Callable[[ASGIApp], ASGIApp]:
    hosts = allowed_hosts(settings)
    return lambda app: Guard(app, hosts)


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        url = settings.database_url.get_secret_value()
        pool = await create_pool(url)
        tower = TextTower()
        context = Context(settings, pool, ReportBoard(), EventHub(url), tower, WordVectors(tower), Likeness())
        app.state.context = context
        tasks = [
            asyncio.create_task(context.hub.run(), name="events"),
            asyncio.create_task(run_progress(pool, context.board, context.hub), name="progress"),
            asyncio.create_task(follow_broker(settings, context.board, context.text_tower), name="broker"),
        ]
        await happens_within(context.hub.listening, 5.0)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await context.words.close()
            await _close(pool)

    return lifespan


async def _close(pool: object) -> None:
    """Within a few seconds, whatever a request still does with its connection."""
    try:
        await asyncio.wait_for(pool.close(), 5.0)  # type: ignore[attr-defined]
    except TimeoutError:
        pool.terminate()  # type: ignore[attr-defined]
