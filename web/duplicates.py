"""Copies and versions: what is listed of them, and rejecting copies.

Only copies, photos whose pixels are equal, are ever proposed for rejection, and the one that stays can be read. What
was decided is a decision like any other: rejected copies, copies that stay (`copy_kept`) and photos that were split
from their versions (`apart`) are not offered again, and one undo takes an action back.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from domain.duplicates import SAME_INSTANT, SAME_LOOK, SAME_NAME, SAME_PIXELS
from web.database import Connection
from web.decisions import Change, Outcome, apply_decisions, in_one_transaction
from web.errors import RequestError
from web.items import items_by_id
from web.roots import offline_reason

REASONS = {SAME_PIXELS: "pixels", SAME_NAME: "name", SAME_INSTANT: "instant", SAME_LOOK: "look"}
_ONE_AT_A_TIME = 0x636F7079  # "copy"

# Best first: what can be read, what the person said should stay, what was rated, the RAW with its JPEG, the oldest.
_COPIES = """
WITH shared AS (
    SELECT pixel_hash FROM photos
    WHERE pixel_hash IS NOT NULL AND ($1::bigint IS NULL OR pixel_hash = (SELECT pixel_hash FROM photos WHERE id = $1))
    GROUP BY pixel_hash HAVING count(*) > 1
), copies AS (
    SELECT p.id, p.pixel_hash, coalesce(d.copy_kept OR d.apart, false) AS kept, g.rating, g.picked,
           p.companion_rel_path IS NOT NULL AS paired,
           r.offline_reason IS NULL OR EXISTS (
               SELECT 1 FROM photo_locations l JOIN library_roots o ON o.id = l.root_id
               WHERE l.photo_id = p.id AND o.offline_reason IS NULL) AS online
    FROM shared JOIN photos p USING (pixel_hash) JOIN gallery g ON g.photo_id = p.id AND g.tabs & 1 <> 0
    JOIN library_roots r ON r.id = p.root_id LEFT JOIN decisions d ON d.photo_id = p.id
), ranked AS (
    SELECT *, row_number() OVER best AS rank, first_value(online) OVER best AS readable FROM copies
    WINDOW best AS (PARTITION BY pixel_hash ORDER BY online DESC, kept DESC, picked DESC, rating DESC NULLS LAST,
                    paired DESC, id)
), groups AS (
    SELECT min(id) AS id, array_agg(id ORDER BY rank) AS ids,
           coalesce(array_agg(id ORDER BY rank) FILTER (WHERE rank > 1 AND NOT kept AND readable), '{}') AS rejectable,
           coalesce(array_agg(id ORDER BY rank) FILTER (WHERE kept), '{}') AS kept
    FROM ranked GROUP BY pixel_hash HAVING bool_or(rank > 1 AND NOT kept)
)
"""
_COPY_GROUPS = _COPIES + "SELECT * FROM groups WHERE id > $2 ORDER BY id LIMIT $3"
_COPY_TOTALS = (
    _COPIES + "SELECT count(*) AS copies, coalesce(sum(cardinality(rejectable)), 0)::int AS rejectable FROM groups"
)

_STACKS = """
SELECT f.id, array_agg(g.photo_id ORDER BY m.place) AS ids, array_agg(m.reason ORDER BY m.place) AS reasons
FROM (SELECT DISTINCT s.stack_front AS id FROM gallery s JOIN version_members v ON v.photo_id = s.photo_id
      WHERE s.stack_front > $2
        AND CASE WHEN $1::bigint IS NULL THEN v.reason <> 1
                 ELSE s.stack_front = (SELECT stack_front FROM gallery WHERE photo_id = $1) END
      ORDER BY 1 LIMIT $3) f
