"""The matrices of the `taste` and `bursts` claims: read from Postgres, laid on the shared disk."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from contracts.claims import BurstsParams, TasteParams
from contracts.exif import inflate_exif
from contracts.settings import Settings
from domain import shoots
from domain.burst_intent import PATIENCE
from domain.bursts import INTENT_TABLE
from domain.shooting import Shooting, exposure_ev, shooting_of
from domain.taste import ARCHIVE_SAMPLE, FEWEST_RATINGS
from web import burst_preview, rated_photographs, scoring, transit
from web.database import Connection
from web.derivatives import thumbnail_pattern
from web.encoders import active_encoder

JUDGED_ALWAYS_BELOW = 100
JUDGED_AFTER = 0.03
"""Share of the ratings that are new, after which a taste is judged again."""
_FETCH = 5_000

# The camera's own clock only: a scan's or an edit's time would link frames that were not taken together. Of versions
# only the one in front: a frame and its edit are no burst.
_SHOT_ROWS = """
FROM photos p JOIN embeddings e ON e.photo_id = p.id AND e.encoder_id = $1
JOIN gallery g ON g.photo_id = p.id
WHERE p.captured_source = 'DateTimeOriginal' AND p.status = 'ready' AND NOT g.discarded
  AND (g.stack_front IS NULL OR g.stack_front = p.id)
"""
# Rows and their number from one statement, hence from one snapshot. Tags are read only where another frame of the body
# is near in time: most of an archive is alone.
_SHOT = f"""
SELECT s.*, x.exif, (SELECT count(*) {_SHOT_ROWS}) AS n FROM (
    SELECT p.id, p.captured_at, p.camera, p.camera_serial, p.focus_score, p.focus_noise, p.shutter_s, p.aperture,
           p.iso, p.focal_length_mm, p.phash, p.derivative_generation, e.vec,
           p.captured_at - lag(p.captured_at + make_interval(secs => coalesce(p.shutter_s, 0))) OVER by_body
               <= make_interval(secs => $2) IS TRUE
           OR lead(p.captured_at) OVER by_body - p.captured_at - make_interval(secs => coalesce(p.shutter_s, 0))
               <= make_interval(secs => $2) IS TRUE AS near
    {_SHOT_ROWS} WINDOW by_body AS (PARTITION BY p.camera, p.camera_serial ORDER BY p.captured_at, p.id)
) s LEFT JOIN photo_exif x ON s.near AND x.photo_id = s.id
ORDER BY s.camera, s.camera_serial, s.captured_at, s.id
"""


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _number(*parts: object) -> int:
    """A stable 63-bit number for a group of equal parts."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


async def taste_matrices(connection: Connection, settings: Settings, job: Any) -> TasteParams | None:
    """Everything rated so far. None below `FEWEST_RATINGS`: the model is retired, scores are taken back, and the relay
    closes the job."""
    encoder = await active_encoder(connection)
    rows = await rated_photographs.rated(connection, encoder.id) if encoder is not None else []
    if encoder is None or len(rows) < FEWEST_RATINGS:
        await connection.execute("UPDATE taste_models SET retired = true WHERE NOT retired")
        await scoring.request_scoring(connection)
        return None
    archive = await rated_photographs.archive_sample(connection, encoder.id, ARCHIVE_SAMPLE)
    arrays = {
        "features": np.stack([row["vec"] for row in rows]).astype("<f2"),
        "labels": np.array([[row["rating"]] for row in rows], "<f4"),
        "groups": _shoots(rows).astype("<i8"),
        "photos": np.array([row["photo_id"] for row in rows], "<i8"),
        "archive": np.stack(archive or [row["vec"] for row in rows]).astype("<f2"),
    }
    paths = {name: transit.matrix_path(settings, "taste", job["generation"], name) for name in arrays}
    for name, array in arrays.items():
        await asyncio.to_thread(transit.save, paths[name], array)
    return TasteParams(
        encoder=encoder.name,
        features_path=str(paths["features"]),
        labels_path=str(paths["labels"]),
        groups_path=str(paths["groups"]),
        photo_ids_path=str(paths["photos"]),
        archive_path=str(paths["archive"]),
        judged=await _to_be_judged(connection, encoder.id, len(rows)),
    )


