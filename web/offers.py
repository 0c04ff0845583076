"""Which photographs to rate next: those whose rating teaches most about the rest (`domain.selection`).

What was offered is remembered, so that a rating can tell later whether it answered a random offer: those alone say
what share of the archive the person likes, and how good the model's guesses are.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain import selection, taste
from web import rated_photographs
from web.database import Connection
from web.encoders import active_encoder

# A hash of id and seed orders the archive at random and the same way every time; of a burst one frame is drawn. More
# are drawn than needed, so that bursts leave enough.
_OPEN = """
WITH drawn AS (
    SELECT g.photo_id, g.burst_group, hashint8extended(g.photo_id, $2) AS turn
    FROM gallery g JOIN embeddings e ON e.photo_id = g.photo_id AND e.encoder_id = $1
    WHERE g.tabs & 32 <> 0 ORDER BY turn LIMIT 4 * $3::int
), apart AS (
    SELECT photo_id FROM (
        SELECT DISTINCT ON (coalesce(burst_group, -photo_id)) photo_id, turn FROM drawn
        ORDER BY coalesce(burst_group, -photo_id), turn
    ) one_of_each ORDER BY turn LIMIT $3
)
SELECT e.photo_id, e.vec FROM apart JOIN embeddings e ON e.photo_id = apart.photo_id AND e.encoder_id = $1
ORDER BY e.photo_id
"""
_REMEMBER = """
INSERT INTO taste_offers (photo_id, kind) SELECT o.* FROM unnest($1::bigint[], $2::text[]) o (photo_id, kind)
ON CONFLICT (photo_id) DO UPDATE SET kind = excluded.kind, offered_at = now()
"""


@dataclass(frozen=True)
class Offer:
    photo_id: int
    random: bool
    """Drawn at random, not asked for by the model."""


async def next_to_rate(connection: Connection, size: int, seed: int) -> list[Offer]:
    """At most `size` unrated photos, one of each burst, in the order to rate them; empty while nothing has a vector."""
    encoder = await active_encoder(connection)
    if encoder is None:
        return []
    rated = await rated_photographs.rated(connection, encoder.id)
    unrated = await connection.fetch(_OPEN, encoder.id, seed, selection.SAMPLE)
    if not unrated:
        return []
    rows = [*rated, *unrated]
    features = np.stack([row["vec"] for row in rows])
    stars = np.array([row["rating"] for row in rated], np.float64)
    chosen = await asyncio.to_thread(_choose, features, stars, size, seed)
    offers = [Offer(rows[i]["photo_id"], selection.is_random(turn, len(chosen))) for turn, i in enumerate(chosen)]
    await connection.execute(
        _REMEMBER, [o.photo_id for o in offers], ["random" if o.random else "asked" for o in offers]
    )
    return offers


def _choose(features: NDArray[np.float16], stars: NDArray[np.float64], size: int, seed: int) -> list[int]:
    index = np.arange(len(stars))
    model = taste.fit(stars, index, features, seed) if len(stars) else None
    return [int(i) for i in selection.next_batch(model, index, features, size, seed)]
