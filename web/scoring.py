"""Scores of the whole archive, written only where the integer changed.

Preference: `clip(round((bias + weights . v - 1) * 25), 0, 100)`, computed in SQL where the vectors lie (the operator
`<#>` is the negative inner product). Vibe: the mean affinity of a photo's tags, its own rating left out, 1..5 mapped
to 0..100. MATCH follows from both in the same statement (`is_match` of the first migration).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any

import asyncpg
import numpy as np
import structlog

from contracts.events import Event
from domain.taste import TagAffinity, match_threshold_auto
from web import events, jobs
from web.database import Connection
from web.errors import RequestError

log = structlog.get_logger()

CHANNEL = "fineshyt_score"
CHUNK = 5_000
"""Photos a transaction while the whole archive is scored: short locks, so that pages keep answering."""
_MANY_CHANGED = 0.2
"""Share of the archive."""
_KEPT = 20.0
"""A twentieth of the writer's time, at most, goes into sums of stars."""
Beside = Callable[[], AbstractAsyncContextManager[Connection]]

FEWEST_AT_RANDOM = 20
"""Ratings of randomly offered photos, from which on they alone say what share of the archive is liked."""
_LIKED = """
WITH rated AS (
    SELECT d.rating >= 4 AS liked, s.offer IS NOT DISTINCT FROM 'random' AS at_random
    FROM decisions d LEFT JOIN taste_guesses s ON s.photo_id = d.photo_id WHERE d.rating IS NOT NULL
)
SELECT count(*) AS n, count(*) FILTER (WHERE liked) AS liked FROM rated
WHERE at_random OR (SELECT count(*) FROM rated WHERE at_random) < $1
"""

IN_FORCE = """
FROM taste_models m JOIN encoders e ON e.id = m.encoder_id AND e.status = 'active'
WHERE NOT m.retired ORDER BY m.version DESC LIMIT 1
"""
"""The newest model `m` of the active encoder; none once too few ratings are left, for then all are retired."""

_MODEL = """
SELECT m.version, m.encoder_id, m.weights, m.bias, m.retired, m.tentative FROM taste_models m
JOIN encoders e ON e.id = m.encoder_id AND e.status = 'active'
ORDER BY m.version DESC LIMIT 1
"""

_PREFERENCE = """
UPDATE gallery g SET preference = s.score, is_match = is_match(g.picked, s.score, g.rating, (SELECT match_cut()))
FROM (
    SELECT e.photo_id, least(100, greatest(0, round(($2 - (e.vec <#> $3::halfvec) - 1) * 25)))::smallint AS score
    FROM embeddings e WHERE e.encoder_id = $1 AND {vectors}
) s
WHERE g.photo_id = s.photo_id AND (
        g.preference IS DISTINCT FROM s.score
        OR g.is_match <> is_match(g.picked, g.preference, g.rating, (SELECT match_cut()))
    )
    AND {gallery} -- said twice, or the planner reads the whole gallery for every chunk
"""

_NO_PREFERENCE = """
UPDATE gallery g SET preference = NULL, is_match = g.picked WHERE g.preference IS NOT NULL AND {which}
"""

_AFFINITY = """
SELECT t.tag, d.photo_id, sum(d.rating) AS stars, count(*) AS n
FROM decisions d JOIN photo_tags t ON t.photo_id = d.photo_id WHERE d.rating IS NOT NULL AND {tags}
GROUP BY GROUPING SETS ((t.tag), (d.photo_id)) HAVING {rows}
"""

_VIBE = """
WITH affinity AS (
    SELECT * FROM unnest($1::text[], $2::float8[], $3::bigint[]) a (tag, stars, n)
), own AS (
    SELECT * FROM unnest($4::bigint[], $5::float8[]) o (photo_id, stars)
), mine AS (
    SELECT t.photo_id, least(100, greatest(0, round((avg(
               (a.stars - coalesce(o.stars, 0)) / (a.n - (o.stars IS NOT NULL)::int)) - 1) * 25)))::smallint AS vibe
    FROM photo_tags t
    JOIN affinity a ON a.tag = t.tag
    LEFT JOIN own o ON o.photo_id = t.photo_id
    WHERE a.n > (o.stars IS NOT NULL)::int AND {tags}
    GROUP BY t.photo_id
)
UPDATE gallery g SET vibe = m.vibe
FROM (SELECT x.photo_id, mine.vibe FROM gallery x LEFT JOIN mine ON mine.photo_id = x.photo_id WHERE {listed}) m
WHERE g.photo_id = m.photo_id AND g.vibe IS DISTINCT FROM m.vibe AND {gallery}
"""

