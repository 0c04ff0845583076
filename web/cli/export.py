"""`fineshyt export`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from web.cli.reach import HomeOption, JsonOption, Reached, print_json, with_archive

if TYPE_CHECKING:
    from web.export import Exported


def register(app: typer.Typer) -> None:
    app.command()(export)


def export(  # noqa: PLR0913, PLR0917 - options of a command
    target: Annotated[Path, typer.Option(help="The folder to export to; made if it is not there.")],
    project: Annotated[str | None, typer.Option(help="Only this project.")] = None,
    min_rating: Annotated[int | None, typer.Option(min=1, max=5, help="Only from so many stars on.")] = None,
    size: Annotated[str, typer.Option(help="preview (1440 px), original, or a long edge in pixels.")] = "preview",
    file_format: Annotated[
        Literal["jpeg", "png", "tiff", "webp"], typer.Option("--format", help="File format.")
    ] = "jpeg",
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of JPEG and WebP.")] = 90,
    raw: Annotated[bool, typer.Option("--raw", help="Copy RAW files as they are; needs --keep-gps.")] = False,
    keep_gps: Annotated[bool, typer.Option("--keep-gps", help="Keep where pictures were taken.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export rated keepers and photos.json. Adds only: a file that is not ours is never overwritten.

    Exported: 4 and 5 stars, picks, and matches with 3 stars. Exit 1 when a picture could not be exported.
    """
    if size not in ("preview", "original") and not (size.isdigit() and int(size) > 0):
        raise typer.BadParameter(f"{size!r} is neither preview, original nor a number of pixels.", param_hint="--size")
    if raw and not keep_gps:
        raise typer.BadParameter(
            "a RAW file is copied as it is, with its position and serial numbers. Say --keep-gps too if that is right.",
            param_hint="--raw",
        )

    async def work(reached: Reached) -> Exported:
        from rich.console import Console
        from rich.progress import Progress

        from web import export as exporting

        wish = exporting.Wish(project, min_rating, size, file_format, quality, raw, keep_gps)
        rows = await exporting.chosen(reached.connection, wish)
        with Progress(console=Console(stderr=True), disable=as_json) as progress:
            task = progress.add_task("export", total=len(rows))
            return await exporting.export(
                reached.connection, reached.settings, target.expanduser().absolute(), rows, wish,
                lambda: progress.advance(task),
            )  # fmt: skip

    outcome = with_archive(home, work)
    if as_json:
        print_json(asdict(outcome))
    else:
        typer.echo(
            f"{len(outcome.written)} written, {outcome.unchanged} unchanged, {len(outcome.failed)} failed: {target}"
        )
        for name, sentence in outcome.failed.items():
            typer.echo(f"  {name}: {sentence}", err=True)
    if outcome.failed:
        raise typer.Exit(1)
