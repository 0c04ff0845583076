"""How a command reaches the archive: the running fineshyt of a home, or the servers that the environment names."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from contracts.settings import Settings
    from web.database import Connection

HomeOption = Annotated[Path | None, typer.Option("--home", help="The folder that holds all state.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Reached:
    """A connection to the archive, and settings that reach the same servers."""

    connection: Connection
    settings: Settings


def reachable_settings(home: Path | None) -> Settings:
    """Settings of what runs in `home`, or the environment's. Exits with 2 when nothing runs."""
    settings = try_reachable_settings(home)
    if settings.database_url.get_secret_value():
        return settings
    raise not_running(settings)


def try_reachable_settings(home: Path | None) -> Settings:
    """The same; where nothing runs, they name no servers."""
    from contracts.settings import Settings
    from web.native.home import Home

    settings = Settings.read(FINESHYT_HOME=home) if home is not None else Settings.read()
    running = Home(settings.home).running()
    return settings if running is None else Home(settings.home).settings(running)


def unreachable() -> tuple[type[Exception], ...]:
    """What asyncpg raises when the servers are away."""
    import asyncpg

    return OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError


def not_running(settings: Settings) -> typer.Exit:
    typer.echo(f"fineshyt is not running for {settings.home}. Start it with: fineshyt up", err=True)
    return typer.Exit(2)


@asynccontextmanager
async def archive(settings: Settings) -> AsyncIterator[Reached]:
    from web.database import connected

    async with connected(settings.database_url.get_secret_value()) as connection:
        yield Reached(connection, settings)


def with_archive(home: Path | None, work: Callable[[Reached], Coroutine[Any, Any, _T]]) -> _T:
    """Runs `work` on the archive. A refused request is a sentence and exit 1; servers that are away are exit 2."""
    return run_on(reachable_settings(home), work)


def run_on(settings: Settings, work: Callable[[Reached], Coroutine[Any, Any, _T]], *, migrated: bool = False) -> _T:
    """The same where it is known how to reach it; `migrated`: its database is brought up to date first."""
    from web.errors import RequestError

    async def run() -> _T:
        if migrated:
            from web.migrate import migrate_async

            await migrate_async(settings.database_url.get_secret_value())
        async with archive(settings) as reached:
            return await work(reached)

    try:
        return asyncio.run(run())
    except RequestError as error:
        typer.echo(error.sentence, err=True)
        raise typer.Exit(1) from error
    except unreachable() as error:
        raise not_running(settings) from error


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, default=str))