PREFERENCE_OF_RANGE = _PREFERENCE.format(vectors="e.photo_id BETWEEN $4 AND $5", gallery="g.photo_id BETWEEN $4 AND $5")
VIBE_OF_RANGE = _VIBE.format(
    tags="t.photo_id BETWEEN $6 AND $7", listed="x.photo_id BETWEEN $6 AND $7", gallery="g.photo_id BETWEEN $6 AND $7"
)


async def active_model(connection: Connection) -> Any:
    """The newest model of the active encoder, or None; `retired` when too few ratings are left."""
    return await connection.fetchrow(_MODEL)


async def is_tentative(connection: Connection) -> bool:
    """Whether the scores in force are marked as tentative."""
    model = await active_model(connection)
    return model is not None and not model["retired"] and model["tentative"]


@dataclass(frozen=True)
class Affinity:
    """The stars of all ratings by tag, as they were summed at one time."""

    tags: dict[str, TagAffinity]
    rated: dict[int, float]
    """The stars of each tagged photo that were summed, and are therefore taken off for its own vibe."""

    def known(self, tags: Iterable[str], photo_ids: Iterable[int]) -> tuple[list[Any], ...]:
        """What is known of these tags (tag, stars, photos) and of these photos (photo, stars), each a list."""
        tags = [tag for tag in tags if tag in self.tags]
        rated = [photo for photo in photo_ids if photo in self.rated]
        stars, photos = [self.tags[t].stars for t in tags], [self.tags[t].photos for t in tags]
        return tags, stars, photos, rated, [self.rated[photo] for photo in rated]


async def affinity(connection: Connection, photo_ids: Sequence[int] | None = None) -> Affinity:
    """Sums the stars of all tags, or of those that these photos have: with 50,000 rated photos, some 350,000 rows."""
    if photo_ids is None:
        rows = await connection.fetch(_AFFINITY.format(tags="true", rows="true"))
    else:
        tags = "t.tag IN (SELECT tag FROM photo_tags WHERE photo_id = ANY ($1))"
        rows = await connection.fetch(
            _AFFINITY.format(tags=tags, rows="d.photo_id IS NULL OR d.photo_id = ANY ($1)"), list(photo_ids)
        )
    return Affinity(
        {row["tag"]: TagAffinity(float(row["stars"]), row["n"]) for row in rows if row["tag"] is not None},
        {row["photo_id"]: row["stars"] / row["n"] for row in rows if row["tag"] is None},
    )


class KeptAffinity:
    """The affinity of all tags for the writer, who asks for it with every batch.

    Summed anew once it was asked for the archive to be scored, and when it is `_KEPT` times as old as summing takes.
    What a batch leaves slightly out of date is put right by the next scoring.
    """

    def __init__(self) -> None:
        self._affinity: Affinity | None = None
        self._wanted: int | None = None
        self._until = 0.0

    async def get(self, connection: Connection) -> Affinity:
        wanted = await _wanted(connection)
        start = time.monotonic()
        if self._affinity is None or wanted != self._wanted or start >= self._until:
            self._affinity, self._wanted = await affinity(connection), wanted
            now = time.monotonic()
            self._until = now + _KEPT * (now - start)
        return self._affinity


async def score_photos(connection: Connection, photo_ids: Sequence[int], summed: Affinity | None = None) -> None:
    """Scores these photos, in the caller's transaction. `summed`: of all tags, where the caller has it."""
    model = await active_model(connection)
    if model is not None and not model["retired"]:
        await connection.execute(
            _PREFERENCE.format(vectors="e.photo_id = ANY ($4)", gallery="g.photo_id = ANY ($4)"),
            model["encoder_id"], model["bias"], _weights(model), list(photo_ids),
        )  # fmt: skip
    if summed is None:
        summed = await affinity(connection, photo_ids)
    tags = await connection.fetch("SELECT DISTINCT tag FROM photo_tags WHERE photo_id = ANY ($1)", list(photo_ids))
    await connection.execute(
        _VIBE.format(tags="t.photo_id = ANY ($6)", listed="x.photo_id = ANY ($6)", gallery="g.photo_id = ANY ($6)"),
        *summed.known((row["tag"] for row in tags), photo_ids), list(photo_ids),
    )  # fmt: skip


