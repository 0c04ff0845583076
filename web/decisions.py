"""What the person decided, for one photo or many, in one transaction with everything that follows from it.

Every call is an action with an id: sending it twice changes nothing the second time, and undoing it reverts each
photo only where nobody changed the value since. What the pipeline finds never comes through here.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
from pydantic import BaseModel, ConfigDict, Field

from contracts.events import Event
from web import events, guesses, jobs, registration, scoring, stacks
from web.database import Connection
from web.tags import write_effective_tags

FIELDS = (
    "rating", "manual_match", "rejected", "project", "tags_added", "tags_removed", "apart", "copy_kept", "burst_front",
)  # fmt: skip
IDS_AT_MOST = 200_000
_TRIES = 4
_T = TypeVar("_T")


class Change(BaseModel):
    """Any of the decisions. What is absent stays; null clears."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rating: int | None = Field(default=None, ge=1, le=5)
    manual_match: bool | None = None
    rejected: bool | None = None
    project: str | None = Field(default=None, max_length=200)
    tags_add: tuple[str, ...] = Field(default=(), max_length=50)
    tags_remove: tuple[str, ...] = Field(default=(), max_length=50)
    seen: bool | None = None
    apart: bool | None = None
    """Split from its versions: it stands and is rated alone."""
    copy_kept: bool | None = None
    """Stays although it is a copy, and is not proposed for rejection again."""

    def says(self, name: str) -> bool:
        return name in self.model_fields_set


@dataclass
class Outcome:
    """`changed`: photos whose decision is another now. `missing`: ids that are no photo."""

    action_id: uuid.UUID
    changed: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    repeated: bool = False
    """The action was applied before; nothing was done."""


@dataclass
class DecisionRow:
    """A photo's decision before and after."""

    photo_id: int
    old: dict[str, Any]
    new: dict[str, Any]

    def differences(self) -> list[str]:
        return [name for name in FIELDS if self.old[name] != self.new[name]]


async def in_one_transaction(connection: Connection, work: Callable[[], Awaitable[_T]]) -> _T:
    """Runs `work` in a transaction; again when Postgres broke it off because two waited for each other."""
    for attempt in range(_TRIES):
        try:
            async with connection.transaction():
                return await work()
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
            if attempt == _TRIES - 1:
                raise
            await asyncio.sleep(0.02 * 2**attempt)
    raise AssertionError("the loop returns or raises")


async def apply_decisions(
    connection: Connection,
    photo_ids: Sequence[int],
    change: Change,
    *,
    action_id: uuid.UUID | None = None,
    session: str | None = None,
) -> Outcome:
    """Applies `change` to every photo of `photo_ids`. An `action_id` that was applied before does nothing."""
    action = action_id or uuid.uuid4()
    return await in_one_transaction(connection, lambda: _apply(connection, photo_ids, change, action, session))


async def _apply(
    connection: Connection, photo_ids: Sequence[int], change: Change, action_id: uuid.UUID, session: str | None
) -> Outcome:
    before = await changed_before(connection, action_id)
    if before is not None:
        return Outcome(action_id, before, repeated=True)
    project = await _project(connection, change.project) if change.says("project") else None
    asked = set(photo_ids)
    together = await stacks.rated_with(connection, asked) if change.says("rating") else set()
    locked = await lock_decisions(connection, asked | together)
    rows = [row for row in locked if row.photo_id in asked]
    versions = [row for row in locked if row.photo_id in together]
    for row in rows:
        row.new = _changed(row.old, change, project)
    for row in versions:
        row.new = row.old | {"rating": change.rating}
    if change.seen is not None:
        await _mark_seen(connection, [row.photo_id for row in rows], change.seen)
    if versions:
        await write_decisions(connection, versions, action_id, session, touched={"rating"})
    await write_decisions(connection, rows, action_id, session, touched=_touched(change), seen=change.seen is not None)
    known = {row.photo_id for row in rows}
    changed = [row.photo_id for row in locked if row.differences()]
    return Outcome(action_id, changed, [i for i in photo_ids if i not in known])


