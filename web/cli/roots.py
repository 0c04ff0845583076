"""`fineshyt roots list|add|relocate|watch|unwatch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from web.cli.reach import HomeOption, JsonOption, Reached, print_json, with_archive

commands = typer.Typer(help="The folders whose photographs fineshyt knows.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="roots")


@commands.command("list")
def list_roots(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Every root, how many photographs it holds, and why it cannot be read."""

    async def work(reached: Reached) -> list[dict[str, Any]]:
        from web import roots, watch

        watched = {root["root_id"]: root["reason"] for root in await watch.watched(reached.connection)}
        return [
            root | {"watched": root["id"] in watched, "watch_reason": watched.get(root["id"])}
            for root in await roots.list_roots(reached.connection)
        ]

    listed = with_archive(home, work)
    if as_json:
        print_json(listed)
        return
    for root in listed:
        reason = root["offline_reason"] or root["watch_reason"] or ""
        watched = "  watched" if root["watched"] else ""
        typer.echo(f"{root['id']:4}  {root['path']}  {root['photos']:,} photographs{watched}  {reason}".rstrip())


@commands.command()
def add(folder: Annotated[Path, typer.Argument(help="The folder.")], home: HomeOption = None) -> None:
    """Make a folder a library root, so that it can be imported from the page too."""

    async def work(reached: Reached) -> int:
        from web import roots

        return await roots.add_root(reached.connection, str(folder.expanduser().absolute()))

    typer.echo(f"Root {with_archive(home, work)}: {folder}")


@commands.command()
def relocate(
    root_id: Annotated[int, typer.Argument(help="The root's number, from `fineshyt roots list`.")],
    folder: Annotated[Path, typer.Argument(help="Where it lies now.")],
    home: HomeOption = None,
) -> None:
    """Say that a root lies elsewhere now; every decision stays, nothing is embedded again."""

    async def work(reached: Reached) -> None:
        from web import roots

        await roots.relocate_root(reached.connection, root_id, str(folder.expanduser().absolute()))

    with_archive(home, work)
    typer.echo(f"Root {root_id} lies at {folder} now.")


@commands.command()
def watch(
    root_id: Annotated[int, typer.Argument(help="The root's number, from `fineshyt roots list`.")],
    home: HomeOption = None,
) -> None:
    """Import whatever comes into a root by itself: first all that is there, then what is new, moved or renamed."""

    async def work(reached: Reached) -> None:
        from web import watch

        await watch.watch(reached.connection, root_id)

    with_archive(home, work)
    typer.echo(f"Root {root_id} is watched. No longer: fineshyt roots unwatch {root_id}")


@commands.command()
def unwatch(
    root_id: Annotated[int, typer.Argument(help="The root's number, from `fineshyt roots list`.")],
    home: HomeOption = None,
) -> None:
    """Watch a root no longer. What was imported stays."""

    async def work(reached: Reached) -> None:
        from web import watch

        await watch.unwatch(reached.connection, root_id)

    with_archive(home, work)
    typer.echo(f"Root {root_id} is not watched any more.")
