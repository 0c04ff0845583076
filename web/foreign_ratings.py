"""Ratings of other programs that the person accepted: an action like any other, with its source, that can be undone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from contracts.events import Event
from web import events, jobs
from web.database import Connection
from web.decisions import remember

Source = Literal["import", "xmp"]
_CHUNK = 10_000

_HELD = """
SELECT photo_id, rating, rating_source, rejected, rejected_source FROM decisions
WHERE photo_id = ANY ($1) ORDER BY photo_id FOR UPDATE
"""
_SAVE = """
UPDATE decisions d SET rating = r.rating, rejected = r.rejected, updated_at = now(),
    rating_source = CASE WHEN r.rerated THEN $2 ELSE d.rating_source END,
    rejected_source = CASE WHEN r.rerejected THEN $2 ELSE d.rejected_source END
FROM jsonb_to_recordset($1) AS r (photo_id bigint, rating smallint, rejected boolean, rerated boolean,
    rerejected boolean)
WHERE d.photo_id = r.photo_id
"""


def said_by(row: Any) -> int | None:
    """What the archive says of a photo: -1 rejected, 1..5, 0 where the person cleared it, None: nothing yet."""
    if row["rejected"]:
        return -1
    if row["rating"] is not None:
        return int(row["rating"])
    return 0 if row["rating_source"] == "person" else None


async def take_over(
    connection: Connection,
    wanted: Mapping[int, int],
    before: Mapping[int, int | None],
    source: Source,
    action_id: uuid.UUID,
    session: str | None = None,
) -> list[int]:
    """Makes each photo say what `wanted` says, if it still says what `before` says. Returns what was changed.

    Call inside a transaction: one action, whole or not at all.
    """
    changed: list[int] = []
    ids = sorted(wanted)
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        changed += await _take_chunk(connection, chunk, wanted, before, source, action_id, session)
    return changed


async def _take_chunk(
    connection: Connection,
    ids: Sequence[int],
    wanted: Mapping[int, int],
    before: Mapping[int, int | None],
    source: Source,
    action_id: uuid.UUID,
    session: str | None,
) -> list[int]:
    await connection.execute(
        """INSERT INTO decisions (photo_id) SELECT id FROM photos WHERE id = ANY ($1) ORDER BY id
           ON CONFLICT DO NOTHING""",
        list(ids),
    )
    rows = [row for row in await connection.fetch(_HELD, list(ids)) if said_by(row) == before.get(row["photo_id"])]
    records = [record for row in rows if (record := _record(row, wanted[row["photo_id"]]))]
    if not records:
        return []
    await connection.execute(_SAVE, records, source)
    await remember(connection, _entries(rows, records), action_id, session, source=source)
    await _follow(connection, records, action_id)
    return [record["photo_id"] for record in records]


def _record(row: Any, said: int) -> dict[str, Any] | None:
    """The row as it will be; stars below a reject stay, so that they are there when it is taken back."""
    rejected = said < 0
    rating = row["rating"] if rejected or (row["rejected"] and said == 0) else (said or None)
    rerated, rerejected = rating != row["rating"], rejected != row["rejected"]
    if not rerated and not rerejected:
        return None
    return {"photo_id": row["photo_id"], "rating": rating, "rejected": rejected, "rerated": rerated,
            "rerejected": rerejected}  # fmt: skip


def _entries(rows: Sequence[Any], records: Sequence[dict[str, Any]]) -> list[tuple[int, str, Any, Any]]:
    old = {row["photo_id"]: row for row in rows}
    return [
        (new["photo_id"], name, old[new["photo_id"]][name], new[name])
        for new in records
        for name, changed in (("rating", new["rerated"]), ("rejected", new["rerejected"]))
        if changed
    ]


async def _follow(connection: Connection, records: Sequence[dict[str, Any]], action_id: uuid.UUID) -> None:
    ids = [record["photo_id"] for record in records]
    await connection.execute("SELECT refresh_gallery($1)", ids)
    rerated = [record for record in records if record["rerated"]]
    if rerated:
        await jobs.request_single(connection, "taste")
        rated = [record["photo_id"] for record in rerated if record["rating"] is not None]
        await jobs.raise_priority(connection, "curate", rated, jobs.PRIORITY_RATED)
    await events.publish(connection, [Event(kind="decisions", data={"ids": ids, "action_id": str(action_id)})])
