"""Commands that ask for work: `train`, `bursts`, `retry-failed`, `reconcile`, `backfill`, `encoder`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from web.cli.reach import HomeOption, JsonOption, Reached, print_json, with_archive

encoder_commands = typer.Typer(help="Which encoder the archive is embedded with.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command()(train)
    app.command()(bursts)
    app.command("retry-failed")(retry_failed)
    app.command()(reconcile)
    app.command()(backfill)
    app.add_typer(encoder_commands, name="encoder")


def train(home: HomeOption = None) -> None:
    """Learn taste anew from every rating, and score the archive. Runs by itself after each rating too."""

    async def work(reached: Reached) -> int:
        from web import jobs

        async with reached.connection.transaction():
            await jobs.request_single(reached.connection, "taste")
        return int(await reached.connection.fetchval("SELECT count(*) FROM decisions WHERE rating IS NOT NULL"))

    typer.echo(f"Training on {with_archive(home, work)} ratings. `fineshyt status` shows the new model.")


def bursts(
    threshold: Annotated[float | None, typer.Option(help="Cosine, 0 to 1. [default: the encoder's own]")] = None,
    gap: Annotated[float | None, typer.Option(help="Seconds between two frames. [default: 5]")] = None,
    home: HomeOption = None,
) -> None:
    """Look for bursts in the whole archive."""

    async def work(reached: Reached) -> None:
        from web import bursts

        await bursts.detect(reached.connection, threshold, gap)

    with_archive(home, work)
    typer.echo("Looking for bursts. They appear in the gallery's tab Bursts.")


def retry_failed(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Try every photograph of the failed lane again."""

    async def work(reached: Reached) -> int:
        from web import failed_lane

        return await failed_lane.retry_all(reached.connection)

    retried = with_archive(home, work)
    print_json({"retried": retried}) if as_json else typer.echo(f"Trying {retried} photographs again.")


def reconcile(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Rebuild the work that is due and what is derived from the database alone. Safe at any time."""

    async def work(reached: Reached) -> dict[str, int]:
        from web import reconcile as mending

        return await mending.reconcile(reached.connection, reached.settings)

    mended = with_archive(home, work)
    if as_json:
        print_json(mended)
        return
    for name, n in mended.items():
        typer.echo(f"{name.replace('_', ' '):20}{n:10,}")


def backfill(
    what: Annotated[
        Literal["embed", "quality", "exif"],
        typer.Argument(help="embed: vectors that are missing; quality, exif: read the originals once more."),
    ],
    source: Annotated[
        str | None, typer.Option(help="Look for missing originals below this folder first, by their hash.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask again for what a stage yields, for the whole archive."""

    async def work(reached: Reached) -> dict[str, int]:
        from web import backfill

        found = await backfill.repoint(reached.connection, source) if source else 0
        return {"repointed": found, "due": await backfill.request(reached.connection, what)}

    outcome = with_archive(home, work)
    if as_json:
        print_json(outcome)
        return
    if source:
        typer.echo(f"{outcome['repointed']} missing originals found again below {source}.")
    typer.echo(f"{outcome['due']} photographs are due. Watch them with: fineshyt status")


@encoder_commands.command("list")
def list_encoders(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Encoders that the archive has vectors of."""

    async def work(reached: Reached) -> list[dict[str, Any]]:
        rows = await reached.connection.fetch(
            """SELECT e.name, e.dim, e.status, count(v.photo_id) AS vectors FROM encoders e
               LEFT JOIN embeddings v ON v.encoder_id = e.id GROUP BY e.id ORDER BY e.id"""
        )
        return [dict(row) for row in rows]

    listed = with_archive(home, work)
    if as_json:
        print_json(listed)
        return
    for row in listed:
        typer.echo(f"{row['status']:9} {row['name']}  {row['dim'] or '?'} dimensions, {row['vectors']:,} vectors")


@encoder_commands.command()
def use(
    name: Annotated[
        str, typer.Argument(help="efficientnet-lite2, or MODEL/PRETRAINED such as ViT-L-14/laion2b_s32b_b82k")
    ],
    home: HomeOption = None,
) -> None:
    """Embed the archive again with another encoder, beside the old vectors; it takes over when all are there."""

    async def work(reached: Reached) -> int:
        from web import encoders

        return await encoders.use_encoder(reached.connection, name)

    typer.echo(f"{with_archive(home, work)} photographs are embedded with {name}; it takes over when that is done.")
