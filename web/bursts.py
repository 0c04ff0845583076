"""Burst groups as they were found, what was decided about them, and what keeping the best of each would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from web import burst_preview, jobs
from web.database import Connection
from web.errors import RequestError
from web.items import captions, items_by_id

State = Literal["open", "kept", "whole", "intended"]
"""open: to decide; kept: the best is in front of the others; whole: all were kept, never offered again; intended: an
exposure bracket, a focus stack, a panorama."""
STATES: tuple[State, ...] = get_args(State)

# `best` is the frame to keep: the chosen one, else the one that the person likes most (picked, then stars, none
# counting as three), else the sharpest. NULL where that leaves several, which is decided by eye. A frame waits as well
# when the one that it stands behind was rejected since. `liked` frames, picked or with four or five stars, are not
# rejected with the rest.
_SUMMED = """
SELECT g.id, g.intent, s.*, coalesce(s.chosen, CASE WHEN s.most = 1 THEN s.favourite ELSE s.measured END) AS best,
       CASE WHEN s.whole THEN 'whole' WHEN g.intent IS NOT NULL AND s.chosen IS NULL THEN 'intended'
            WHEN s.waiting = 0 OR s.standing < 2 THEN 'kept' ELSE 'open' END AS state
FROM burst_groups g CROSS JOIN LATERAL (
    SELECT count(*) AS frames, count(*) FILTER (WHERE NOT f.rejected) AS standing,
        count(*) FILTER (WHERE NOT f.rejected AND (f.front IS NULL OR f.lost)) AS waiting,
        coalesce(bool_and(f.front = 0), false) AS whole,
        min(f.photo_id) FILTER (WHERE f.front = f.photo_id AND NOT f.rejected) AS chosen,
        min(f.photo_id) FILTER (WHERE f.keeper AND f.top) AS measured,
        min(f.photo_id) FILTER (WHERE f.top) AS favourite, count(*) FILTER (WHERE f.top) AS most,
        coalesce(array_agg(f.photo_id) FILTER (WHERE f.liked AND NOT f.rejected), '{}') AS liked,
        array_agg(f.photo_id ORDER BY f.focus DESC NULLS LAST, f.photo_id) AS ids,
        array_agg(f.photo_id ORDER BY f.photo_id) FILTER (WHERE f.rejected) AS away
    FROM (
        SELECT m.photo_id, m.keeper, r.rejected, r.focus, d.burst_front AS front,
            r.picked OR coalesce(r.rating, 0) >= 4 AS liked,
            NOT r.rejected AND rank() OVER (ORDER BY r.rejected, r.picked DESC, coalesce(r.rating, 3) DESC) = 1 AS top,
            EXISTS (SELECT FROM burst_members o JOIN gallery w ON w.photo_id = o.photo_id
                    WHERE o.photo_id = d.burst_front AND o.group_id = m.group_id AND w.rejected) AS lost
        FROM burst_members m JOIN gallery r ON r.photo_id = m.photo_id AND NOT r.discarded
        LEFT JOIN decisions d ON d.photo_id = m.photo_id WHERE m.group_id = g.id
    ) f
) s WHERE s.frames > 1
"""


async def groups(connection: Connection, *, state: State | None, after: int, limit: int) -> list[dict[str, Any]]:
    """Groups by id, each with its items, sharpest focus first. `keeper_id` is None while it is a tie."""
    rows = await connection.fetch(
        f"SELECT * FROM ({_SUMMED}) s WHERE s.id > $1 AND ($2::text IS NULL OR s.state = $2) ORDER BY s.id LIMIT $3",
        after, state, limit,
    )  # fmt: skip
    shown = await items_by_id(connection, [i for row in rows for i in row["ids"]])
    return [
        {
            "id": row["id"],
            "state": row["state"],
            "intent": row["intent"],
            "tie": row["best"] is None,
            "keeper_id": None if row["state"] in ("whole", "intended") else row["best"],
            "photos": [shown[i] for i in row["ids"] if i in shown],
        }
        for row in rows
    ]


async def group(connection: Connection, group_id: int) -> Any:
    """One group's row: ids, best, state, intent, away (rejected), liked (not rejected). Raises RequestError 404."""
    row = await connection.fetchrow(f"SELECT * FROM ({_SUMMED}) s WHERE s.id = $1", group_id)
    if row is None:
        raise RequestError(404, f"There is no burst {group_id}. Bursts were perhaps looked for again; reload the page.")
    return row


