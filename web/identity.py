"""Identity: which newly read file is a photo that we know already.

A photo is `(root, relative path)`; its pixels say when that changed. A new file whose pixels equal a known photo's is

- that photo, moved or renamed, when the known file is gone from its place (its root being readable);
- that photo at a second location, when the known file lies under another root. If that root cannot be read now, the
  photo's own place becomes the new one, so that everything keeps working;
- another photo, a duplicate, when both files exist under one root.

In the first two the known photo keeps its id, every decision and its vector, and the new row goes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from web import registration
from web.database import Connection
from web.roots import offline_reason

_CANDIDATES = """
SELECT n.id AS new_id, p.id, p.root_id, p.rel_path, r.path AS root_path
FROM unnest($1::bigint[], $2::bytea[]) AS n (id, pixel_hash)
JOIN photos p ON p.pixel_hash = n.pixel_hash AND p.id < n.id
JOIN library_roots r ON r.id = p.root_id
ORDER BY n.id, p.id
"""


async def merge_known_pictures(connection: Connection, fresh: Sequence[Any]) -> dict[int, int]:
    """`fresh`: rows (id, root_id, rel_path, pixel_hash) that were read for the first time.

    Returns `{new photo: the known photo that it is}`; the new photos' rows are gone.
    """
    if not fresh:
        return {}
    rows = await connection.fetch(_CANDIDATES, [r["id"] for r in fresh], [r["pixel_hash"] for r in fresh])
    by_new: dict[int, list[Any]] = {}
    for row in rows:
        by_new.setdefault(row["new_id"], []).append(row)
    merged: dict[int, int] = {}
    for new in sorted(fresh, key=lambda r: r["id"]):
        candidates = [c for c in by_new.get(new["id"], []) if c["id"] not in merged]
        known = await _same_photo(new, candidates)
        if known is not None:
            await _merge(connection, new, *known)
            merged[new["id"]] = known[0]["id"]
    return merged


async def _same_photo(new: Any, candidates: Sequence[Any]) -> tuple[Any, bool] | None:
    """The known photo, and whether its own place becomes the new one. None: a photo of its own."""
    elsewhere: tuple[Any, bool] | None = None
    for candidate in sorted(candidates, key=lambda c: c["root_id"] != new["root_id"]):
        state = await asyncio.to_thread(_state, candidate["root_path"], candidate["rel_path"])
        if candidate["root_id"] == new["root_id"]:
            if state == "gone":
                return candidate, True
        elif elsewhere is None or state == "gone":
            elsewhere = (candidate, state != "there")
    return elsewhere


def _state(root_path: str, rel_path: str) -> str:
    """there, gone, or offline (the root cannot be read, which says nothing about the file)."""
    if offline_reason(root_path) is not None:
        return "offline"
    return "there" if os.path.lexists(Path(root_path) / rel_path) else "gone"


async def _merge(connection: Connection, new: Any, known: Any, takes_place: bool) -> None:
    facts = await connection.fetchrow("SELECT * FROM photos WHERE id = $1", new["id"])
    old = await connection.fetchrow("SELECT * FROM photos WHERE id = $1", known["id"])
    await _hand_on_project(connection, new["id"], known["id"])
    await registration.forget(connection, [new["id"]])
    if takes_place:
        await connection.execute(
            """UPDATE photos SET root_id = $2, rel_path = $3, file_size = $4, mtime_ns = $5, companion_rel_path = $6,
                   companion_size = $7, companion_mtime_ns = $8, sidecar_rel_paths = $9, file_hash = $10,
                   missing_since = NULL WHERE id = $1""",
            known["id"], facts["root_id"], facts["rel_path"], facts["file_size"], facts["mtime_ns"],
            facts["companion_rel_path"], facts["companion_size"], facts["companion_mtime_ns"],
            facts["sidecar_rel_paths"], facts["file_hash"],
        )  # fmt: skip
    if not takes_place or old["root_id"] != facts["root_id"]:
        place = old if takes_place else facts
        await _add_location(connection, known["id"], place)
    await connection.execute("UPDATE imports SET photos_merged = photos_merged + 1 WHERE id = $1", facts["import_id"])


async def _add_location(connection: Connection, photo_id: int, place: Any) -> None:
    await connection.execute(
        """INSERT INTO photo_locations (root_id, rel_path, photo_id, file_size, mtime_ns, file_hash, companion_rel_path)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (root_id, rel_path) DO UPDATE SET photo_id = excluded.photo_id""",
        place["root_id"], place["rel_path"], photo_id, place["file_size"], place["mtime_ns"], place["file_hash"],
        place["companion_rel_path"],
    )  # fmt: skip


async def _hand_on_project(connection: Connection, new_id: int, known_id: int) -> None:
    """What the person may have said of the new row meanwhile moves to the known photo, where it says nothing yet."""
    await connection.execute(
        """
        INSERT INTO decisions AS d (photo_id, rating, rating_source, manual_match, manual_match_source, rejected,
            rejected_source, project_id, project_source, tags_added, tags_removed, seen_at)
        SELECT $2, rating, rating_source, manual_match, manual_match_source, rejected, rejected_source, project_id,
               project_source, tags_added, tags_removed, seen_at FROM decisions WHERE photo_id = $1
        ON CONFLICT (photo_id) DO UPDATE SET
            rating = CASE WHEN d.rating_source IS NULL THEN excluded.rating ELSE d.rating END,
            rating_source = coalesce(d.rating_source, excluded.rating_source),
            manual_match = d.manual_match OR (d.manual_match_source IS NULL AND excluded.manual_match),
            manual_match_source = coalesce(d.manual_match_source, excluded.manual_match_source),
            project_id = CASE WHEN d.project_source IS NULL THEN excluded.project_id ELSE d.project_id END,
            project_source = coalesce(d.project_source, excluded.project_source),
            tags_added = CASE WHEN d.tags_added = '{}' THEN excluded.tags_added ELSE d.tags_added END
        """,
        new_id, known_id,
    )  # fmt: skip
