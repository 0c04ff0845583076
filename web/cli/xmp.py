"""`fineshyt xmp write|read|status|allow|forbid`: stars to and from the files that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from web.cli.reach import HomeOption, JsonOption, Reached, print_json, with_archive

if TYPE_CHECKING:
    from web.round_trip import Outcome, Wish

commands = typer.Typer(
    help="Stars to and from the files that Lightroom, darktable and others read.", no_args_is_help=True
)
ProjectOption = Annotated[str | None, typer.Option(help="Only this project.")]
_Kind = Literal["sidecar", "embedded"]
_Run = Callable[[Any, "Wish", Callable[[int], None]], Coroutine[Any, Any, "Outcome"]]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="xmp")


@commands.command()
def write(
    to: Annotated[Path | None, typer.Option(help="Sidecars into this folder, outside of the library.")] = None,
    beside: Annotated[bool, typer.Option("--beside", help="Sidecars beside the originals; needs `xmp allow`.")] = False,
    embed: Annotated[
        bool, typer.Option("--embed", help="XMP into TIFF, JPEG, PSD and DNG; needs `xmp allow`.")
    ] = False,
    program: Annotated[
        Literal["lightroom", "darktable", "both"], typer.Option("--for", help="Whose names the sidecars bear.")
    ] = "both",
    project: ProjectOption = None,
    prefer: Annotated[
        Literal["fineshyt"] | None, typer.Option(help="Whose stars count where both sides changed.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write stars and rejects to where other programs look. Everything else in those files stays as it is.

    Exit 1 when a file could not be written, 3 when conflicts are left.
    """
    if (to is not None and beside) or not (to is not None or beside or embed):
        raise typer.BadParameter("say one of --to FOLDER or --beside, or --embed, or --embed with one of them.")

    def wish() -> Wish:
        from web.round_trip import PROGRAMS, Wish

        programs = PROGRAMS if program == "both" else frozenset((program,))
        aside = to.expanduser().absolute() if to else None
        chosen: Any = "here" if prefer else None
        return Wish(programs, beside, aside, embed, chosen, project=project, dry_run=dry_run)

    async def run(connection: Any, wished: Wish, advance: Callable[[int], None]) -> Outcome:
        from web import xmp_out

        return await xmp_out.write(connection, wished, advance)

    outcome = _run(home, wish, run, as_json, decided=True)
    _tell(outcome, as_json, "would be written" if dry_run else "written", outcome.written)