async def totals(connection: Connection) -> dict[str, int]:
    """Groups by state and their `frames`; of the open ones the `ties`, and `rest`: frames that keeping the best of
    every burst would put behind it, `liked` of which would not be rejected."""
    row = await connection.fetchrow(
        f"""SELECT count(*) AS groups, coalesce(sum(frames), 0)::int AS frames,
                {", ".join(f"count(*) FILTER (WHERE state = '{state}') AS {state}" for state in STATES)},
                count(*) FILTER (WHERE state = 'open' AND best IS NULL) AS ties,
                coalesce(sum(standing - 1) FILTER (WHERE state = 'open' AND best IS NOT NULL), 0)::int AS rest,
                coalesce(sum(cardinality(array_remove(liked, best)))
                         FILTER (WHERE state = 'open' AND best IS NOT NULL), 0)::int AS liked
            FROM ({_SUMMED}) s"""
    )
    return dict(row)


async def to_keep(connection: Connection, *, after: int = 0, limit: int | None = None) -> list[Any]:
    """Rows of the open groups whose best frame is known, by id."""
    rows: list[Any] = await connection.fetch(
        f"""SELECT s.id, s.best, s.ids, s.away, s.liked FROM ({_SUMMED}) s
            WHERE s.id > $1 AND s.state = 'open' AND s.best IS NOT NULL ORDER BY s.id LIMIT $2""",
        after, limit,
    )  # fmt: skip
    return rows


async def plan(connection: Connection, *, after: int, limit: int) -> dict[str, Any]:
    """What keeping the best everywhere would do: the counts, and each group with its best frame and the rest."""
    rows = await to_keep(connection, after=after, limit=limit)
    shown = await _frames(connection, rows)
    listed = [
        {
            "id": row["id"],
            "best": shown[row["best"]],
            "rest": [shown[i] for i in row["ids"] if i != row["best"] and i not in (row["away"] or ())],
        }
        for row in rows
    ]
    counted = await totals(connection)
    return {
        "items": listed,
        "next_after": rows[-1]["id"] if len(rows) == limit else None,
        "groups": counted["open"] - counted["ties"],
        "rest": counted["rest"],
        "liked": counted["liked"],
        "ties": counted["ties"],
        "intended": counted["intended"],
    }


async def _frames(connection: Connection, rows: Sequence[Any]) -> dict[int, dict[str, Any]]:
    """Of these groups by photo: a caption, the stars, whether it is picked, and whether it is `liked`."""
    ids = [i for row in rows for i in row["ids"]]
    liked = {i for row in rows for i in row["liked"]}
    said = await captions(connection, ids)
    decided = await connection.fetch(
        "SELECT photo_id, rating, picked FROM gallery WHERE photo_id = ANY ($1::bigint[])", ids
    )
    return {
        i: {"id": i, "user_rating": rating, "manual_match": picked, "liked": i in liked} | said[i]
        for i, rating, picked in decided
    }


async def detect(
    connection: Connection, threshold: float | None, gap_s: float | None, *, preview: bool = False
) -> None:
    """Looks for bursts in the whole archive; what is not given is the setting's. A preview only counts."""
    given = {"threshold": threshold, "gap_s": gap_s}
    params = {name: value for name, value in given.items() if value is not None}
    if preview:
        await burst_preview.request(connection, params)
        return
    async with connection.transaction():
        await jobs.request_single(connection, "bursts", params=params)


async def note_new_vectors(connection: Connection) -> None:
    """Bursts are looked for once the embedding that goes on now has come to its end."""
    await connection.execute(
        """INSERT INTO preferences AS p VALUES ($1, 'true') ON CONFLICT (key) DO UPDATE SET value = 'true'
           WHERE p.value <> 'true'""",
        _WANTED,
    )


async def detect_when_embedded(connection: Connection) -> None:
    """After an import: looks for bursts when vectors are new and no photograph waits for one any more."""
    async with connection.transaction():
        due = await connection.fetchval(
            """UPDATE preferences SET value = 'false' WHERE key = $1 AND value = 'true' AND NOT EXISTS (
                   SELECT FROM jobs WHERE stage IN ('embed', 'convert')
                       -- Photographs of a drive that is unplugged wait too, with a later moment; nobody waits for them.
                       AND (status = 'queued' OR status = 'due' AND available_at <= now()))
               RETURNING true""",
            _WANTED,
        )
        if due:
            await jobs.request_single(connection, "bursts")


_WANTED = "bursts_wanted"
