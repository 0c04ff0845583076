"""`fineshyt search`: the index that finds photographs in a large archive."""

from __future__ import annotations

from typing import Any

import typer

from web.cli.reach import HomeOption, JsonOption, Reached, print_json, with_archive

commands = typer.Typer(help="The index that finds photographs in a large archive.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="search")


@commands.command()
def index(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Build the search index of every photograph that is embedded. Search works meanwhile.

    Above 100,000 photographs fineshyt does so by itself when many have come; those outside are found too, only slower.
    """

    async def work(reached: Reached) -> dict[str, Any]:
        from web import search_index

        with _bar(quiet=as_json) as progress:
            built = await search_index.build(reached.connection, progress)
        return {"encoder": built.encoder, "vectors": built.vectors, "seconds": round(built.seconds, 1)}

    built = with_archive(home, work)
    if as_json:
        print_json(built)
    else:
        typer.echo(f"{built['vectors']:,} photographs indexed in {built['seconds']:,} s ({built['encoder']}).")


@commands.command()
def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """How many photographs the index holds, and how many came since."""

    async def work(reached: Reached) -> dict[str, Any]:
        from web import search_index

        return await search_index.state(reached.connection)

    state = with_archive(home, work)
    if as_json:
        print_json(state)
        return
    if state["encoder"] is None:
        typer.echo("No photograph is embedded yet.")
        return
    typer.echo(f"{state['encoder']}: {state['indexed']:,} photographs in the index, {state['unindexed']:,} outside.")


class _bar:  # noqa: N801 - used as a function
    """A progress bar for `search_index.Progress`, on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("reading vectors"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), disable=quiet)
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> _bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)
