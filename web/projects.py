"""Projects: labels that a person gives to photographs, with a cover and a count."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from contracts.events import Event
from web import events
from web.database import Connection
from web.decisions import Change, Outcome, apply_decisions
from web.errors import RequestError
from web.items import media_url

_LIST = """
SELECT pr.id, pr.name, pr.created_at, n.photos, c.photo_id AS cover_id, c.derivative_generation AS generation
FROM projects pr
CROSS JOIN LATERAL (SELECT count(*) AS photos FROM gallery g WHERE g.project_id = pr.id AND g.tabs & 1 <> 0) n
LEFT JOIN LATERAL (
    SELECT g.photo_id, p.derivative_generation FROM gallery g JOIN photos p ON p.id = g.photo_id
    WHERE g.project_id = pr.id AND g.tabs & 1 <> 0
    ORDER BY g.preference DESC NULLS LAST, g.rating DESC NULLS LAST, g.photo_id LIMIT 1
) c ON true
{which}
"""


async def listed(connection: Connection) -> list[dict[str, Any]]:
    """Every project by name: count, and the best-scored photograph as its cover."""
    return [_shown(row) for row in await connection.fetch(_LIST.format(which="ORDER BY lower(pr.name)"))]


def _shown(row: Any) -> dict[str, Any]:
    return {
        "name": row["name"],
        "photos": row["photos"],
        "cover_id": row["cover_id"],
        "cover_url": media_url("thumb", row["cover_id"], row["generation"]) if row["cover_id"] else None,
        "created_at": row["created_at"].isoformat(),
    }


_ONE = """
SELECT count(*) FILTER (WHERE g.tabs & 1 <> 0 AND g.rating IS NOT NULL) AS rated,
       count(*) FILTER (WHERE NOT g.discarded AND g.rejected) AS rejected
FROM gallery g WHERE g.project_id = $1
"""


async def one(connection: Connection, name: str) -> dict[str, Any]:
    """A project's counts and cover. `photos` and `rated` leave out the rejected ones, which carry the label too.

    Raises RequestError 404.
    """
    project_id = await _id_of(connection, name)
    shown = _shown(await connection.fetchrow(_LIST.format(which="WHERE pr.id = $1"), project_id))
    counted = await connection.fetchrow(_ONE, project_id)
    return {name: shown[name] for name in ("name", "photos", "cover_url")} | dict(counted)


async def _id_of(connection: Connection, name: str) -> int:
    found = await connection.fetchval("SELECT id FROM projects WHERE lower(name) = lower($1)", name.strip())
    if found is None:
        raise RequestError(404, f"There is no project called {name!r}.")
    return int(found)


def _named(name: str) -> str:
    if not name.strip():
        raise RequestError(422, "A project needs a name.")
    return name.strip()


async def rename(connection: Connection, name: str, new_name: str) -> None:
    """Raises RequestError 409 when another project has the name: merging is another wish."""
    new_name = _named(new_name)
    async with connection.transaction():
        project_id = await _id_of(connection, name)
        other = await connection.fetchval(
            "SELECT id FROM projects WHERE lower(name) = lower($1) AND id <> $2", new_name, project_id
        )
        if other is not None:
            raise RequestError(409, f"There is a project called {new_name!r} already. Merge the two instead.")
        await connection.execute("UPDATE projects SET name = $2 WHERE id = $1", project_id, new_name)
        ids = await _members(connection, [project_id])
        await events.publish(connection, [Event(kind="decisions", data={"ids": ids, "action_id": ""})])


async def delete(
    connection: Connection, name: str, *, action_id: uuid.UUID | None = None, session: str | None = None
) -> Outcome:
    """Takes the label off every photograph and forgets it. Undoing the action brings it back."""
    async with connection.transaction():
        project_id = await _id_of(connection, name)
        ids = await _members(connection, [project_id])
        outcome = await apply_decisions(connection, ids, Change(project=None), action_id=action_id, session=session)
        await connection.execute("DELETE FROM projects WHERE id = $1", project_id)
    return outcome


async def merge(
    connection: Connection,
    sources: Sequence[str],
    into: str,
    *,
    action_id: uuid.UUID | None = None,
    session: str | None = None,
) -> Outcome:
    """Moves the photographs of `sources` to `into`, which is made if need be, and forgets the sources."""
    into = _named(into)
    async with connection.transaction():
        ids = [await _id_of(connection, name) for name in sources if name.strip().lower() != into.lower()]
        photos = await _members(connection, ids)
        change = Change(project=into)
        outcome = await apply_decisions(connection, photos, change, action_id=action_id, session=session)
        await connection.execute("DELETE FROM projects WHERE id = ANY ($1)", ids)
    return outcome


async def _members(connection: Connection, project_ids: Sequence[int]) -> list[int]:
    rows = await connection.fetch(
        "SELECT photo_id FROM decisions WHERE project_id = ANY ($1) ORDER BY photo_id", list(project_ids)
    )
    return [row["photo_id"] for row in rows]
