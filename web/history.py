"""What was decided when, and taking it back: one action, a session's latest, or everything since a date."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from web import registration
from web.database import Connection
from web.decisions import DecisionRow, in_one_transaction, lock_decisions, wait_in_line, write_decisions
from web.errors import RequestError
from web.items import captions

_LISTED_CHANGES = 20
_PREVIEWED = 1_000


@dataclass
class Undone:
    """`reverted`: photos that have their old value again. `kept`: photos that were changed since, left alone."""

    action_id: uuid.UUID
    """Of the undo itself."""
    undoes: uuid.UUID | None
    reverted: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)


_LATEST = """
SELECT e.action_id FROM decision_events e
WHERE e.session = $1 AND e.undoes IS NULL
  AND NOT EXISTS (SELECT 1 FROM decision_events u WHERE u.undoes = e.action_id)
ORDER BY e.id DESC LIMIT 1
"""


async def undo(
    connection: Connection,
    *,
    action_id: uuid.UUID | None = None,
    session: str | None = None,
    undo_id: uuid.UUID | None = None,
) -> Undone:
    """Takes back `action_id`, or the latest action of `session` that was not taken back yet.

    `undo_id` names the undo itself: sending it again takes nothing more back.
    """
    name = undo_id or uuid.uuid4()
    return await in_one_transaction(connection, lambda: _undo(connection, name, action_id, session))


async def _undo(connection: Connection, undo_id: uuid.UUID, action_id: uuid.UUID | None, session: str | None) -> Undone:
    before = await _earlier(connection, undo_id)
    if before is not None:
        return before
    target = action_id or await connection.fetchval(_LATEST, session)
    if target is None:
        raise RequestError(404, "There is nothing left to undo in this session. Older decisions are in the history.")
    rows = await connection.fetch(
        "SELECT photo_id, field, old, new FROM decision_events WHERE action_id = $1 ORDER BY id", target
    )
    if not rows:
        raise RequestError(404, f"There is no action {target} to undo.")
    if await connection.fetchval("SELECT EXISTS (SELECT 1 FROM decision_events WHERE undoes = $1)", target):
        raise RequestError(409, "This action was undone already.")
    return await _revert(connection, [_Past(*row) for row in rows], session, target, undo_id)


async def _earlier(connection: Connection, undo_id: uuid.UUID) -> Undone | None:
    """What this undo did, if it was done before. Two equal requests wait for each other here."""
    await wait_in_line(connection, undo_id)
    rows = await connection.fetch(
        """SELECT photo_id, undoes, bool_or(old <> new) AS changed FROM decision_events
           WHERE action_id = $1 GROUP BY 1, 2""",
        undo_id,
    )
    if not rows:
        return None
    reverted = sorted(row["photo_id"] for row in rows if row["changed"])
    kept = sorted(row["photo_id"] for row in rows if not row["changed"])
    return Undone(undo_id, rows[0]["undoes"], reverted, kept)


@dataclass(frozen=True)
class _Past:
    """A photo's field: what it was, and what it must be now for that to be put back."""

    photo_id: int
    field: str
    old: Any
    new: Any


async def _revert(
    connection: Connection,
    past: Sequence[_Past],
    session: str | None,
    target: uuid.UUID | None,
    undo_id: uuid.UUID,
) -> Undone:
    undone = Undone(undo_id, target)
    rows = {row.photo_id: row for row in await lock_decisions(connection, [p.photo_id for p in past])}
    kept: list[tuple[int, str, Any]] = []
    for p in past:
        row = rows.get(p.photo_id)
        if row is None:
            continue
        if _same(p.field, row.old[p.field], p.new):
            row.new[p.field] = await _restored(connection, p)
        else:
            kept.append((p.photo_id, p.field, row.old[p.field]))
    undone.reverted = sorted(row.photo_id for row in rows.values() if row.differences())
    undone.kept = sorted({photo_id for photo_id, _, _ in kept})
    touched = {name for row in rows.values() for name in row.differences()} - {"tags_added", "tags_removed"}
    await write_decisions(
        connection, _changed_only(rows), undone.action_id, session, touched=touched, undoes=target, kept=kept
    )
    return undone


def _changed_only(rows: dict[int, DecisionRow]) -> list[DecisionRow]:
    return [row for row in rows.values() if row.differences()]


def _same(name: str, now: Any, then: Any) -> bool:
    if name == "project":
        return (now or {}).get("id") == (then or {}).get("id")
    return bool(now == then)


