"""`fineshyt import`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from web.cli.reach import HomeOption, JsonOption, Reached, print_json, with_archive

if TYPE_CHECKING:
    from rich.progress import Progress

_LOOK_S = 0.5
_FAILED_LANE_GREW = 3


def register(app: typer.Typer) -> None:
    app.command("import")(import_folder)


def import_folder(
    folder: Annotated[Path, typer.Argument(help="Any folder you can read; naming it makes it a library root.")],
    sample: Annotated[str, typer.Option(help="How many pictures to draw, or `all`.")] = "50",
    project: Annotated[str | None, typer.Option(help="Assign the pictures to this project.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws another sample.")] = 0,
    include_discarded: Annotated[
        bool, typer.Option("--include-discarded", help="Bring back what was thrown away.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show progress; return when the work is done.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a folder. Originals are only read. Exit 3: done, but the failed lane gained entries.

    Example: fineshyt import ~/Pictures/2024 --sample all --wait
    """
    drawn = _sample(sample)

    async def work(reached: Reached) -> dict[str, Any]:
        from web import imports, roots
        from web.errors import RequestError

        path = str(folder.expanduser().absolute())
        try:
            await roots.root_of(reached.connection, path)
        except RequestError as error:
            if error.status != 403:
                raise
            await roots.add_root(reached.connection, path)
        failed_before = await _failed(reached)
        import_id = await imports.start_import(
            reached.connection, reached.settings, path, sample=drawn, project=project, seed=seed,
            include_discarded=include_discarded,
        )  # fmt: skip
        if wait:
            await _watch(reached, import_id, quiet=as_json)
        state = await imports.import_state(reached.connection, import_id)
        waiting = await _waiting(reached) if wait else {}
        return {"import": state, "waiting": waiting, "newly_failed": max(0, await _failed(reached) - failed_before)}

    try:
        outcome = with_archive(home, work)
    except KeyboardInterrupt:
        typer.echo("The import goes on. See `fineshyt status`; stop it on the import page.", err=True)
        raise typer.Exit(130) from None
    print_json(outcome) if as_json else _say(outcome, waited=wait)
    if wait and outcome["newly_failed"]:
        raise typer.Exit(_FAILED_LANE_GREW)


def _sample(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdigit() or int(text) < 1:
        raise typer.BadParameter(f"{text!r} is neither a number above zero nor `all`.", param_hint="--sample")
    return int(text)


async def _status(reached: Reached) -> dict[str, Any]:
    """One moment's state: counters and stages from one snapshot."""
    from web.status import status

    async with reached.connection.transaction(isolation="repeatable_read", readonly=True):
        return await status(reached.connection, {})


async def _failed(reached: Reached) -> int:
    return int((await _status(reached))["photos"]["failed"])


def _open_work(stage: dict[str, Any]) -> int:
    return int(stage["due"] + stage["queued"] + stage["running"])


async def _waiting(reached: Reached) -> dict[str, Any]:
    """What waits in paused stages, with the reason."""
    stages = (await _status(reached))["stages"]
    return {
        name: {"photographs": _open_work(stage), "reason": stage["reason"]}
        for name, stage in stages.items()
        if stage["paused"] and _open_work(stage)
    }


async def _watch(reached: Reached, import_id: int, *, quiet: bool) -> None:
    """Until the import ended and no unpaused stage has work open."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from web import imports

    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        while True:
            state = await _status(reached)
            _draw(progress, state["stages"])
            own = await imports.import_state(reached.connection, import_id)
            busy = any(_open_work(stage) for stage in state["stages"].values() if not stage["paused"])
            if own["status"] not in ("scanning", "running") and not busy:
                return
            await asyncio.sleep(_LOOK_S)


def _draw(progress: Progress, stages: dict[str, Any]) -> None:
    tasks = {task.description: task.id for task in progress.tasks}
    for name in ("scan", "convert", "embed", "curate"):
        stage = stages[name]
        ended = stage["done"] + stage["failed"]
        if name not in tasks:
            tasks[name] = progress.add_task(name, total=None)
        progress.update(tasks[name], completed=ended, total=ended + _open_work(stage))


def _say(outcome: dict[str, Any], *, waited: bool) -> None:
    state = outcome["import"]
    if not waited:
        typer.echo(f"Importing {state['path']} (import {state['id']}). Watch it with: fineshyt status")
        return
    if state["nothing_new"]:
        typer.echo(
            f"Nothing new in {state['path']}: {state['files_known']} known, {state['files_discarded']} discarded."
        )
    counted = {
        "ready": state["ready"], "failed": state["failed"], "known already": state["files_known"],
        "known by their pixels": state["photos_merged"], "discarded before": state["files_discarded"],
        "paths skipped": state["paths_skipped"], "ratings taken over": state["ratings_found"],
    }  # fmt: skip
    typer.echo(f"{state['path']}: " + ", ".join(f"{n} {what}" for what, n in counted.items() if n or what == "ready"))
    for reason, n in ((state["summary"] or {}).get("failed") or {}).items():
        typer.echo(f"  {n} x {reason}")
    for stage, waits in outcome["waiting"].items():
        typer.echo(f"{waits['photographs']} wait for {stage}: {waits['reason']}")
