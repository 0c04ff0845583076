"""One photograph as the pages and the API see it, assembled only for the ids of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from web.database import Connection
from web.errors import RequestError
from web.gallery_query import TAB_BITS

_ITEMS = """
SELECT p.id, r.path AS root, p.rel_path, p.derivative_generation, p.width, p.height, p.thumb_width, p.thumb_height,
       p.captured_at, p.camera, p.lens, p.iso, p.aperture, p.shutter_s, p.focal_length_mm, p.technical_score,
       p.sharpness_score, p.exposure_score, p.focus_score, p.dominant_color, p.is_monochrome, p.failure_reason,
       p.warnings, m.subject, m.content_type, m.artistic_mood, m.lighting_critique,
       ARRAY(SELECT tag FROM photo_tags t WHERE t.photo_id = p.id ORDER BY tag) AS tags,
       d.rating, d.rating_source, coalesce(d.manual_match, false) AS manual_match, g.is_match, g.preference, g.vibe,
       g.burst_group, g.stack_front, g.stack_size, pr.name AS project,
       g.status, g.rejected, g.seen, g.discarded, g.tabs,
       CASE WHEN d.burst_front IS NULL THEN coalesce(b.keeper, false) ELSE d.burst_front = p.id END AS burst_keeper,
       bg.intent AS burst_intent
FROM gallery g
JOIN photos p ON p.id = g.photo_id
JOIN library_roots r ON r.id = p.root_id
LEFT JOIN photo_metadata m ON m.photo_id = p.id
LEFT JOIN decisions d ON d.photo_id = p.id
LEFT JOIN projects pr ON pr.id = d.project_id
LEFT JOIN burst_members b ON b.photo_id = p.id
LEFT JOIN burst_groups bg ON bg.id = b.group_id
WHERE g.photo_id = ANY ($1::bigint[])
"""

_STAGES = ["convert", "curate", "embed", "render"]
_JOBS = """
SELECT subject_id, stage, status, attempts, error ->> 'sentence' AS sentence FROM jobs
WHERE stage = ANY ($2) AND subject_id = ANY ($1::bigint[])
"""


async def items_by_id(connection: Connection, photo_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The same by id; photos that are gone are not in it."""
    return {item["id"]: item for item in await items(connection, photo_ids)}


async def items(connection: Connection, photo_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The items of `photo_ids` in that order; ids that are not known are left out."""
    ids = list(photo_ids)
    if not ids:
        return []
    rows = {row["id"]: row for row in await connection.fetch(_ITEMS, ids)}
    jobs: dict[int, list[Any]] = {photo_id: [] for photo_id in rows}
    for job in await connection.fetch(_JOBS, ids, _STAGES):
        if job["subject_id"] in jobs:
            jobs[job["subject_id"]].append(job)
    return [_item(rows[i], jobs[i]) for i in ids if i in rows]


async def item(connection: Connection, photo_id: int) -> dict[str, Any]:
    """One item. Raises RequestError 404."""
    found = await items(connection, [photo_id])
    if not found or found[0]["discarded"]:
        raise RequestError(404, f"There is no photograph {photo_id}. It may have been discarded or merged with a copy.")
    return found[0]


async def captions(connection: Connection, photo_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """`filename` and `thumb_url` by photo: enough to tell which one is meant, discarded ones too."""
    rows = await connection.fetch(
        "SELECT id, rel_path, derivative_generation AS generation FROM photos WHERE id = ANY ($1::bigint[])",
        sorted(set(photo_ids)),
    )
    return {
        row["id"]: {
            "filename": row["rel_path"].rpartition("/")[2],
            "thumb_url": media_url("thumb", row["id"], row["generation"]),
        }
        for row in rows
    }


def media_url(kind: str, photo_id: int, generation: int | None) -> str | None:
    """The address of a derivative, never to change its content; None while there is none."""
    return None if generation is None else f"/media/{kind}/{photo_id}?v={generation}"


def _item(row: Any, jobs: list[Any]) -> dict[str, Any]:
    photo_id, generation = row["id"], row["derivative_generation"]
    failed = [job for job in jobs if job["status"] == "failed" and job["stage"] != "render"]
    return {
        "id": photo_id,
        "file_path": f"{row['root'].rstrip('/')}/{row['rel_path']}",
        "filename": row["rel_path"].rpartition("/")[2],
        "preview_url": media_url("preview", photo_id, generation),
        "thumb_url": media_url("thumb", photo_id, generation),
        "width": row["width"],
        "height": row["height"],
        "captured_at": row["captured_at"].isoformat() if row["captured_at"] else None,
        "camera": row["camera"],
        "lens": row["lens"],
        "technical_score": row["technical_score"],
        "sharpness_score": row["sharpness_score"],
        "exposure_score": row["exposure_score"],
        "focus_score": row["focus_score"],
        "subject": row["subject"],
        "content_type": row["content_type"],
        "artistic_mood": row["artistic_mood"],
        "lighting_critique": row["lighting_critique"],
        "tags": row["tags"],
        "user_rating": row["rating"],
        "manual_match": row["manual_match"],
        "is_match": row["is_match"],
        "preference_score": row["preference"],
        "vibe_score": row["vibe"],
        "burst_group": row["burst_group"],
        "project": row["project"],
        "status": row["status"],
        "failure_reason": row["failure_reason"] or next((job["sentence"] for job in failed), None),
        "stages": {job["stage"]: job["status"] for job in jobs},
        # Beyond the fixed fields: what a card needs to be shown and kept in its place.
        "rejected": row["rejected"],
        "seen": row["seen"],
        "discarded": row["discarded"],
        "burst_keeper": row["burst_keeper"],
        "stack_front": row["stack_front"],
        "versions": row["stack_size"],
        "burst_intent": row["burst_intent"],
        "tabs": [tab for tab, bit in TAB_BITS.items() if row["tabs"] & bit],
        "thumb_width": row["thumb_width"],
        "thumb_height": row["thumb_height"],
        "dominant_color": None if row["dominant_color"] is None else f"#{row['dominant_color']:06x}",
        "is_monochrome": row["is_monochrome"],
        "iso": row["iso"],
        "aperture": row["aperture"],
        "shutter_s": row["shutter_s"],
        "focal_length_mm": row["focal_length_mm"],
        "rating_source": row["rating_source"],
        "warnings": row["warnings"],
    }
