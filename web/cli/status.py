"""`fineshyt status`."""

from __future__ import annotations

from typing import Any

import typer

from web.cli.reach import HomeOption, JsonOption, Reached, print_json, with_archive

_LISTEN_S = 2.5
"""Consumers report every two seconds."""


def register(app: typer.Typer) -> None:
    app.command()(status)


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Photographs, stages, imports, encoder and taste at this moment."""
    state = with_archive(home, _state)
    print_json(state) if as_json else _say(state)


async def _state(reached: Reached) -> dict[str, Any]:
    from web.status import status as whole

    return await whole(reached.connection, await _running(reached))


async def _running(reached: Reached) -> dict[str, int]:
    """Claims in the consumers' hands, from a round of their reports; none where the broker is away."""
    import asyncio

    from web import reports
    from web.broker import CANNOT_CONNECT, connect

    board = reports.ReportBoard()
    try:
        broker = await connect(reached.settings, timeout_s=5)
    except CANNOT_CONNECT:
        return {}
    async with broker:
        await reports.listen(broker, board, "status")
        await asyncio.sleep(_LISTEN_S)
    return dict(board.running())


def _say(state: dict[str, Any]) -> None:
    photos = state["photos"]
    typer.echo(", ".join(f"{photos[name]:,} {name}" for name in ("total", "ready", "failed", "rejected", "waiting")))
    typer.echo(f"{'stage':10}{'due':>9}{'queued':>9}{'running':>9}{'done':>10}{'failed':>8}")
    for name, stage in state["stages"].items():
        numbers = f"{stage['due']:9,}{stage['queued']:9,}{stage['running']:9,}{stage['done']:10,}{stage['failed']:8,}"
        typer.echo(f"{name:10}{numbers}  {stage['reason'] or ('paused' if stage['paused'] else '')}".rstrip())
    for item in state["imports"][:5]:
        typer.echo(
            f"import {item['id']}  {item['status']:9} {item['path']}: {item['ready']} ready, {item['failed']} failed"
        )
    encoder, taste = state["encoder"], state["taste"]
    typer.echo(f"encoder: {encoder['name'] if encoder else 'not chosen yet'}")
    model = taste["model"]
    typer.echo(f"taste: {taste['ratings']} ratings, " + (f"model {model['version']}" if model else "no model yet"))
