"""What `/taste` tells: how good the model is, how it got there, where it and the person disagree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.taste import TENTATIVE_BELOW, score
from domain.taste_judgement import ratings_to_tell
from web import guesses, scoring
from web.database import Connection
from web.items import items_by_id

DISAGREEMENTS = 12
_LEAST_GAP = 1.0
"""Stars between a rating and its prediction, from which on it is worth a second look."""
_LIKED = 4
_FAINT = 0.1
"""A correlation below this says nothing about how many ratings it will take."""

_LEFT_OUT = """
SELECT l.photo_id, d.rating, l.predicted FROM taste_left_out l JOIN decisions d ON d.photo_id = l.photo_id
WHERE d.rating IS NOT NULL
"""


async def report(connection: Connection, taste: dict[str, Any]) -> dict[str, Any]:
    """`taste` as `status` has it, and with it the threshold, its previews, the witness and the disagreements.

    `matches_at`: photos that match at each cut 0..100. `tried_at`: of the rated photos, by models that did not know
    them, [how many would match, how many of those have 4 or 5 stars] at each cut; `liked_share`: of all rated ones.
    """
    model = taste["model"]
    left_out = [dict(row) for row in await connection.fetch(_LEFT_OUT)] if model else []
    return taste | {
        "threshold": await connection.fetchval("SELECT value #>> '{}' FROM preferences WHERE key = 'match_threshold'"),
        "cut": await scoring.match_cut(connection),
        "matches_at": await scoring.preview_threshold(connection),
        "tried_at": tried_at(left_out),
        "liked_share": sum(row["rating"] >= _LIKED for row in left_out) / len(left_out) if left_out else None,
        "witness": await guesses.witness(connection),
        "ratings_to_go": ratings_to_go(model["n_ratings"] if model else taste["ratings"], model),
        "disagreements": await _disagreements(connection, left_out),
    }


def tried_at(left_out: list[dict[str, Any]]) -> list[list[int]]:
    """By cut 0..100: [rated photos predicted at or above it, those of them with 4 or 5 stars]."""
    scores = score(np.array([row["predicted"] for row in left_out]))
    liked = np.array([row["rating"] >= _LIKED for row in left_out], bool)
    found: list[list[int]] = np.column_stack([_at_or_above(scores), _at_or_above(scores[liked])]).tolist()
    return found


def _at_or_above(scores: NDArray[np.int16]) -> NDArray[np.int64]:
    """(101,) how many there are at each cut."""
    counted: NDArray[np.int64] = np.cumsum(np.bincount(scores, minlength=101)[::-1])[::-1]
    return counted


def ratings_to_go(ratings: int, model: dict[str, Any] | None) -> int | None:
    """How many more until the scores are meant in earnest; 0: they are. None: it cannot be said yet.

    `ratings`: those that the model was learnt from, once there is one; of photographs without a vector it knows none.
    """
    few = max(0, TENTATIVE_BELOW - ratings)
    if few or model is None:
        return few or None
    if not model["tentative"]:
        return 0
    known = model["cv_rank_correlation"]
    return max(1, ratings_to_tell(known) - ratings) if known is not None and known >= _FAINT else None


async def _disagreements(connection: Connection, left_out: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rated photos farthest from what the others' ratings say of them, the farthest first."""
    far = sorted(left_out, key=lambda row: (-abs(row["predicted"] - row["rating"]), row["photo_id"]))[:DISAGREEMENTS]
    far = [row for row in far if abs(row["predicted"] - row["rating"]) >= _LEAST_GAP]
    shown = await items_by_id(connection, [row["photo_id"] for row in far])
    return [
        {"item": shown[row["photo_id"]], "stars": row["rating"], "predicted": row["predicted"]}
        for row in far
        if row["photo_id"] in shown
    ]
