"""Burst groups that were found replace those from before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import Event
from contracts.settings import Settings
from web import transit
from web.database import Connection
from web.results.applied import Applied, Matched

_TIE = -1
_KEEPER = 1


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    for item in items:
        _ = item.result.typed  # raises when it is not what a burst search answers
        path = transit.matrix_path(settings, "bursts", item.result.generation, "groups")
        groups = await asyncio.to_thread(np.load, path, allow_pickle=False)
        params = item.params or {}
        touched = await replace_groups(
            connection, groups, float(params.get("threshold", 0)), float(params.get("gap_s", settings.burst_gap_s))
        )
        applied.touch("bursts", touched)
        applied.by_stage.pop("bursts", None)
        applied.events.append(Event(kind="bursts", data={}))
        applied.unlink_after += transit.files_of(settings, "bursts", item.result.generation)


async def replace_groups(connection: Connection, groups: NDArray[np.int64], threshold: float, gap_s: float) -> set[int]:
    """`groups`: int64 (m, 3), columns photo_id, group number, keeper (0, 1, -1 tie). Returns the photos touched."""
    before = await connection.fetch("DELETE FROM burst_members RETURNING photo_id")
    await connection.execute("DELETE FROM burst_groups")
    numbers = np.unique(groups[:, 1]) if len(groups) else np.empty(0, np.int64)
    tied = set(groups[groups[:, 2] == _TIE, 1].tolist()) if len(groups) else set()
    rows = await connection.fetch(
        """INSERT INTO burst_groups (encoder_id, threshold, gap_s, tie)
           SELECT e.id, $1, $2, t FROM encoders e, unnest($3::bool[]) WITH ORDINALITY AS u (t, n)
           WHERE e.status = 'active' ORDER BY n RETURNING id""",
        threshold, gap_s, [int(n) in tied for n in numbers],
    )  # fmt: skip
    ids: dict[int, Any] = {int(n): row["id"] for n, row in zip(numbers, rows, strict=True)}
    await connection.execute(
        """INSERT INTO burst_members (photo_id, group_id, keeper)
           SELECT m.p, m.g, m.k FROM unnest($1::bigint[], $2::bigint[], $3::bool[]) AS m (p, g, k)
           JOIN photos ON photos.id = m.p ON CONFLICT DO NOTHING""",
        [int(p) for p in groups[:, 0]] if len(groups) else [],
        [ids[int(g)] for g in groups[:, 1]] if len(groups) else [],
        [int(k) == _KEEPER for k in groups[:, 2]] if len(groups) else [],
    )
    return {row["photo_id"] for row in before} | {int(p) for p in (groups[:, 0] if len(groups) else [])}
