"""`fineshyt import-ratings`: stars from a Lightroom catalogue or darktable's library."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from web.cli.reach import HomeOption, JsonOption, Reached, print_json, with_archive

if TYPE_CHECKING:
    from web.catalogue_ratings import Counts, Pair


def register(app: typer.Typer) -> None:
    app.command("import-ratings")(import_ratings)


def import_ratings(
    catalogue: Annotated[Path, typer.Argument(help="A .lrcat of Lightroom Classic, or darktable's library.db.")],
    folders: Annotated[
        list[str] | None, typer.Option("--map", help="FOLDER THERE=FOLDER HERE, where the paths differ. Repeatable.")
    ] = None,
    one_star: Annotated[
        bool, typer.Option("--one-star", help="Take darktable's single stars too, which it gives to every picture.")
    ] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Take them over. Without it they are only counted.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the ratings of a catalogue, and take them over with --accept where you never decided yourself.

    The catalogue is copied and only the copy is read: nothing in it changes. Close its program first.
    """
    pairs = [_pair(text) for text in folders or ()]

    async def work(reached: Reached) -> Counts:
        from web import catalogue_ratings as ratings

        read = await ratings.load(reached.settings, catalogue.expanduser().absolute())
        take = ratings.accept if accept else ratings.preview
        return await take(reached.connection, read, pairs, one_star=one_star)

    counts = with_archive(home, work)
    print_json(asdict(counts)) if as_json else _print(counts)


def _pair(text: str) -> Pair:
    there, equals, here = text.partition("=")
    if not equals or not there or not here:
        raise typer.BadParameter(f"{text!r} is not FOLDER THERE=FOLDER HERE.", param_hint="--map")
    return there.replace("\\", "/"), str(Path(here).expanduser().absolute())


def _print(counts: Counts) -> None:
    typer.echo(f"{counts.program}: {counts.files:,} files")
    for stars, n in counts.rated.items():
        typer.echo(f"{n:9,} with {stars} {'star' if stars == 1 else 'stars'}")
    typer.echo(f"{counts.rejected:9,} rejected")
    typer.echo(f"{counts.unrated:9,} not rated")
    if counts.untouched_one_star:
        typer.echo(
            f"{counts.untouched_one_star:9,} with one star, which darktable gives to every picture: "
            "left out unless --one-star"
        )
    if counts.from_copies:
        typer.echo(f"{counts.from_copies:9,} of them have their stars from a virtual copy or duplicate")
    for folder in counts.folders:
        typer.echo(f"{folder['from']} is taken to be {folder['to']}")
    typer.echo(f"{counts.matched:9,} are in the archive, {counts.not_found:,} are not")
    for path in counts.examples_not_found:
        typer.echo(f"          not found: {path}")
    typer.echo(f"{counts.fills:9,} fill what has no rating yet")
    typer.echo(f"{counts.replaces:9,} replace a rating that was found in the file")
    typer.echo(f"{counts.same:9,} say the same already")
    typer.echo(f"{counts.kept:9,} differ from what you decided here, which stays")
    if counts.accepted is None:
        typer.echo("Nothing was taken over yet. Do it with --accept.")
    else:
        typer.echo(f"{counts.accepted:,} taken over. Undo it from the history, by its name: {counts.action_id}")
