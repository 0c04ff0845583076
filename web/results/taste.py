"""A trained taste model is stored; the archive is scored with it after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import Event
from contracts.results import TasteJudgement, TastePayload
from contracts.settings import Settings
from web import scoring, transit
from web.database import Connection
from web.results.applied import Applied, Matched

_STORE = """
INSERT INTO taste_models (encoder_id, dim, weights, bias, n_ratings, tentative, spread_factor, mean, centre, lens,
    photo_ids, stars, archive_photos)
SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM encoders WHERE name = $1 RETURNING version
"""
# One set of arrays explains the scores in force; those before explain nothing any more.
_LEAN = """
UPDATE taste_models SET centre = NULL, lens = NULL, photo_ids = NULL, stars = NULL
WHERE version < $1 AND lens IS NOT NULL
"""
_JUDGED = """
UPDATE taste_models SET cv_rank_correlation = $2, cv_ungrouped = $3, chance = $4, curve = $5,
    judged_ratings = n_ratings, judged_at = now()
WHERE version = $1
"""
_AS_BEFORE = """
UPDATE taste_models m SET cv_rank_correlation = b.cv_rank_correlation, cv_ungrouped = b.cv_ungrouped, chance = b.chance,
    curve = b.curve, judged_ratings = b.judged_ratings, judged_at = b.judged_at, tentative = b.tentative
FROM (SELECT b.* FROM taste_models b JOIN taste_models n ON n.encoder_id = b.encoder_id AND n.version = $1
      WHERE b.version < $1 AND b.judged_at IS NOT NULL ORDER BY b.version DESC LIMIT 1) b
WHERE m.version = $1
"""


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    for item in items:
        payload: TastePayload = item.result.typed
        photos, stars, archive_photos = await _trained_on(settings, item.result.generation)
        version = await connection.fetchval(
            _STORE,
            payload.encoder, payload.dim, payload.weights, payload.bias, payload.n_ratings, payload.tentative,
            payload.spread_factor, payload.mean, payload.centre, payload.lens,
            photos.astype("<i8").tobytes(), stars.astype("<f4").tobytes(), archive_photos,
        )  # fmt: skip
        await connection.execute(_LEAN, version)
        if payload.judgement is None:
            await connection.execute(_AS_BEFORE, version)
        else:
            await _judge(connection, version, payload.judgement, photos, stars)
        applied.events.append(Event(kind="taste", data={"version": version}))
        await scoring.request_scoring(connection)
        applied.unlink_after += transit.files_of(settings, "taste", item.result.generation)


async def _trained_on(settings: Settings, generation: int) -> tuple[NDArray[Any], NDArray[Any], int]:
    """Photo ids and stars (n,) of the claim's matrices, and how many photographs stood for the archive."""

    def read(name: str) -> NDArray[Any]:
        return transit.load(transit.matrix_path(settings, "taste", generation, name))

    photos, labels, archive = await asyncio.to_thread(lambda: (read("photos"), read("labels"), read("archive")))
    return photos, labels[:, 0], len(archive)


async def _judge(
    connection: Connection, version: int, judged: TasteJudgement, photos: NDArray[Any], stars: NDArray[Any]
) -> None:
    await connection.execute(
        _JUDGED, version, judged.on_new_shoots, judged.on_rated_shoots, judged.chance, [list(p) for p in judged.curve]
    )
    predicted = np.frombuffer(judged.left_out, "<f4")
    usable = np.isfinite(predicted)
    await connection.execute("DELETE FROM taste_left_out")
    await connection.execute(
        """INSERT INTO taste_left_out SELECT l.* FROM unnest($1::bigint[], $2::smallint[], $3::real[]) l (i, s, p)
           JOIN photos ON photos.id = l.i""",
        photos[usable].tolist(), stars[usable].astype(int).tolist(), predicted[usable].tolist(),
    )  # fmt: skip
