"""Vectors: stored; the batch scores them at once with the taste model in force."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pgvector import HalfVector

from contracts.results import EmbedPayload
from contracts.settings import Settings
from web import bursts, encoders, jobs
from web.database import Connection
from web.results.applied import Applied, Matched

_UPSERT = """
INSERT INTO embeddings (encoder_id, photo_id, vec)
SELECT r.encoder_id, p.id, r.vec
FROM unnest($1::int[], $2::bigint[], $3::halfvec[]) AS r (encoder_id, photo_id, vec) JOIN photos p ON p.id = r.photo_id
ON CONFLICT (encoder_id, photo_id) DO UPDATE SET vec = excluded.vec
"""


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    answers: list[tuple[Matched, EmbedPayload]] = [(item, item.result.typed) for item in items]
    ids = await encoders.settle_encoders(connection, {p.encoder: p.dim for _, p in answers})
    active = await encoders.active_encoder(connection)
    known = [(ids[p.encoder], item.result.subject_id, p.vector) for item, p in answers if p.encoder in ids]
    await connection.execute(
        _UPSERT,
        [encoder_id for encoder_id, _, _ in known],
        [photo_id for _, photo_id, _ in known],
        [HalfVector(np.frombuffer(vector, "<f2")) for _, _, vector in known],  # an array in a list would be taken apart
    )
    photos = {item.result.subject_id for item in items}
    # Asked for without a name, answered by another encoder than the one that was settled on meanwhile.
    strays = [
        item.result.subject_id
        for item, p in answers
        if (active is None or p.encoder != active.name) and not (item.params or {}).get("encoder")
    ]
    await jobs.make_due(connection, "embed", strays)
    # The stage may have been in the failed lane before.
    applied.touch("embed", photos)
    applied.to_score |= photos
    await bursts.note_new_vectors(connection)
