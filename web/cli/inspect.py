"""Commands that look: `trace`, `dead-letters`, `doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from web.cli.reach import (
    HomeOption,
    JsonOption,
    Reached,
    archive,
    not_running,
    print_json,
    try_reachable_settings,
    unreachable,
    with_archive,
)

if TYPE_CHECKING:
    from contracts.settings import Settings
    from web.doctor import Finding

_T = TypeVar("_T")
letters = typer.Typer(help="Messages that were set aside because they were not understood.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command()(trace)
    app.command()(doctor)
    app.add_typer(letters, name="dead-letters")


def trace(
    photo_id: Annotated[int, typer.Argument(help="The photograph's number.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """A photograph's history in words: stages, failures and decisions."""

    async def work(reached: Reached) -> list[tuple[Any, str]]:
        from web import trace as history

        return await history.history(reached.connection, photo_id)

    lines = with_archive(home, work)
    if as_json:
        print_json([{"at": at, "what": what} for at, what in lines])
        return
    for at, what in lines:
        typer.echo(f"{at:%Y-%m-%d %H:%M:%S}  {what}")


def doctor(
    home: HomeOption = None,
    as_json: JsonOption = False,
    mend: Annotated[bool, typer.Option("--mend", help="Remove the orphaned derivatives that it finds.")] = False,
) -> None:
    """Look for what is wrong, and say how to mend it. Exit 1 when something is, 2 when nothing runs to look at."""
    settings = try_reachable_settings(home)
    findings, removed, reached = asyncio.run(_examined(settings, mend))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "BAD" if not finding.ok else "-- " if finding.mend else "ok "
            typer.echo(f"{mark}  {finding.what}: {finding.say}")
            if finding.mend:
                typer.echo(f"       {finding.mend}")
        if mend:
            typer.echo(f"{removed:,} orphaned files and folders removed.")
    if not reached:
        raise not_running(settings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


async def _examined(settings: Settings, mend: bool) -> tuple[list[Finding], int, bool]:
    """Findings after mending, how many leftovers went, and whether the database answered."""
    from web import doctor as examination
    from web import leftovers

    if not settings.database_url.get_secret_value():
        return await examination.examine(None, settings), 0, False
    try:
        async with archive(settings) as reached:
            removed = await leftovers.remove_leftovers(reached.connection, settings) if mend else 0
            return await examination.examine(reached.connection, settings), removed, True
    except unreachable():
        return await examination.examine(None, settings), 0, False


@letters.command("list")
def list_letters(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """What could not be understood, where it came from, and why; nothing is taken out."""

    async def work(reached: Reached) -> tuple[list[dict[str, Any]], int]:
        from web import dead_letters

        return await dead_letters.listed(reached.settings), await dead_letters.dead(reached.settings)

    found, dead = _with_broker(home, work)
    if as_json:
        print_json(found)
        return
    for letter in found:
        typer.echo(f"from {letter['from'] or '?'}: {letter['reason']}\n    {letter['body']}")
    typer.echo(f"{len(found)} set aside.")
    if dead:
        typer.echo(f"{dead} claims killed their workers; the results writer turns them into failures when it runs.")


def replay(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Send every message that was set aside back to the queue it came from."""

    async def work(reached: Reached) -> int:
        from web import dead_letters

        return await dead_letters.replay(reached.settings)

    sent = _with_broker(home, work)
    print_json({"replayed": sent}) if as_json else typer.echo(f"{sent} messages sent again.")


letters.command("replay")(replay)
letters.command("requeue", hidden=True)(replay)


@letters.command()
def discard(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Throw every message that was set aside away. The work is still known to the database: `fineshyt reconcile`."""

    async def work(reached: Reached) -> int:
        from web import dead_letters

        return await dead_letters.discard(reached.settings)

    gone = _with_broker(home, work)
    print_json({"discarded": gone}) if as_json else typer.echo(f"{gone} messages thrown away.")


def _with_broker(home: Path | None, work: Callable[[Reached], Coroutine[Any, Any, _T]]) -> _T:
    """Exit 1 with a sentence where the broker is away, or has no such queue for a message any more."""
    import aio_pika

    try:
        return with_archive(home, work)
    except (aio_pika.exceptions.PublishError, aio_pika.exceptions.DeliveryError) as error:
        typer.echo(
            "A message came from a queue that is no longer there. It stays; discard it to be rid of it.", err=True
        )
        raise typer.Exit(1) from error
    except aio_pika.exceptions.AMQPException as error:
        typer.echo(f"RabbitMQ cannot be asked: {error}", err=True)
        raise typer.Exit(1) from error
