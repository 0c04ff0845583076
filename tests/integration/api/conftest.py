"""The real application on a real database, asked in-process; photographs come from the `Archive`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from starlette.routing import BaseRoute

from contracts.settings import Settings
from tests.integration.archive import Archive
from web.app import create_app
from web.database import Connection

_ROUTES: list[BaseRoute] = []


def application(settings: Settings) -> FastAPI:
    """What `create_app` makes, with the routes of the first one for all.

    They know nothing of an application, and FastAPI prepares them at the first request, which takes longer than many a
    test.
    """
    app = create_app(settings)
    _ROUTES[:] = _ROUTES or app.router.routes
    app.router.routes[:] = _ROUTES
    return app


@pytest.fixture
async def archive(database: Connection, settings: Settings, tmp_path: Path) -> Archive:
    return Archive(database, settings, tmp_path)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = application(settings)
    async with LifespanManager(app) as manager:
        transport = httpx.ASGITransport(manager.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:4000") as client:
            yield client