def _weights(model: Any) -> np.ndarray[Any, Any]:
    return np.frombuffer(model["weights"], "<f4").astype(np.float16)


async def match_cut(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT match_cut()"))


async def request_scoring(connection: Connection) -> None:
    """Asks for the whole archive to be scored; in the transaction that made it necessary."""
    await connection.execute(
        """INSERT INTO preferences AS p VALUES ('score_wanted', '1')
           ON CONFLICT (key) DO UPDATE SET value = to_jsonb((p.value #>> '{}')::bigint + 1)"""
    )
    await connection.execute(f"NOTIFY {CHANNEL}")


async def score_if_wanted(connection: Connection, beside: Beside | None = None) -> bool:
    """Scores the archive if somebody asked since the last run; returns whether it did. See `score_archive`."""
    wanted = await _wanted(connection)
    done = await connection.fetchval("SELECT (value #>> '{}')::bigint FROM preferences WHERE key = 'score_done'")
    if wanted is None or wanted == done:
        return False
    await score_archive(connection, beside)
    await connection.execute(
        "INSERT INTO preferences VALUES ('score_done', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        wanted,
    )
    return True


async def _wanted(connection: Connection) -> int | None:
    """How often scoring was asked for."""
    count: int | None = await connection.fetchval(
        "SELECT (value #>> '{}')::bigint FROM preferences WHERE key = 'score_wanted'"
    )
    return count


async def score_archive(connection: Connection, beside: Beside | None = None) -> None:
    """Scores every photo with the newest model, in chunks, on a connection of its own. Safe to break off and repeat.

    `beside` opens a second one, for an archive of more than one chunk: Postgres works on a connection with one core.
    Where Postgres gives none, one does all of it.
    """
    model = await active_model(connection)
    size = await connection.fetchrow("SELECT count(*) AS photos, coalesce(max(photo_id), 0) AS last FROM gallery")
    summed = await affinity(connection)
    chunks = iter(range(0, size["last"] + 1, CHUNK))

    async def score_chunks(on: Connection) -> int:
        changed = 0
        for start in chunks:
            changed += await _score_chunk(on, model, summed, start, start + CHUNK - 1)
        return changed

    async with AsyncExitStack() as stack:
        connections = [connection]
        if beside is not None and size["last"] >= CHUNK:
            try:
                connections.append(await stack.enter_async_context(beside()))
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("scored_on_one_connection", error=f"{type(error).__name__}: {error}")
        async with asyncio.TaskGroup() as group:
            scored = [group.create_task(score_chunks(on)) for on in connections]
    await _follow_auto_threshold(connection)
    await _curate_matches_first(connection)
    async with connection.transaction():
        version = model["version"] if model is not None else None
        await connection.execute("UPDATE taste_models SET scored_at = now() WHERE version = $1", version)
        await events.publish(connection, [Event(kind="scores", data={"version": version, "ids": None})])
    if sum(task.result() for task in scored) >= _MANY_CHANGED * size["photos"]:
        # A row that is written anew leaves its old entry in each index: not cleared, they make the third scoring take
        # half as long again.
        await connection.execute("VACUUM gallery")


async def _curate_matches_first(connection: Connection) -> None:
    await connection.execute(
        """UPDATE jobs SET priority = $1 WHERE stage = 'curate' AND status = 'due' AND priority < $1
           AND subject_id IN (SELECT photo_id FROM gallery WHERE is_match)""",
        jobs.PRIORITY_MATCH,
    )


async def _score_chunk(connection: Connection, model: Any, summed: Affinity, first: int, last: int) -> int:
    """Returns how many scores changed."""
    if model is None or model["retired"]:
        status = await connection.execute(_NO_PREFERENCE.format(which="g.photo_id BETWEEN $1 AND $2"), first, last)
    else:
        status = await connection.execute(
            PREFERENCE_OF_RANGE,
            model["encoder_id"], model["bias"], _weights(model), first, last,
        )  # fmt: skip
    await connection.execute(VIBE_OF_RANGE, *summed.known(summed.tags, range(first, last + 1)), first, last)
    return int(status.split()[-1])


async def set_threshold(connection: Connection, value: str) -> int:
    """Sets the match threshold, "0".."100" or "auto"; MATCH follows at once. Returns the cut in force."""
    text = str(value).strip().lower()
    if text != "auto" and not (text.isdigit() and 0 <= int(text) <= 100):
        raise RequestError(
            422, f"The match threshold is a whole number from 0 to 100, or `auto`; {value!r} is neither."
        )
    cut = await _auto_cut(connection) if text == "auto" else int(text)
    async with connection.transaction():
        await _hold_badges(connection)
        await connection.execute(
            """INSERT INTO preferences VALUES ('match_threshold', $1)
               ON CONFLICT (key) DO UPDATE SET value = excluded.value""",
            text,
        )
        if cut is not None:
            await _apply_cut(connection, cut)
        return await match_cut(connection)


async def ensure_threshold(connection: Connection, value: str) -> None:
    """The configured threshold, unless one was chosen before."""
    if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM preferences WHERE key = 'match_threshold')"):
        await set_threshold(connection, value)


