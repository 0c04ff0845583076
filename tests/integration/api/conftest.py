"""The real application on a real database, asked in-process; photographs come from the `Archive`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from asgi_lifespan import LifespanManager

from contracts.settings import Settings
from tests.integration.archive import Archive
from web.app import create_app
from web.database import Connection


@pytest.fixture
async def archive(database: Connection, settings: Settings, tmp_path: Path) -> Archive:
    return Archive(database, settings, tmp_path)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    async with LifespanManager(app) as manager:
        transport = httpx.ASGITransport(manager.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:4000") as client:
            yield client
