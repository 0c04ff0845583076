"""Why a photo has its score: what each rated photo lends it, and what words tell of it. The parts sum to the score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.taste import lent, score
from domain.taste_words import VOCABULARY, told_by
from web.database import Connection
from web.errors import RequestError
from web.items import items_by_id
from web.scoring import IN_FORCE
from web.word_vectors import Vocabulary, WordVectors

NAMED = 6
_POINTS = 25.0
"""Of 100, for a star."""

_MODEL = f"""
SELECT m.version, m.encoder_id, e.name AS encoder, m.mean, m.bias, m.weights, m.centre, m.lens, m.dim, m.photo_ids,
       m.stars, m.tentative
{IN_FORCE}
"""


async def why(connection: Connection, words: WordVectors, photo_id: int) -> dict[str, Any]:
    """`mean` + `parts` (the largest, with their photos) + `others` = `sum`; `score` is the sum as a whole number from
    0 to 100. `in_words` tells the same sum another way: `mean` + its `parts` + its `rest`; None where the encoder has
    no text tower, or has not yet encoded the words. Raises RequestError where there is no score to explain."""
    model = await connection.fetchrow(_MODEL)
    vector = model and await connection.fetchval(
        "SELECT vec FROM embeddings WHERE photo_id = $1 AND encoder_id = $2", photo_id, model["encoder_id"]
    )
    if vector is None or not model["lens"]:
        raise RequestError(
            404, "This photograph has no score yet: it is scored once it is embedded and taste is learnt."
        )
    trained_on = np.frombuffer(model["photo_ids"], "<i8").tolist()
    stars = dict(zip(trained_on, np.frombuffer(model["stars"], "<f4").tolist(), strict=True))
    rated = await connection.fetch(
        "SELECT photo_id, vec FROM embeddings WHERE photo_id = ANY ($1) AND encoder_id = $2",
        trained_on, model["encoder_id"],
    )  # fmt: skip
    vectors = np.stack([row["vec"] for row in rated])
    points = _points(model, vector, vectors, [stars[row["photo_id"]] for row in rated])
    order = np.argsort(-np.abs(points))[:NAMED]
    largest = {rated[i]["photo_id"]: float(points[i]) for i in order}
    shown = await items_by_id(connection, list(largest))
    prediction = model["bias"] + float(np.frombuffer(model["weights"], "<f4") @ vector.astype(np.float32))
    total = (prediction - 1) * _POINTS
    named = [{"item": shown[i], "stars": stars[i], "points": lends} for i, lends in largest.items() if i in shown]
    mean = (model["mean"] - 1) * _POINTS
    return {
        "version": model["version"],
        "tentative": model["tentative"],
        "score": int(score(prediction)),
        "sum": total,
        "mean": mean,
        "parts": named,
        "others": {"count": len(stars) - len(named), "points": total - mean - sum(part["points"] for part in named)},
        "in_words": _in_words(model, words.of(model["encoder"]), vectors, vector, total - mean),
    }


def _in_words(
    model: Any, vocabulary: Vocabulary | None, rated: NDArray[Any], vector: NDArray[Any], about_mean: float
) -> dict[str, Any] | None:
    if vocabulary is None:
        return None
    vectors = rated.astype(np.float64)
    points = _POINTS * vectors @ np.frombuffer(model["weights"], "<f4")
    told = told_by(vocabulary.words, vocabulary.neutral, vectors, points)
    each = told.points(vector.astype(np.float64))
    parts: list[dict[str, Any]] = [
        {"word": VOCABULARY[k], "points": float(p)} for k, p in zip(told.chosen, each, strict=True)
    ]
    parts.sort(key=lambda part: -abs(part["points"]))
    return {"parts": parts, "rest": about_mean - float(each.sum())}


def _points(model: Any, vector: NDArray[Any], rated: NDArray[Any], stars: list[float]) -> NDArray[np.float64]:
    """(n,) of 100 that each rated photo lends."""
    lens = np.frombuffer(model["lens"], "<f2").reshape(model["dim"], -1)
    centre = np.frombuffer(model["centre"], "<f4")
    points: NDArray[np.float64] = lent(lens, centre, model["mean"], rated, np.asarray(stars), vector[None])[0]
    return _POINTS * points