JOIN gallery g ON g.stack_front = f.id JOIN version_members m ON m.photo_id = g.photo_id
GROUP BY f.id ORDER BY f.id
"""


async def copies(connection: Connection, *, photo: int | None, after: int, limit: int) -> list[dict[str, Any]]:
    """Groups that are still to be decided, by their lowest photo.

    `keep_id` is the one that would stay, `rejectable` the others that nobody kept; empty while no copy can be read.
    """
    rows = await connection.fetch(_COPY_GROUPS, photo, after, limit)
    shown = await _shown(connection, rows)
    return [
        {
            "kind": "same_pixels",
            "id": row["id"],
            "keep_id": row["ids"][0],
            "rejectable": row["rejectable"],
            "kept": row["kept"],
            "photos": [shown[i] for i in sorted(row["ids"]) if i in shown],
        }
        for row in rows
    ]


async def stacks(connection: Connection, *, photo: int | None, after: int, limit: int) -> list[dict[str, Any]]:
    """Stacks by the photo in front, which comes first. `reasons`: why each is there, in the photos' order.

    Those of nothing but copies are left out unless it is asked for one of them: they are listed as copies.
    """
    rows = await connection.fetch(_STACKS, photo, after, limit)
    shown = await _shown(connection, rows)
    return [
        {
            "kind": "versions",
            "id": row["id"],
            "reasons": [REASONS[reason] for reason in row["reasons"]],
            "photos": [shown[i] for i in row["ids"] if i in shown],
        }
        for row in rows
    ]


async def _shown(connection: Connection, rows: Sequence[Any]) -> dict[int, dict[str, Any]]:
    return await items_by_id(connection, [i for row in rows for i in row["ids"]])


async def totals(connection: Connection) -> dict[str, int]:
    """`copies` (groups to decide) with the photos that are `rejectable`, the listed `stacks` and what they hold."""
    found = await connection.fetchrow(_COPY_TOTALS, None)
    stacked = await connection.fetchrow(
        """SELECT count(*) AS stacks, coalesce(sum(f.stack_size), 0)::int AS stacked FROM gallery f
           WHERE f.stack_front = f.photo_id AND EXISTS (
               SELECT 1 FROM gallery g JOIN version_members m USING (photo_id)
               WHERE g.stack_front = f.photo_id AND m.reason <> 1)"""
    )
    return dict(found) | dict(stacked)


class CopiesChangedError(RequestError):
    """Use this when the person confirmed another number than there is. `count` is the true one."""

    def __init__(self, count: int) -> None:
        super().__init__(409, f"{count} copies would be rejected now. Look again before rejecting them.")
        self.count = count


async def reject_copies(
    connection: Connection,
    *,
    expected: int,
    keep_id: int | None = None,
    action_id: uuid.UUID | None = None,
    session: str | None = None,
) -> tuple[Outcome, int]:
    """Rejects the copies of `keep_id`, or every copy that is proposed, as one action; originals are never touched.

    Returns also how many groups were left alone because the copy that would stay cannot be read. Raises
    `CopiesChangedError` where not `expected` copies are proposed, and RequestError 409 where `keep_id` cannot be read.
    """

    async def work() -> tuple[Outcome, int]:
        # Two people who keep different copies at one moment must not lose both.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
        reject = Change(rejected=True)
        before = await apply_decisions(connection, [], reject, action_id=action_id, session=session)
        if before.repeated:
            return before, 0
        proposed = await _proposed(connection, keep_id)
        if expected != sum(map(len, proposed.values())):
            raise CopiesChangedError(sum(map(len, proposed.values())))
        readable = await _readable(connection, list(proposed))
        if keep_id is not None and keep_id not in readable:
            raise RequestError(
                409, "The copy that would stay cannot be read now. Connect its drive, or keep another copy."
            )
        rest = [i for keep, others in proposed.items() if keep in readable for i in others]
        outcome = await apply_decisions(connection, rest, reject, action_id=action_id, session=session)
        return outcome, len(proposed) - len(readable)

    return await in_one_transaction(connection, work)


async def _proposed(connection: Connection, keep_id: int | None) -> dict[int, list[int]]:
    """Copies to reject, by the one that stays."""
    rows = await connection.fetch(_COPY_GROUPS, keep_id, 0, None)
    if keep_id is None:
        return {row["ids"][0]: row["rejectable"] for row in rows if row["rejectable"]}
    if not rows or keep_id not in rows[0]["ids"]:
        raise RequestError(404, f"Photograph {keep_id} has no copies to decide about. Load the page again.")
    stays = {keep_id, *rows[0]["kept"]}
    return {keep_id: [i for i in rows[0]["ids"] if i not in stays]}


_PLACES = """
SELECT p.id, r.path, p.rel_path FROM photos p JOIN library_roots r ON r.id = p.root_id WHERE p.id = ANY ($1::bigint[])
UNION ALL
SELECT l.photo_id, r.path, l.rel_path FROM photo_locations l JOIN library_roots r ON r.id = l.root_id
WHERE l.photo_id = ANY ($1::bigint[])
"""


async def _readable(connection: Connection, photo_ids: Sequence[int]) -> set[int]:
    """Those whose file is there at this moment, in one of its places."""
    rows = await connection.fetch(_PLACES, list(photo_ids))
    return await asyncio.to_thread(_there, [tuple(row) for row in rows])


def _there(places: Sequence[tuple[int, str, str]]) -> set[int]:
    online = {root: offline_reason(root) is None for root in {root for _, root, _ in places}}
    return {photo for photo, root, path in places if online[root] and os.access(Path(root) / path, os.R_OK)}
