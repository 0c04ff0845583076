"""Brings the database to this version's shape: `python -m web.migrate`, or `migrate(url)`.

Expand and contract: a migration never breaks the version that still runs beside it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from contracts.settings import Settings

_MIGRATION_LOCK = 0x66696E65  # "fine": two processes that start together migrate one after the other


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection, revision: str) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def sqlalchemy_url(url: str) -> str:
    """`postgres://` and `postgresql://` as SQLAlchemy's asyncpg dialect spells them."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+asyncpg://{rest}" if scheme in {"postgres", "postgresql"} else url


async def migrate_async(url: str, revision: str = "head") -> None:
    engine = create_async_engine(sqlalchemy_url(url))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, revision)
    finally:
        await engine.dispose()


def migrate(url: str, revision: str = "head") -> None:
    """Migrates the database at `url` (`postgresql://user:password@host/name`), to the newest shape if not said."""
    asyncio.run(migrate_async(url, revision))


if __name__ == "__main__":
    migrate(Settings.read().database_url.get_secret_value())
