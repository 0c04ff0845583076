"""Commands that look: `trace`, `dead-letters`, `doctor`."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

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

letters = typer.Typer(help="Messages that were set aside: parked (not understood) and dead.", no_args_is_help=True)


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
    """What waits in the queues `parked` and `dead`, and why; nothing is taken out."""

    async def work(reached: Reached) -> list[dict[str, Any]]:
        from web import dead_letters

        return await dead_letters.listed(reached.settings)

    found = with_archive(home, work)
    if as_json:
        print_json(found)
        return
    for letter in found:
        typer.echo(f"from {letter['from'] or '?'}: {letter['reason']}\n    {letter['body']}")
    typer.echo(f"{len(found)} set aside.")


@letters.command()
def requeue(home: HomeOption = None) -> None:
    """Send every parked message back to the queue it came from."""

    async def work(reached: Reached) -> int:
        from web import dead_letters

        return await dead_letters.requeue(reached.settings)

    typer.echo(f"{with_archive(home, work)} messages sent again.")


@letters.command()
def discard(home: HomeOption = None) -> None:
    """Throw every parked message away. Their work is still known to the database; see `fineshyt reconcile`."""

    async def work(reached: Reached) -> int:
        from web import dead_letters

        return await dead_letters.discard(reached.settings)

    typer.echo(f"{with_archive(home, work)} messages thrown away.")
