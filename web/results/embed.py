"""Vectors: stored, and scored at once with the taste model in force."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from contracts.results import EmbedPayload
from contracts.settings import Settings
from web import encoders, jobs, scoring
from web.database import Connection
from web.results.applied import Applied, Matched

_UPSERT = """
INSERT INTO embeddings (encoder_id, photo_id, vec) SELECT $1, $2, $3::halfvec
WHERE EXISTS (SELECT 1 FROM photos WHERE id = $2)
ON CONFLICT (encoder_id, photo_id) DO UPDATE SET vec = excluded.vec
"""


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    answers = [(item, EmbedPayload.model_validate(item.result.payload)) for item in items]
    ids = await encoders.settle_encoders(connection, {p.encoder: p.dim for _, p in answers})
    active = await encoders.active_encoder(connection)
    await connection.executemany(
        _UPSERT,
        [
            (ids[p.encoder], item.result.subject_id, np.frombuffer(p.vector, "<f2"))
            for item, p in answers
            if p.encoder in ids
        ],
    )
    photos = {item.result.subject_id for item in items}
    # Asked for without a name, answered by another encoder than the one that was settled on meanwhile.
    strays = [i.result.subject_id for i, p in answers if p.encoder != active and not (i.params or {}).get("encoder")]
    await jobs.make_due(connection, "embed", strays)
    # The stage may have been in the failed lane before.
    applied.touch("embed", photos)
    applied.to_score |= photos


async def score(connection: Connection, photo_ids: Collection[int]) -> None:
    """Preference and vibe of photos whose vector or tags are new."""
    if photo_ids:
        await scoring.score_photos(connection, sorted(photo_ids))