async def apply_values(
    connection: Connection,
    values: Mapping[int, Mapping[str, Any]],
    *,
    action_id: uuid.UUID | None = None,
    session: str | None = None,
) -> Outcome:
    """Sets each photo's own values of `FIELDS` (no project, no tags), as one action."""
    action = action_id or uuid.uuid4()

    async def work() -> Outcome:
        before = await changed_before(connection, action)
        if before is not None:
            return Outcome(action, before, repeated=True)
        rows = await lock_decisions(connection, values)
        for row in rows:
            row.new = row.old | dict(values[row.photo_id])
        await write_decisions(connection, rows, action, session, touched={f for v in values.values() for f in v})
        known = {row.photo_id for row in rows}
        changed = [row.photo_id for row in rows if row.differences()]
        return Outcome(action, changed, [i for i in values if i not in known])

    return await in_one_transaction(connection, work)


async def changed_before(connection: Connection, action_id: uuid.UUID) -> list[int] | None:
    """The photos that this action changed, if it was applied before."""
    await wait_in_line(connection, action_id)
    rows = await connection.fetch("SELECT DISTINCT photo_id FROM decision_events WHERE action_id = $1", action_id)
    return [row["photo_id"] for row in rows] or None


async def wait_in_line(connection: Connection, action_id: uuid.UUID) -> None:
    """Until the commit: of two requests with one name, the second waits and then finds what the first did."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", int.from_bytes(action_id.bytes[:8], signed=True))


async def _project(connection: Connection, name: str | None) -> dict[str, Any] | None:
    if name is None or not name.strip():
        return None
    return {"id": await registration.project_named(connection, name), "name": name.strip()}


_LOCK = """
SELECT d.photo_id, d.rating, d.manual_match, d.rejected, d.project_id, p.name AS project, d.tags_added, d.tags_removed,
       d.apart, d.copy_kept, d.burst_front
FROM decisions d LEFT JOIN projects p ON p.id = d.project_id
WHERE d.photo_id = ANY ($1::bigint[]) ORDER BY d.photo_id FOR UPDATE OF d
"""


async def lock_decisions(connection: Connection, photo_ids: Iterable[int]) -> list[DecisionRow]:
    """The decisions of these photos as they are, held until the commit."""
    ids = sorted(set(photo_ids))
    await connection.execute(
        """INSERT INTO decisions (photo_id) SELECT id FROM photos WHERE id = ANY ($1::bigint[]) ORDER BY id
           ON CONFLICT DO NOTHING""",
        ids,
    )
    rows = []
    for record in await connection.fetch(_LOCK, ids):
        old = {name: record[name] for name in FIELDS}
        if record["project_id"] is not None:
            old["project"] = {"id": record["project_id"], "name": record["project"]}
        rows.append(DecisionRow(record["photo_id"], old, dict(old)))
    return rows


def _changed(old: dict[str, Any], change: Change, project: dict[str, Any] | None) -> dict[str, Any]:
    new = dict(old)
    if change.says("rating"):
        new["rating"] = change.rating
    for name in ("manual_match", "rejected", "apart", "copy_kept"):
        if change.says(name):
            new[name] = bool(getattr(change, name))
    if change.says("project") and project_id(project) != project_id(old["project"]):
        new["project"] = project
    add, remove = _tags(change.tags_add), _tags(change.tags_remove)
    if add or remove:
        new["tags_added"] = [tag for tag in dict.fromkeys([*old["tags_added"], *add]) if tag not in remove]
        new["tags_removed"] = [tag for tag in dict.fromkeys([*old["tags_removed"], *remove]) if tag not in add]
    return new


def project_id(project: dict[str, Any] | None) -> int | None:
    return project["id"] if project else None


def _tags(tags: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(tag.strip().lower()[:100] for tag in tags if tag.strip()))


def _touched(change: Change) -> set[str]:
    """Fields that the person spoke of, changed or not: from now on they are the person's."""
    return {name for name in ("rating", "manual_match", "rejected", "project") if change.says(name)}


