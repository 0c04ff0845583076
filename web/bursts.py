"""Burst groups as they were found, and keeping the best frame of each."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from contracts.events import Event
from web import events, jobs
from web.database import Connection
from web.decisions import Change, Outcome, apply_decisions
from web.errors import RequestError
from web.items import items

_GROUPS = """
SELECT g.id, g.tie, array_agg(m.photo_id ORDER BY p.focus_score DESC NULLS LAST, m.photo_id) AS ids,
       min(m.photo_id) FILTER (WHERE m.keeper) AS keeper
FROM burst_groups g JOIN burst_members m ON m.group_id = g.id JOIN photos p ON p.id = m.photo_id
WHERE g.id > $1 AND ($2::bigint IS NULL OR g.id = $2) GROUP BY g.id ORDER BY g.id LIMIT $3
"""


async def groups(connection: Connection, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Groups by id, each with its items, sharpest focus first. `keeper_id` is None while it is a tie."""
    rows = await connection.fetch(_GROUPS, after, None, limit)
    shown = {item["id"]: item for item in await items(connection, [i for row in rows for i in row["ids"]])}
    return [
        {"id": r["id"], "tie": r["tie"], "keeper_id": r["keeper"], "photos": [shown[i] for i in r["ids"] if i in shown]}
        for r in rows
    ]


async def totals(connection: Connection) -> dict[str, int]:
    """`groups`, those that are `ties`, their `frames`, and the `rest`: frames that keeping the best of every burst
    would reject."""
    row = await connection.fetchrow(
        """WITH g AS (
               SELECT m.group_id, bool_or(m.keeper) AS settled, count(*) AS frames,
                      count(*) FILTER (WHERE NOT m.keeper AND NOT r.rejected) AS rest
               FROM burst_members m JOIN gallery r ON r.photo_id = m.photo_id GROUP BY m.group_id
           )
           SELECT count(*) AS groups, count(*) FILTER (WHERE NOT settled) AS ties,
                  coalesce(sum(frames), 0)::int AS frames, coalesce(sum(rest) FILTER (WHERE settled), 0)::int AS rest
           FROM g"""
    )
    return dict(row)


async def detect(connection: Connection, threshold: float | None, gap_s: float | None) -> None:
    """Looks for bursts in the whole archive; what is not given is the setting's."""
    given = {"threshold": threshold, "gap_s": gap_s}
    async with connection.transaction():
        await jobs.request_single(connection, "bursts", params={k: v for k, v in given.items() if v is not None})


async def keep_best(
    connection: Connection,
    group_id: int,
    *,
    keeper_id: int | None,
    reject_rest: bool,
    action_id: uuid.UUID | None,
    session: str | None,
) -> Outcome:
    """Settles the keeper of a group (a tie needs `keeper_id`) and, if asked, rejects the other frames."""
    rows = await connection.fetch(_GROUPS, group_id - 1, group_id, 1)
    if not rows:
        raise RequestError(404, f"There is no burst {group_id}. Bursts were perhaps looked for again; reload the page.")
    row = rows[0]
    best = keeper_id or row["keeper"]
    if best is None:
        raise RequestError(409, "The sharpest frames of this burst are a tie. Choose the one to keep.")
    if best not in row["ids"]:
        raise RequestError(422, f"Photograph {best} is not a frame of burst {group_id}.")
    await _settle(connection, [group_id], [best])
    if not reject_rest:
        return Outcome(action_id or uuid.uuid4())
    rest = [i for i in row["ids"] if i != best]
    return await apply_decisions(connection, rest, Change(rejected=True), action_id=action_id, session=session)


async def keep_best_everywhere(
    connection: Connection, *, reject_rest: bool, action_id: uuid.UUID | None, session: str | None
) -> tuple[Outcome, int]:
    """The same for every group that has a keeper; returns how many groups are a tie and were left alone."""
    rows = await connection.fetch(_GROUPS, 0, None, 1_000_000)
    rest = [i for row in rows if row["keeper"] is not None for i in row["ids"] if i != row["keeper"]]
    ties = sum(row["keeper"] is None for row in rows)
    if not reject_rest:
        return Outcome(action_id or uuid.uuid4()), ties
    outcome = await apply_decisions(connection, rest, Change(rejected=True), action_id=action_id, session=session)
    return outcome, ties


async def _settle(connection: Connection, group_ids: Sequence[int], keepers: Sequence[int]) -> None:
    async with connection.transaction():
        await connection.execute("UPDATE burst_groups SET tie = false WHERE id = ANY ($1)", list(group_ids))
        await connection.execute(
            "UPDATE burst_members SET keeper = photo_id = ANY ($2) WHERE group_id = ANY ($1)",
            list(group_ids), list(keepers),
        )  # fmt: skip
        await events.publish(connection, [Event(kind="bursts", data={})])