@commands.command()
def read(
    accept: Annotated[
        bool, typer.Option("--accept", help="Take over what changed; one action, can be undone.")
    ] = False,
    project: ProjectOption = None,
    prefer: Annotated[Literal["file"] | None, typer.Option(help="Whose stars count where both sides changed.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count what other programs changed in sidecars and files since, and take it over with --accept.

    Exit 1 when a file could not be read, 3 when conflicts are left.
    """
    outcome = _read(home, project, prefer, accept, as_json)
    done = outcome.taken if accept else outcome.changed_there
    _tell(outcome, as_json, "taken over" if accept else "changed there; take them over with --accept", done)


@commands.command()
def status(project: ProjectOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Where fineshyt may write, and what files and archive disagree on. Changes nothing; reads every sidecar."""

    async def work(reached: Reached) -> list[dict[str, Any]]:
        from web import consents

        return await consents.listed(reached.connection)

    roots = with_archive(home, work)
    outcome = _read(home, project, None, False, as_json)
    if as_json:
        print_json({"roots": roots} | asdict(outcome))
        return
    for root in roots:
        typer.echo(f"{root['root_id']:4}  {root['path']}  {', '.join(root['kinds']) or 'nothing is written there'}")
    _print(outcome, "changed there; take them over with: fineshyt xmp read --accept", outcome.changed_there)


@commands.command()
def allow(
    root_id: Annotated[int, typer.Argument(help="The root's number, from `fineshyt roots list`.")],
    kind: Annotated[_Kind, typer.Argument(help="sidecar: files beside the originals. embedded: inside them.")],
    home: HomeOption = None,
) -> None:
    """Let fineshyt write XMP below a root. It never writes there otherwise, and never touches the picture itself."""
    _consent(home, root_id, kind, True)
    what = "sidecars beside the originals" if kind == "sidecar" else "XMP inside TIFF, JPEG, PSD and DNG files"
    typer.echo(f"fineshyt may write {what} of root {root_id}. Take it back with: fineshyt xmp forbid {root_id} {kind}")


@commands.command()
def forbid(
    root_id: Annotated[int, typer.Argument(help="The root's number, from `fineshyt roots list`.")],
    kind: Annotated[_Kind, typer.Argument(help="sidecar or embedded.")],
    home: HomeOption = None,
) -> None:
    """Take that leave back. What was written stays."""
    _consent(home, root_id, kind, False)
    typer.echo(f"Nothing more of that kind is written below root {root_id}.")


def _consent(home: Path | None, root_id: int, kind: _Kind, given: bool) -> None:
    async def work(reached: Reached) -> None:
        from web import consents

        await (consents.give if given else consents.take_back)(reached.connection, root_id, kind)

    with_archive(home, work)


def _read(home: Path | None, project: str | None, prefer: Literal["file"] | None, accept: bool, quiet: bool) -> Outcome:
    def wish() -> Wish:
        from web.round_trip import Wish

        return Wish(project=project, prefer=prefer)

    async def run(connection: Any, wished: Wish, advance: Callable[[int], None]) -> Outcome:
        from web import xmp_in

        return await xmp_in.read(connection, wished, accept=accept, advance=advance)

    return _run(home, wish, run, quiet, decided=False)


def _run(home: Path | None, wish: Callable[[], Wish], run: _Run, quiet: bool, *, decided: bool) -> Outcome:
    async def work(reached: Reached) -> Outcome:
        from rich.console import Console
        from rich.progress import Progress

        from web import round_trip

        wished = wish()
        total = await round_trip.count(reached.connection, wished, decided=decided)
        with Progress(console=Console(stderr=True), disable=quiet) as progress:
            task = progress.add_task("xmp", total=total)
            return await run(reached.connection, wished, lambda n: progress.advance(task, n))

    return with_archive(home, work)


def _tell(outcome: Outcome, as_json: bool, done: str, n: int) -> None:
    print_json(asdict(outcome)) if as_json else _print(outcome, done, n)
    if outcome.failed:
        raise typer.Exit(1)
    if outcome.conflicts:
        raise typer.Exit(3)


_LINES = (
    ("same", "say the same already"),
    ("without_consent", "not written: nobody gave leave. See: fineshyt xmp allow --help"),
    ("needs_embedding", "are of a kind for which Lightroom reads no sidecar: it needs --embed"),
    ("offline", "are on a drive that is not connected"),
)


def _print(outcome: Outcome, done: str, n: int) -> None:
    typer.echo(f"{n:9,} {done}")
    if outcome.changed_there and not done.startswith("changed"):
        typer.echo(f"{outcome.changed_there:9,} changed in another program")
    for name, sentence in _LINES:
        if getattr(outcome, name):
            typer.echo(f"{getattr(outcome, name):9,} {sentence}")
    if outcome.conflicts:
        typer.echo(f"{outcome.conflicts:9,} conflicts: changed on both sides, nothing was written")
    for conflict in outcome.listed:
        typer.echo(f"          {conflict.file}: here {_word(conflict.here)}, there {_word(conflict.there)}")
    for name, sentence in outcome.sentences.items():
        typer.echo(f"          {name}: {sentence}", err=True)
    if outcome.action_id:
        typer.echo(f"Undo it from the history, or by its name: {outcome.action_id}")


def _word(said: int | None) -> str:
    if said == -1:
        return "rejected"
    if said == 1:
        return "1 star"
    return f"{said} stars" if said else "no stars"