async def preview_threshold(connection: Connection) -> list[int]:
    """How many listed photos match at each cut 0..100."""
    rows = await connection.fetch(
        """SELECT coalesce(preference, -1) AS score, picked, rating, count(*) AS n FROM gallery
           WHERE tabs & 1 <> 0 GROUP BY 1, 2, 3"""
    )
    matches = [0] * 101
    for row in rows:
        for cut in range(101):
            liked = row["rating"] is None or row["rating"] >= 4
            if row["picked"] or (liked and row["score"] >= cut):
                matches[cut] += row["n"]
    return matches


async def _follow_auto_threshold(connection: Connection) -> None:
    if await _threshold(connection) != "auto":
        return
    cut = await _auto_cut(connection)
    if cut is None or cut == await match_cut(connection):
        return
    async with connection.transaction():
        await _hold_badges(connection)
        if await _threshold(connection) == "auto":
            await _apply_cut(connection, cut)


async def _threshold(connection: Connection) -> str | None:
    """`auto`, a number as text, or None before the first start."""
    setting: str | None = await connection.fetchval(
        "SELECT value #>> '{}' FROM preferences WHERE key = 'match_threshold'"
    )
    return setting


async def _auto_cut(connection: Connection) -> int | None:
    """The cut that shows the share of the archive which the person gives 4 and 5 stars, among photos that were offered
    at random, or among all rated ones while those are few. None without scores."""
    rated = await connection.fetchrow(_LIKED, FEWEST_AT_RANDOM)
    counts = np.zeros(101, np.int64)
    for row in await connection.fetch(
        """SELECT preference, count(*) AS n FROM gallery WHERE preference IS NOT NULL AND tabs & 1 <> 0
           GROUP BY preference"""
    ):
        counts[row["preference"]] = row["n"]
    return match_threshold_auto(counts, rated["liked"] / rated["n"] if rated["n"] else 0.0)


async def _hold_badges(connection: Connection) -> None:
    """Until the commit nobody else writes to the gallery; reading goes on. First of all in a transaction.

    Whoever writes a badge reads the cut in the same statement. Of those that began under the old cut, none may commit
    after the badges were set by the new one: locks on rows would not see to that, since a row that is right as it
    stands is not locked.
    """
    await connection.execute("LOCK TABLE gallery IN EXCLUSIVE MODE")


async def _apply_cut(connection: Connection, cut: int) -> None:
    """In a transaction that holds the badges."""
    await connection.execute("UPDATE preferences SET value = to_jsonb($1::int) WHERE key = 'match_cut'", cut)
    await connection.execute(
        """UPDATE gallery SET is_match = is_match(picked, preference, rating, $1)
           WHERE is_match <> is_match(picked, preference, rating, $1)""",
        cut,
    )
    await events.publish(connection, [Event(kind="scores", data={"version": None, "ids": None})])
