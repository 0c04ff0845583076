"""The second witness of a taste: the score that each photo had just before the person rated it for the first time.

Cross-validation can be flattered in ways that nobody thought of; a guess that was written down beforehand cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from domain.ranks import rank_correlation
from web.database import Connection
from web.scoring import IN_FORCE

OFFER_LASTS = "1 day"
"""A rating later than this did not come from the offer."""
FEWEST = 10
"""Guesses below which no correlation is told."""

_KEEP = f"""
INSERT INTO taste_guesses (photo_id, score, version, offer)
SELECT g.photo_id, g.preference, CASE WHEN g.preference IS NOT NULL THEN
           (SELECT m.version {IN_FORCE})
       END, o.kind
FROM gallery g LEFT JOIN taste_offers o ON o.photo_id = g.photo_id AND o.offered_at > now() - interval '{OFFER_LASTS}'
WHERE g.photo_id = ANY ($1)
ON CONFLICT DO NOTHING
"""
_GUESSED = """
SELECT s.score, d.rating, s.offer FROM taste_guesses s JOIN decisions d ON d.photo_id = s.photo_id
WHERE s.score IS NOT NULL AND d.rating IS NOT NULL
"""


async def keep(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Writes down the scores of photos that are rated for the first time; call before they are trained on."""
    await connection.execute(_KEEP, list(photo_ids))


async def witness(connection: Connection) -> dict[str, Any]:
    """`random`: guesses against stars over photos that were offered at random; `all`: over every guess."""
    rows = await connection.fetch(_GUESSED)
    return {"random": _agreement([r for r in rows if r["offer"] == "random"]), "all": _agreement(rows)}


def _agreement(rows: Sequence[Any]) -> dict[str, Any]:
    scores = np.array([row["score"] for row in rows], np.float64)
    stars = np.array([row["rating"] for row in rows], np.float64)
    known = rank_correlation(scores, stars) if len(rows) >= FEWEST else None
    return {"guesses": len(rows), "rank_correlation": known}
