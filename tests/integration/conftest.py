"""A migrated database of its own for every test, and settings that point at it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.settings import Settings
from web.database import Connection, connect


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Connection]:
    connection = await connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(FINESHYT_HOME=tmp_path / "home", DATABASE_URL=database_url, FREE_DISK_GB=0, STUCK_AFTER_SECONDS=2)
