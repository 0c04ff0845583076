"""Search by words (what the model saw, tags, file names), by likeness to words and photographs, and by sums of both.

The orders by words and by likeness are merged by reciprocal ranks (Cormack, Clarke and Büttcher 2009, k = 60): neither
scale has to be compared with the other. What is found is laid into the view (`GalleryQuery.with_found`), so that every
tab, facet, range and order of the gallery applies to it; they narrow the search itself too, and hide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from web.database import Connection, Pool
from web.encoders import active_encoder
from web.gallery_query import Found, GalleryQuery, Toward, conditions, photo_ids, phrases
from web.likeness import Likeness
from web.text_search import NoTextTowerError, TextTower

Vector = NDArray[np.float32]

RANKED_BY_WORDS = 5_000
"""Photographs that hold the words and are put in order by how well; the others follow them."""
MINUS = 0.5
"""How far one goes away from what is taken off, of how far one goes towards what is asked for."""
WORDS_BESIDE_PHOTOS = 0.5
"""The same for words that join photographs."""
_NEUTRAL = "a photograph"
"""Texts lie apart from pictures in an encoder's space; less this one, only what they say is left."""
_RANK_OFFSET = 60
_SCORES: dict[Toward, str] = {"sharper": "focus", "better_exposed": "exposure", "more_liked": "preference"}
_AS_WRITTEN = "Words are matched as they are written: nothing compares them with pictures just now."
_NO_VECTORS = "The photographs to compare with have no vectors yet: they are still to be embedded."

_BY_WORDS = """
SELECT g.photo_id FROM gallery g LEFT JOIN photo_metadata m ON m.photo_id = g.photo_id
WHERE {where} ORDER BY ts_rank(coalesce(m.words, ''), websearch_to_tsquery('english', {said})) DESC, g.photo_id
LIMIT {limit}
"""


async def searched(pool: Pool, tower: TextTower, likeness: Likeness, query: GalleryQuery) -> GalleryQuery:
    """The view, narrowed to what its search finds; as it was where it does not search.

    No connection is held while the words are encoded, which may take five seconds.
    """
    if not query.searches():
        return query
    async with pool.acquire() as connection:
        active = await active_encoder(connection)
    encoder = active.name if active is not None else None
    texts, note = await _texts(tower, encoder, query)
    async with pool.acquire() as connection:
        found = await _find(connection, likeness, encoder, query, texts, note)
    return query.with_found(found)


async def _texts(
    tower: TextTower, encoder: str | None, query: GalleryQuery
) -> tuple[dict[str, Vector] | None, str | None]:
    """Unit vectors by text, of all texts that the sum needs; or None, and why."""
    minus = phrases(query.minus)
    wanted = [*_plus(query), *minus]
    if minus or (wanted and (query.like or query.unlike)):
        wanted.append(_NEUTRAL)
    try:
        return {text: (await tower.encode(text, encoder)).astype(np.float32) for text in wanted}, None
    except NoTextTowerError as reason:
        return None, str(reason)


def _plus(query: GalleryQuery) -> list[str]:
    words = (query.q or "").strip()
    return [words] if words else []


async def _find(
    connection: Connection,
    likeness: Likeness,
    encoder: str | None,
    query: GalleryQuery,
    texts: Mapping[str, Vector] | None,
    note: str | None,
) -> Found:
    compared = bool(query.like or query.unlike)
    aim = aim_of(query, await _pictures(connection, encoder, query), texts)
    if compared and note is not None:
        note = _AS_WRITTEN
    if compared and aim is None:
        note = _NO_VECTORS
    words: Literal["or", "and", "no"] = "or" if not compared else "and" if texts is None else "no"
    near: list[int] | None = [] if compared else None
    if aim is not None and encoder is not None:
        scope = query if words == "and" else query.model_copy(update={"q": None})
        near = await likeness.nearest(connection, aim, encoder, scope)
    said = await by_words(connection, query)
    if compared and near is not None:
        within = set(near)
        said = [photo_id for photo_id in said if photo_id in within]
    ranked = merged(near or [], said)
    if query.toward is not None:
        ranked = merged(ranked, await _by_score(connection, ranked, query.toward))
    return Found(ranked, near, words, note)


