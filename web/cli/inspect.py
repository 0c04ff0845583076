"""Commands that look: `trace`, `dead-letters`, `doctor`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from web.cli.reach import HomeOption, JsonOption, Reached, print_json, with_archive

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


def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Look for what is wrong, and say how to mend it. Exit 1 when something is."""

    async def work(reached: Reached) -> list[Any]:
        from web import doctor as examination

        return await examination.examine(reached.connection, reached.settings)

    findings = with_archive(home, work)
    if as_json:
        print_json([{"what": f.what, "ok": f.ok, "say": f.say} for f in findings])
    else:
        for finding in findings:
            typer.echo(f"{'ok ' if finding.ok else 'BAD'}  {finding.what}: {finding.say}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


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
