"""Deciding about bursts: the best frame in front of the others, all of them kept, or the best of every burst.

Each is an action like a rating: written down photo by photo (`decisions.burst_front`), so that one undo takes it back
and a later search for bursts finds it decided.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from web import bursts
from web.database import Connection
from web.decisions import Outcome, apply_values, changed_before
from web.errors import RequestError

KEPT_WHOLE = 0
"""`burst_front` of frames that are all kept."""
_MEANT = {"bracket": "an exposure bracket", "focus_stack": "a focus stack", "panorama": "a panorama"}

Values = dict[int, dict[str, Any]]


def kept_behind(
    best: int, ids: Iterable[int], away: Iterable[int] = (), liked: Iterable[int] = (), *, reject_rest: bool = False
) -> Values:
    """What stacking `ids` behind `best` decides for each photo. A rejected frame (`away`) that is kept comes back.

    One press for several frames never rejects what the person said they like (`liked`): it stays behind the best.
    """
    values: Values = {i: {"burst_front": best} for i in ids}
    for i in set(values) - {best, *liked} if reject_rest else ():
        values[i]["rejected"] = True
    if best in away:
        values[best]["rejected"] = False
    return values


def _spared(best: int, liked: Iterable[int], *, reject_rest: bool) -> int:
    """Frames behind `best` that rejecting the rest leaves as they are."""
    return len(set(liked) - {best}) if reject_rest else 0


async def keep_best(
    connection: Connection,
    group_id: int,
    *,
    keeper_id: int | None,
    reject_rest: bool,
    action_id: uuid.UUID | None,
    session: str | None,
) -> tuple[Outcome, int]:
    """Stacks a group behind its best frame, or behind `keeper_id`, and if asked rejects the others.

    Returns as well how many were not rejected because the person likes them.
    """
    row = await bursts.group(connection, group_id)
    if keeper_id is None and row["intent"] is not None and row["chosen"] is None:
        raise RequestError(
            409, f"These frames are {_MEANT[row['intent']]}: they belong together. Name the frame to keep if not."
        )
    best = keeper_id or row["best"]
    if best is None:
        raise RequestError(409, "The best frames of this burst are a tie. Choose the one to keep.")
    if best not in row["ids"]:
        raise RequestError(422, f"Photograph {best} is not a frame of burst {group_id}.")
    values = kept_behind(best, row["ids"], row["away"] or (), row["liked"], reject_rest=reject_rest)
    outcome = await apply_values(connection, values, action_id=action_id, session=session)
    return outcome, _spared(best, row["liked"], reject_rest=reject_rest)


async def keep_all(
    connection: Connection, group_id: int, *, action_id: uuid.UUID | None, session: str | None
) -> Outcome:
    """Keeps every frame of a group: it is no burst any more, and is not offered again."""
    row = await bursts.group(connection, group_id)
    values = {i: {"burst_front": KEPT_WHOLE} for i in row["ids"]}
    return await apply_values(connection, values, action_id=action_id, session=session)


async def keep_best_everywhere(
    connection: Connection,
    *,
    reject_rest: bool,
    expected: int | None,
    action_id: uuid.UUID | None,
    session: str | None,
) -> tuple[Outcome, int, int]:
    """The same for every open group that has a best frame; returns as well how many are a tie and were left alone.

    `expected`: how many groups the person saw; refused (409) when it is another number now.
    """
    # Of a request that was carried out before nothing is left to decide, and no other number was meant.
    if action_id is not None and (before := await changed_before(connection, action_id)) is not None:
        return Outcome(action_id, before, repeated=True), 0, (await bursts.totals(connection))["ties"]
    rows = await bursts.to_keep(connection)
    if expected is not None and expected != len(rows):
        raise RequestError(409, f"There are {len(rows):,} bursts to decide now, not {expected:,}. Look at them again.")
    values: Values = {}
    for row in rows:
        values |= kept_behind(row["best"], row["ids"], row["away"] or (), row["liked"], reject_rest=reject_rest)
    outcome = await apply_values(connection, values, action_id=action_id, session=session)
    spared = sum(_spared(row["best"], row["liked"], reject_rest=reject_rest) for row in rows)
    return outcome, spared, (await bursts.totals(connection))["ties"]
