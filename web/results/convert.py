"""What one read of an original yielded: facts, identity, ratings of other programs, and the jobs that follow."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from contracts.base import Stage
from contracts.results import ConvertPayload, FoundRating
from contracts.settings import Settings
from web import identity, jobs
from web.database import Connection
from web.derivatives import derivatives_of
from web.results import found_ratings
from web.results.applied import Applied, Matched

_FACTS = {
    "derivative_generation": "int", "focus_rows": "smallint", "focus_cols": "smallint",
    "file_hash": "bytea", "file_size": "bigint", "mtime_ns": "bigint", "pixel_hash": "bytea", "phash": "bigint",
    "width": "int", "height": "int", "preview_width": "int", "preview_height": "int",
    "thumb_width": "int", "thumb_height": "int", "dominant_color": "int", "is_monochrome": "boolean",
    "picture_source": "text", "technical_score": "smallint", "sharpness_score": "smallint",
    "exposure_score": "smallint", "focus_score": "real", "focus_noise": "real", "focus_source": "text",
    "focus_tiles": "bytea", "captured_at": "timestamp",
    "captured_offset_min": "smallint", "captured_source": "text", "camera": "text", "camera_serial": "text",
    "lens": "text", "iso": "int", "aperture": "real", "shutter_s": "double precision", "focal_length_mm": "real",
    "warnings": "text[]",
}  # fmt: skip
_OWN_FACTS = attrgetter(*list(_FACTS)[3:])
"""What the payload says by the same name: all but the first three."""
_HAND_DATED = ("captured_at", "captured_offset_min", "captured_source")
"""A roll dated by hand keeps its date when the file is read again."""

_SET = ", ".join(
    f"{name} = CASE WHEN p.captured_source = 'person' THEN p.{name} ELSE r.{name} END"
    if name in _HAND_DATED
    else f"{name} = r.{name}"
    for name in _FACTS
)
# By COPY, which needs a table: two thirds of the time of an array for each fact, half of that of JSON.
_ARRIVED = "arrived_facts"
_MAKE_ARRIVED = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS {_ARRIVED} (id bigint, {", ".join(f"{n} {kind}" for n, kind in _FACTS.items())})
ON COMMIT DELETE ROWS
"""
_UPDATE = f"""
WITH before AS (
    SELECT id, pixel_hash, derivative_generation, root_id, rel_path, import_id, discarded_at
    FROM photos WHERE id = ANY ($1) FOR UPDATE
)
UPDATE photos p SET status = 'ready', failure_reason = NULL, failure_detail = NULL, missing_since = NULL, {_SET}
FROM {_ARRIVED} r, before b
WHERE p.id = r.id AND b.id = p.id AND b.discarded_at IS NULL
RETURNING p.id, p.root_id, p.rel_path, p.import_id, p.pixel_hash, b.pixel_hash AS old_pixel_hash,
    b.derivative_generation AS old_generation
"""


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    payloads: dict[int, ConvertPayload] = {item.result.subject_id: item.result.typed for item in items}
    generations = {item.result.subject_id: item.result.generation for item in items}
    urgent = {item.result.subject_id for item in items if item.urgent}
    await connection.execute(_MAKE_ARRIVED)
    records = [_record(photo_id, payload, generations[photo_id]) for photo_id, payload in payloads.items()]
    await connection.copy_records_to_table(_ARRIVED, records=records, columns=("id", *_FACTS))
    rows = await connection.fetch(_UPDATE, list(payloads))
    ready = {row["id"]: row for row in rows}
    for photo_id in payloads.keys() - ready.keys():  # deleted or discarded meanwhile: nobody will ask for its files
        applied.unlink_after += _files(settings, photo_id, generations[photo_id])
    await _write_exif(connection, {i: payloads[i].exif for i in ready})
    for row in rows:
        if row["old_generation"] not in (None, generations[row["id"]]):
            applied.unlink_after += _files(settings, row["id"], row["old_generation"])
    merged = await identity.merge_known_pictures(connection, [row for row in rows if row["old_pixel_hash"] is None])
    for photo_id in merged:
        applied.unlink_after += _files(settings, photo_id, generations[photo_id])
    applied.removed |= set(merged)
    kept = {photo_id: row for photo_id, row in ready.items() if photo_id not in merged}
    applied.touch("convert", set(kept) | set(merged.values()))
    await found_ratings.take_over(connection, _found(payloads, kept, merged, ready))
    await _make_followers_due(connection, kept, urgent)
    for photo_id in merged:
        applied.changed.discard(photo_id)


def _record(photo_id: int, payload: ConvertPayload, generation: int) -> tuple[Any, ...]:
    return (photo_id, generation, *(payload.focus_grid or (None, None)), *_OWN_FACTS(payload))


def _files(settings: Settings, photo_id: int, generation: int) -> list[Any]:
    return derivatives_of(settings.derivatives_dir, photo_id, generation)


async def _write_exif(connection: Connection, exif: dict[int, bytes]) -> None:
    await connection.execute(
        """INSERT INTO photo_exif (photo_id, exif) SELECT * FROM unnest($1::bigint[], $2::bytea[])
           ON CONFLICT (photo_id) DO UPDATE SET exif = excluded.exif""",
        list(exif), list(exif.values()),
    )  # fmt: skip


def _found(
    payloads: dict[int, ConvertPayload], kept: dict[int, Any], merged: dict[int, int], ready: dict[int, Any]
) -> list[tuple[int, int | None, FoundRating]]:
    """`(photo, import, rating)` of every rating that another program left."""
    found = []
    for photo_id, payload in payloads.items():
        target = photo_id if photo_id in kept else merged.get(photo_id)
        if payload.found_rating is not None and target is not None:
            found.append((target, ready[photo_id]["import_id"], payload.found_rating))
    return found


async def _make_followers_due(connection: Connection, kept: dict[int, Any], urgent: set[int]) -> None:
    """Embed and curate what is new; a file whose pixels did not change keeps its vector and its facts."""
    new_pixels = [i for i, row in kept.items() if row["pixel_hash"] != row["old_pixel_hash"]]
    same_pixels = [i for i, row in kept.items() if row["pixel_hash"] == row["old_pixel_hash"]]
    lacking = await connection.fetch(
        """SELECT s.stage, p AS id FROM unnest($1::bigint[]) p, (VALUES ('embed'), ('curate')) s (stage)
           WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.stage = s.stage AND j.subject_id = p)""",
        same_pixels,
    )
    followers: tuple[Stage, ...] = ("embed", "curate")
    for stage in followers:
        due = new_pixels + [row["id"] for row in lacking if row["stage"] == stage]
        waited_for = [i for i in due if i in urgent]
        await jobs.make_due(connection, stage, [i for i in due if i not in urgent])
        await jobs.make_due(connection, stage, waited_for, priority=jobs.PRIORITY_ASKED, urgent=True)