async def _pictures(connection: Connection, encoder: str | None, query: GalleryQuery) -> dict[int, Vector]:
    """Vectors of the photographs that the query names, by id; of some there may be none."""
    ids = photo_ids(query.like) + photo_ids(query.unlike)
    if not ids:
        return {}
    rows = await connection.fetch(
        """SELECT e.photo_id, e.vec FROM embeddings e JOIN encoders c ON c.id = e.encoder_id AND c.name = $1
           WHERE e.photo_id = ANY ($2::bigint[])""",
        encoder, ids,
    )  # fmt: skip
    return {row["photo_id"]: row["vec"].astype(np.float32) for row in rows}


def aim_of(
    query: GalleryQuery, pictures: Mapping[int, Vector], texts: Mapping[str, Vector] | None
) -> NDArray[np.float16] | None:
    """The unit vector (d,) that the query's sum points at; None where nothing but words to leave out is known.

    Photographs asked for are averaged, and so is what is taken off. A text alone is its own vector; beside photographs,
    or taken off, it is its direction from a text that says nothing.
    """
    like = [pictures[i] for i in photo_ids(query.like) if i in pictures]
    away = [pictures[i] for i in photo_ids(query.unlike) if i in pictures]
    plus: list[Vector] = []
    if texts is not None:
        away += [_direction(texts, words) for words in phrases(query.minus)]
        plus = [_direction(texts, words) if query.like or query.unlike else texts[words] for words in _plus(query)]
    weight = WORDS_BESIDE_PHOTOS if like else 1.0
    parts = [(like, 1.0), (plus, weight), (away, -MINUS)]
    if not like and not plus and not (query.unlike and away):
        return None
    total: Vector = np.sum([sign * _unit(np.mean(some, axis=0)) for some, sign in parts if some], axis=0)
    return _unit(total).astype(np.float16)


def _direction(texts: Mapping[str, Vector], words: str) -> Vector:
    return _unit(texts[words] - texts[_NEUTRAL])


def _unit(vector: Any) -> Vector:
    """Zero stays zero."""
    length = float(np.linalg.norm(vector))
    scaled: Vector = (vector / length if length else vector).astype(np.float32)
    return scaled


async def by_words(connection: Connection, query: GalleryQuery) -> list[int]:
    """Photos of the view that hold the query's words, best first."""
    words = (query.q or "").strip()
    if not words:
        return []
    where = conditions(query)
    said = where.bind(words)
    sql = _BY_WORDS.format(where=where.sql(), said=said, limit=RANKED_BY_WORDS)
    return [row["photo_id"] for row in await connection.fetch(sql, *where.values)]


async def _by_score(connection: Connection, ids: Sequence[int], toward: Toward) -> list[int]:
    """Those of `ids` that have the score, highest first."""
    column = _SCORES[toward]
    rows = await connection.fetch(
        f"""SELECT photo_id FROM gallery WHERE photo_id = ANY ($1::bigint[]) AND {column} IS NOT NULL
            ORDER BY {column} DESC, photo_id""",
        ids,
    )
    return [row["photo_id"] for row in rows]


def merged(*orders: Sequence[int]) -> list[int]:
    """One order of several: each id scores the sum of `1 / (60 + rank)`."""
    scores: dict[int, float] = {}
    for order in orders:
        for rank, photo_id in enumerate(order, 1):
            scores[photo_id] = scores.get(photo_id, 0.0) + 1.0 / (_RANK_OFFSET + rank)
    return sorted(scores, key=lambda photo_id: (-scores[photo_id], photo_id))