_SAVE = """
UPDATE decisions d SET rating = r.rating, manual_match = r.manual_match, rejected = r.rejected,
    project_id = r.project_id, tags_added = r.tags_added, tags_removed = r.tags_removed,
    apart = r.apart, copy_kept = r.copy_kept, burst_front = r.burst_front, updated_at = now(),
    rating_source = CASE WHEN 'rating' = ANY ($2) THEN 'person' ELSE d.rating_source END,
    manual_match_source = CASE WHEN 'manual_match' = ANY ($2) THEN 'person' ELSE d.manual_match_source END,
    rejected_source = CASE WHEN 'rejected' = ANY ($2) THEN 'person' ELSE d.rejected_source END,
    project_source = CASE WHEN 'project' = ANY ($2) THEN 'person' ELSE d.project_source END
FROM jsonb_to_recordset($1) AS r (photo_id bigint, rating smallint, manual_match boolean, rejected boolean,
    project_id int, tags_added text[], tags_removed text[], apart boolean, copy_kept boolean, burst_front bigint)
WHERE d.photo_id = r.photo_id
"""


async def write_decisions(
    connection: Connection,
    rows: Sequence[DecisionRow],
    action_id: uuid.UUID,
    session: str | None,
    *,
    touched: set[str],
    seen: bool = False,
    undoes: uuid.UUID | None = None,
    kept: Sequence[tuple[int, str, Any]] = (),
) -> None:
    """Saves the rows and lets follow what follows: history, read model, tags, training, priorities, the event.

    `kept`: (photo, field, value) that an undo left as it was; remembered, so that the next undo goes further back.
    """
    ids = [row.photo_id for row in rows]
    different = {row.photo_id: row.differences() for row in rows}
    changed = [i for i in ids if different[i]]
    records = [
        {k: row.new[k] for k in FIELDS if k != "project"}
        | {"photo_id": row.photo_id, "project_id": project_id(row.new["project"])}
        for row in rows
    ]
    await connection.execute(_SAVE, records, sorted(touched))
    entries = [(r.photo_id, name, r.old[name], r.new[name]) for r in rows for name in different[r.photo_id]]
    entries += [(photo_id, name, value, value) for photo_id, name, value in kept]
    await remember(connection, entries, action_id, session, undoes=undoes)
    if not changed and not seen:
        return
    retagged = [i for i in changed if {"tags_added", "tags_removed"} & set(different[i])]
    await write_effective_tags(connection, retagged)
    shown = ids if seen else changed
    await connection.execute("SELECT refresh_gallery($1)", shown)
    if retagged:
        await scoring.score_photos(connection, retagged)
    rerated = [row for row in rows if "rating" in different[row.photo_id]]
    if rerated:
        await jobs.request_single(connection, "taste")
        rated = [row.photo_id for row in rerated if row.new["rating"] is not None]
        await guesses.keep(connection, [row.photo_id for row in rerated if row.old["rating"] is None])
        await jobs.raise_priority(connection, "curate", rated, jobs.PRIORITY_RATED)
    data = {"ids": shown, "action_id": str(action_id)}
    await events.publish(connection, [Event(kind="decisions", data=data)])


async def remember(
    connection: Connection,
    entries: Sequence[tuple[int, str, Any, Any]],
    action_id: uuid.UUID,
    session: str | None,
    *,
    source: str = "person",
    undoes: uuid.UUID | None = None,
) -> None:
    """Writes (photo, field, old, new) to the history."""
    # One document: in an array parameter, a list of tags would be taken for a further dimension of the array.
    records = [{"photo_id": e[0], "field": e[1], "old": e[2], "new": e[3]} for e in entries]
    await connection.execute(
        """INSERT INTO decision_events (action_id, photo_id, field, old, new, source, session, undoes)
           SELECT $1, e.photo_id, e.field, coalesce(e.old, 'null'), coalesce(e.new, 'null'), $5, $3, $4
           FROM jsonb_to_recordset($2) AS e (photo_id bigint, field text, old jsonb, new jsonb)""",
        action_id, records, session, undoes, source,
    )  # fmt: skip


async def _mark_seen(connection: Connection, ids: Sequence[int], seen: bool) -> None:
    await connection.execute(
        """UPDATE decisions SET seen_at = CASE WHEN $2 THEN coalesce(seen_at, now()) END
           WHERE photo_id = ANY ($1) AND (seen_at IS NULL) = $2""",
        list(ids), seen,
    )  # fmt: skip