async def _restored(connection: Connection, past: _Past) -> Any:
    """The old value; a project that is gone meanwhile is made again under its name."""
    if past.field != "project" or past.old is None:
        return past.old
    name = await connection.fetchval("SELECT name FROM projects WHERE id = $1", past.old["id"])
    if name is not None:
        return {"id": past.old["id"], "name": name}
    return {"id": await registration.project_named(connection, past.old["name"]), "name": past.old["name"]}


_SINCE = """
SELECT DISTINCT ON (e.photo_id, e.field) e.photo_id, e.field, e.old, last.new
FROM decision_events e
CROSS JOIN LATERAL (SELECT new FROM decision_events l WHERE l.photo_id = e.photo_id AND l.field = e.field
                    ORDER BY l.id DESC LIMIT 1) last
WHERE e.at > $1 AND ($2::bigint[] IS NULL OR e.photo_id = ANY ($2))
ORDER BY e.photo_id, e.field, e.id
"""


async def changes_since(connection: Connection, moment: datetime, photo_ids: Sequence[int] | None) -> list[_Past]:
    """For every field that was decided after `moment`: what it was then, and what it is now. Equal ones left out."""
    rows = await connection.fetch(_SINCE, moment, None if photo_ids is None else list(photo_ids))
    return [_Past(*row) for row in rows if not _same(row["field"], row["old"], row["new"])]


async def preview(connection: Connection, moment: datetime, photo_ids: Sequence[int] | None) -> dict[str, Any]:
    """What `restore` would put back: how many photos and fields, and the first of the changes."""
    changes = await changes_since(connection, moment, photo_ids)
    first = changes[:_PREVIEWED]
    said = await captions(connection, [change.photo_id for change in first])
    return {
        "photos": len({change.photo_id for change in changes}),
        "changes": len(changes),
        "items": [
            {"photo_id": change.photo_id, "field": change.field, "then": change.old, "now": change.new}
            | said[change.photo_id]
            for change in first
        ],
    }


async def restore(
    connection: Connection, moment: datetime, photo_ids: Sequence[int] | None, session: str | None
) -> Undone:
    """Puts the decisions back as they were at `moment`: an action like any other, so that it can be undone."""

    async def work() -> Undone:
        past = await changes_since(connection, moment, photo_ids)
        return await _revert(connection, past, session, None, uuid.uuid4())

    return await in_one_transaction(connection, work)


_ACTIONS = """
SELECT action_id, min(at) AS at, max(id) AS id, min(source) AS source, min(session) AS session,
       (array_agg(undoes))[1] AS undoes, count(DISTINCT photo_id) AS photos,
       EXISTS (SELECT 1 FROM decision_events u WHERE u.undoes = e.action_id) AS undone
FROM decision_events e
WHERE old <> new AND ($1::bigint IS NULL OR photo_id = $1) AND ($2::text IS NULL OR session = $2)
  AND ($3::bigint IS NULL OR id < $3)
GROUP BY action_id ORDER BY max(id) DESC LIMIT $4
"""


async def actions(
    connection: Connection, *, photo_id: int | None, session: str | None, before: int | None, limit: int
) -> list[dict[str, Any]]:
    """Actions, newest first, with the first of their changes. `before`: the `id` of the last one of a page."""
    rows = await connection.fetch(_ACTIONS, photo_id, session, before, limit)
    changes = await connection.fetch(
        """SELECT c.* FROM unnest($1::uuid[]) AS a (action_id) CROSS JOIN LATERAL (
               SELECT e.action_id, e.photo_id, e.field, e.old, e.new FROM decision_events e
               WHERE e.action_id = a.action_id AND e.old <> e.new AND ($2::bigint IS NULL OR e.photo_id = $2)
               ORDER BY e.id LIMIT $3) c""",
        [row["action_id"] for row in rows], photo_id, _LISTED_CHANGES,
    )  # fmt: skip
    said = await captions(connection, [change["photo_id"] for change in changes])
    listed: dict[uuid.UUID, list[dict[str, Any]]] = {row["action_id"]: [] for row in rows}
    for change in changes:
        values = {"photo_id": change["photo_id"], "field": change["field"], "old": change["old"], "new": change["new"]}
        listed[change["action_id"]].append(values | said[change["photo_id"]])
    return [dict(row) | {"changes": listed[row["action_id"]]} for row in rows]
