"""`fineshyt backup` and `fineshyt restore`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from web.cli.reach import (
    HomeOption,
    JsonOption,
    Reached,
    not_running,
    print_json,
    run_on,
    try_reachable_settings,
)

if TYPE_CHECKING:
    from contracts.settings import Settings
    from web.backup import Told, Written

_UNPROVED = 3


def register(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(
    to: Annotated[
        Path | None, typer.Option(help="The folder, best on another disk. [default: backups in the home]")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Keep so many of this archive in the folder, remove older ones.")
    ] = None,
    previews: Annotated[
        bool, typer.Option("--previews", help="Previews and thumbnails too; else `reconcile` makes them anew.")
    ] = False,
    proof: Annotated[bool, typer.Option(help="Restore it into a scratch database and compare.")] = True,
    schedule: Annotated[
        Literal["cron", "systemd"] | None,
        typer.Option(help="Print what runs this command every night, with these options, and make no backup."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Save the archive as of this moment in one file: stars, scores, vectors, history; decisions also as plain JSON.

    Works while fineshyt runs and while it does not. Originals are never in it. Exit 3: saved, but it could not be
    proved. Example: fineshyt backup --to /media/backup --keep 14
    """
    if schedule is not None:
        from web.cli import schedules

        settings = try_reachable_settings(home)
        typer.echo(schedules.printed(schedule, settings.home, _folder(to, settings), keep, previews), nl=False)
        return
    with _servers(home, made=False) as settings:
        wish = _Wish(_folder(to, settings), keep, previews, proof)
        outcome = run_on(settings, lambda reached: _backup(reached, wish, quiet=as_json))
    print_json(outcome) if as_json else _say_saved(outcome)
    if proof and not outcome["proved"]:
        raise typer.Exit(_UNPROVED)


@dataclass(frozen=True)
class _Wish:
    folder: Path
    keep: int | None = None
    previews: bool = False
    proof: bool = True


def _folder(to: Path | None, settings: Settings) -> Path:
    return to.expanduser().absolute() if to is not None else settings.home / "backups"


async def _backup(reached: Reached, wish: _Wish, *, quiet: bool) -> dict[str, Any]:
    from web import backup as saving

    with _progress(quiet) as told:
        written = await saving.write(
            reached.connection, reached.settings, wish.folder, previews=wish.previews, told=told
        )
        why = await _disproved(reached, written, told) if wish.proof else None
        finished, removed = await saving.finish(reached.connection, written, wish.keep)
    return asdict(finished) | {"proved": wish.proof and why is None, "why_unproved": why, "removed": removed}


async def _disproved(reached: Reached, written: Written, told: Told) -> str | None:
    """None where the backup restores; a sentence where that could not be tried. Raises RequestError, and removes it,
    where it is no good: better none than one that is trusted."""
    from web import restore as restoring
    from web.errors import RequestError

    try:
        await restoring.prove(reached.settings, restoring.opened(written.path), told)
    except RequestError as error:
        if error.status == 403:
            return error.sentence
        written.path.unlink()
        raise
    return None


def _say_saved(outcome: dict[str, Any]) -> None:
    typer.echo(f"{outcome['path']}: {outcome['photos']:,} photographs, {outcome['decisions']:,} decisions, "
               f"{outcome['bytes'] / 1e6:,.1f} MB")  # fmt: skip
    if outcome["previews"] or outcome["previews_missing"]:
        typer.echo(f"{outcome['previews']:,} previews and thumbnails in it, {outcome['previews_missing']:,} missing")
    if outcome["proved"]:
        typer.echo("Restored into a scratch database; every table came back the same.")
    elif outcome["why_unproved"]:
        typer.echo(f"Not proved: {outcome['why_unproved']}", err=True)
    for path in outcome["removed"]:
        typer.echo(f"removed {path}")


def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file that `fineshyt backup` made.")],
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace an archive that has photographs; it is saved in its backups first."),
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an archive from a backup; then run `fineshyt up` and `fineshyt reconcile`. Originals are not touched.

    An archive that has photographs is not overwritten without --replace, and only while nothing works on it.
    """
    with _servers(home, made=True) as settings:
        outcome = run_on(settings, lambda reached: _restore(reached, file.absolute(), replace, as_json), migrated=True)
    print_json(outcome) if as_json else _say_restored(outcome)


async def _restore(reached: Reached, file: Path, replace: bool, quiet: bool) -> dict[str, Any]:
    from web import at_rest
    from web import restore as restoring
    from web.errors import RequestError

    pack = restoring.opened(file)
    here = await restoring.photos_here(reached.connection)
    saved = None
    if here and not replace:
        raise RequestError(
            409,
            f"This archive has {here:,} photographs already, and nothing was changed. To replace it by the backup, "
            "stop fineshyt and say --replace.",
        )
    if here:
        await at_rest.empty_queues(reached.connection, reached.settings)
        folder = reached.settings.home / "backups"
        saved = (await _backup(reached, _Wish(folder), quiet=True))["path"]
    with _progress(quiet) as told:
        restored = await restoring.restore(reached.connection, reached.settings, pack, told)
    return asdict(restored) | {"replaced": here, "saved_before": saved}


def _say_restored(outcome: dict[str, Any]) -> None:
    typer.echo(f"{outcome['photos']:,} photographs and {outcome['decisions']:,} decisions as of {outcome['made_at']}, "
               f"{outcome['previews']:,} previews and thumbnails")  # fmt: skip
    if outcome["previews_due"]:
        typer.echo(f"Of {outcome['previews_due']:,} photographs they are made anew as soon as fineshyt runs.")
    if outcome["saved_before"]:
        typer.echo(f"The archive that was here is saved: {outcome['saved_before']}")
    for path in outcome["roots_missing"]:
        typer.echo(f"{path} is not here. If it lies elsewhere now: fineshyt roots list, fineshyt roots relocate")
    typer.echo("Now run `fineshyt reconcile` while fineshyt runs: it asks for everything that is still missing.")


# ── The database, whether fineshyt runs or not ────────────────────────────────────────────────────────────────────────


@contextmanager
def _servers(home: Path | None, *, made: bool) -> Iterator[Settings]:
    """Settings that reach what runs, or else the home's own servers, started for this command.

    `made`: an empty home gets a database. Otherwise it is exit 2.
    """
    from web.native import at_rest
    from web.native.home import AlreadyRunningError
    from web.native.process import StartError

    settings = try_reachable_settings(home)
    if settings.database_url.get_secret_value():
        yield settings
        return
    if not made and not at_rest.has_archive(settings):
        raise not_running(settings)
    try:
        with at_rest.servers_at_rest(settings, broker=made and at_rest.has_broker(settings)) as reached:
            yield reached
    except (AlreadyRunningError, StartError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


@contextmanager
def _progress(quiet: bool) -> Iterator[Told]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=quiet) as progress:
        tasks: dict[str, Any] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield told
