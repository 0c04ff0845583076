"""Burst groups that were found replace those from before; those of a preview are only counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import Event
from contracts.results import BurstsPayload
from contracts.settings import Settings
from domain.burst_intent import INTENTS
from web import burst_preview, transit
from web.database import Connection
from web.results.applied import Applied, Matched

_TIE = -1
_KEEPER = 1


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    for item in items:
        found: BurstsPayload = item.result.typed
        label = burst_preview.transit_label(item.result.subject_id)
        if item.result.subject_id == burst_preview.SUBJECT:
            await burst_preview.store(connection, found)
            applied.events.append(Event(kind="bursts", data={"preview": found.model_dump()}))
        else:
            path = transit.matrix_path(settings, label, item.result.generation, "groups")
            groups = await asyncio.to_thread(transit.load, path)
            applied.changed |= await replace_groups(connection, groups, found.threshold, found.gap_s)
            applied.events.append(Event(kind="bursts", data={}))
        applied.unlink_after += transit.files_of(settings, label, item.result.generation)


async def replace_groups(connection: Connection, groups: NDArray[np.int64], threshold: float, gap_s: float) -> set[int]:
    """`groups`: int64 (m, 4): photo_id, group number, keeper (0, 1, -1 tie), intent. Returns the photos touched.

    What the person decided lies with the photos (`decisions.burst_front`) and holds for the new groups too.
    """
    before = await connection.fetch("DELETE FROM burst_members RETURNING photo_id")
    await connection.execute("DELETE FROM burst_groups")
    numbers, first = np.unique(groups[:, 1], return_index=True)
    tied = set(groups[groups[:, 2] == _TIE, 1].tolist())
    rows = await connection.fetch(
        """INSERT INTO burst_groups (encoder_id, threshold, gap_s, tie, intent)
           SELECT e.id, $1, $2, u.t, u.i
           FROM encoders e, unnest($3::bool[], $4::text[]) WITH ORDINALITY AS u (t, i, n)
           WHERE e.status = 'active' ORDER BY n RETURNING id""",
        threshold, gap_s, [int(n) in tied for n in numbers], [INTENTS.get(int(i)) for i in groups[first, 3]],
    )  # fmt: skip
    ids: dict[int, Any] = {int(n): row["id"] for n, row in zip(numbers, rows, strict=True)}
    await connection.execute(
        """INSERT INTO burst_members (photo_id, group_id, keeper)
           SELECT m.p, m.g, m.k FROM unnest($1::bigint[], $2::bigint[], $3::bool[]) AS m (p, g, k)
           JOIN photos ON photos.id = m.p ON CONFLICT DO NOTHING""",
        [int(p) for p in groups[:, 0]],
        [ids[int(g)] for g in groups[:, 1]],
        [int(k) == _KEEPER for k in groups[:, 2]],
    )
    return {row["photo_id"] for row in before} | {int(p) for p in groups[:, 0]}