def _shoots(rows: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(n,): folder and day, joined by bursts, which go on past midnight."""
    named = np.array([_number(row["root_id"], row["folder"], row["day"]) for row in rows], np.int64)
    bursts = np.array([-1 if row["burst_group"] is None else row["burst_group"] for row in rows], np.int64)
    return shoots.joined(named, bursts)


async def _to_be_judged(connection: Connection, encoder_id: int, ratings: int) -> bool:
    """Judging takes longer than learning: among many ratings it waits until some share of them is new."""
    last = await connection.fetchrow(
        "SELECT judged_ratings, judged_at FROM taste_models WHERE encoder_id = $1 ORDER BY version DESC LIMIT 1",
        encoder_id,
    )
    if last is None or last["judged_at"] is None or ratings < JUDGED_ALWAYS_BELOW:
        return True
    changed = await connection.fetchval(
        "SELECT count(*) FROM decision_events WHERE field = 'rating' AND old <> new AND at > $1", last["judged_at"]
    )
    return bool(max(changed, abs(ratings - last["judged_ratings"])) >= JUDGED_AFTER * ratings)


async def burst_matrices(connection: Connection, settings: Settings, job: Any) -> BurstsParams | None:
    """Every photo with the camera's own time and a vector, in capture order. None where there are fewer than two.

    Call inside a transaction: the rows come through a cursor.
    """
    encoder = await active_encoder(connection)
    if encoder is None or encoder.dim is None:
        return None
    params = job["params"] or {}
    gap_s = params.get("gap_s") or settings.burst_gap_s
    cursor = await connection.cursor(_SHOT, encoder.id, PATIENCE * gap_s)
    first = await cursor.fetch(_FETCH)
    if len(first) < 2:
        return None
    label = burst_preview.transit_label(job["subject_id"])
    paths = {name: transit.matrix_path(settings, label, job["generation"], name) for name in _BURST_FILES}
    await _write_shots(cursor, first, encoder.dim, paths)
    return BurstsParams(
        encoder=encoder.name,
        features_path=str(paths["features"]),
        table_path=str(paths["table"]),
        groups_path=str(paths["groups"]),
        threshold=params.get("threshold") or settings.burst_threshold,
        gap_s=gap_s,
        thumbs=thumbnail_pattern(settings.derivatives_dir),
    )


_BURST_FILES = ("features", "table", "groups")


async def _write_shots(cursor: Any, rows: Sequence[Any], dim: int, paths: dict[str, Any]) -> None:
    """Streams from a cursor, from its first `rows` on, to a memory map: a million vectors never stand in memory."""
    n = rows[0]["n"]
    paths["features"].parent.mkdir(parents=True, exist_ok=True)
    features = np.lib.format.open_memmap(paths["features"], mode="w+", dtype="<f2", shape=(n, dim))
    table = np.zeros(n, INTENT_TABLE)
    at = 0
    while rows:
        features[at : at + len(rows)] = np.stack([row["vec"] for row in rows])
        table[at : at + len(rows)] = await asyncio.to_thread(lambda these: [_shot(row) for row in these], rows)
        at += len(rows)
        rows = await cursor.fetch(_FETCH)
    features.flush()
    await asyncio.to_thread(transit.save, paths["table"], table)


def _shot(row: Any) -> tuple[Any, ...]:
    """A row of `INTENT_TABLE`."""
    shooting = _shooting(row["exif"])
    return (
        row["id"], np.datetime64(row["captured_at"], "us").astype("i8"), _number(row["camera"], row["camera_serial"]),
        _or_nan(row["focus_score"]), _or_nan(row["focus_noise"]),
        exposure_ev(row["shutter_s"], row["aperture"], row["iso"]), _or_nan(row["shutter_s"]),
        _or_nan(shooting.bias_ev), _or_nan(row["focal_length_mm"]), _or_nan(shooting.distance_m),
        row["phash"] or 0, row["derivative_generation"] or 0, shooting.said,
    )  # fmt: skip


def _shooting(exif: bytes | None) -> Shooting:
    """Tags that cannot be read say nothing."""
    try:
        return shooting_of(inflate_exif(exif)) if exif else Shooting()
    except ValueError:
        return Shooting()
