"""Stars between the archive and the files that other programs read: three ways, conflicts listed, nothing lost.

The base is what both sides said when they last agreed. A side that did not change since yields to the one that did;
where both changed, nothing is written until the person says which one counts.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from domain.files import printable
from web.database import Connection
from web.errors import RequestError
from web.foreign_ratings import said_by
from web.roots import offline_reason
from web.xmp_places import Place

Prefer = Literal["here", "file"]
PROGRAMS = frozenset(("lightroom", "darktable"))
_PAGE = 500
LISTED = 200
"""Conflicts and failures named one by one; the others are counted."""


@dataclass(frozen=True)
class Wish:
    """Which photos, where to, and whose word counts where both sides changed (None: nobody's, they are listed)."""

    programs: frozenset[str] = PROGRAMS
    beside: bool = False
    aside: Path | None = None
    """A folder outside of the library for sidecars."""
    embed: bool = False
    prefer: Prefer | None = None
    ids: Sequence[int] | None = None
    project: str | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Conflict:
    photo_id: int
    file: str
    here: int | None
    there: int
    base: int | None


@dataclass
class Outcome:
    """Of `write`, files; of `read`, photos."""

    photos: int = 0
    written: int = 0
    same: int = 0
    changed_there: int = 0
    """Only the file changed: `read` takes it over."""
    taken: int = 0
    conflicts: int = 0
    without_consent: int = 0
    needs_embedding: int = 0
    """Lightroom reads no sidecar for these, and writing into the file was not asked for."""
    offline: int = 0
    failed: int = 0
    listed: list[Conflict] = field(default_factory=list)
    sentences: dict[str, str] = field(default_factory=dict)
    action_id: uuid.UUID | None = None

    def conflict(self, row: Any, place: Place, here: int | None, there: int, base: int | None) -> None:
        self.conflicts += 1
        if len(self.listed) < LISTED:
            self.listed.append(Conflict(row["id"], str(place.path), here, there, base))

    def fail(self, path: Path, sentence: str) -> None:
        self.failed += 1
        if len(self.sentences) < LISTED:
            self.sentences[printable(path)] = sentence


_ROWS = """
SELECT p.id, p.root_id, r.path AS root, p.rel_path, p.file_size, p.mtime_ns, d.rating, d.rating_source,
       coalesce(d.rejected, false) AS rejected, d.rejected_source,
       (SELECT jsonb_object_agg(s.place, s.said) FROM xmp_synced s WHERE s.photo_id = p.id) AS synced,
       (SELECT CASE WHEN e.field = 'rejected' AND e.new = 'true' THEN -1
                    WHEN e.field = 'rating' AND e.new <> 'null' THEN e.new::int END
        FROM decision_events e WHERE e.photo_id = p.id AND e.source = 'xmp' AND e.field IN ('rating', 'rejected')
        ORDER BY e.id DESC LIMIT 1) AS found
FROM photos p JOIN library_roots r ON r.id = p.root_id LEFT JOIN decisions d ON d.photo_id = p.id
LEFT JOIN projects pr ON pr.id = d.project_id
WHERE p.id > $1 AND p.discarded_at IS NULL AND p.missing_since IS NULL
  AND ($2::bigint[] IS NULL OR p.id = ANY ($2)) AND ($3::text IS NULL OR lower(pr.name) = lower($3))
  AND (NOT $4 OR d.rating IS NOT NULL OR d.rejected OR d.rating_source IS NOT NULL)
ORDER BY p.id LIMIT $5
"""


async def photos_of(connection: Connection, wish: Wish, *, decided: bool, outcome: Outcome) -> AsyncIterator[list[Any]]:
    """Pages of photos whose root can be read now."""
    after, offline = 0, dict[str, bool]()
    while True:
        ids = None if wish.ids is None else list(wish.ids)
        rows = await connection.fetch(_ROWS, after, ids, wish.project, decided, _PAGE)
        if not rows:
            return
        after = rows[-1]["id"]
        for root in {row["root"] for row in rows} - offline.keys():
            offline[root] = await asyncio.to_thread(offline_reason, root) is not None
        readable = [row for row in rows if not offline[row["root"]]]
        outcome.photos += len(rows)
        outcome.offline += len(rows) - len(readable)
        yield readable


async def count(connection: Connection, wish: Wish, *, decided: bool) -> int:
    """How many photos `write` (with `decided`) or `read` would look at. Raises RequestError for an unknown project."""
    if wish.project is not None and not await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM projects WHERE lower(name) = lower($1))", wish.project
    ):
        raise RequestError(404, f"There is no project called {wish.project!r}.")
    counted = f"SELECT count(*) FROM ({_ROWS.replace('LIMIT $5', 'LIMIT $5::bigint')}) c"
    ids = None if wish.ids is None else list(wish.ids)
    return int(await connection.fetchval(counted, 0, ids, wish.project, decided, None))


def said_here(row: Any, there: int | None) -> int | None:
    """What the person says; that nothing is rejected was said by taking a reject back."""
    said = said_by(row)
    return 0 if said is None and there == -1 and row["rejected_source"] == "person" else said


def base_of(row: Any, place: Place) -> int | None:
    synced = row["synced"] or {}
    said = synced.get(place.key, row["found"])
    return None if said is None else int(said)


async def remember(connection: Connection, agreed: Sequence[tuple[int, str, int]]) -> None:
    await connection.execute(
        """INSERT INTO xmp_synced (photo_id, place, said)
           SELECT * FROM unnest($1::bigint[], $2::text[], $3::smallint[])
           ON CONFLICT (photo_id, place) DO UPDATE SET said = excluded.said, at = now()
           WHERE xmp_synced.said <> excluded.said""",
        [a[0] for a in agreed], [a[1] for a in agreed], [a[2] for a in agreed],
    )  # fmt: skip
