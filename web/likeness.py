"""The photographs of a view that are nearest to a vector.

In an archive of at most `EXACT_AT_MOST` photographs every vector of the view is compared. Above that the encoder's
search index (`web.search_index`) proposes: the sign codes of the whole archive are scanned in memory, those that lie
nearest are looked up in the view, and where hardly any of them belongs to it, the whole view is read and put in the
order of its codes. The first of that order are compared exactly, and more of them until it is unlikely that one of the
nearest is still to come (`share_within`). Where that does not happen, and where there is no index, everything is
compared: slower, never less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import asyncpg
import numpy as np
from numpy.typing import NDArray

from domain.sign_codes import SignCodes
from domain.sign_codes import nearest as nearest_codes
from web.database import Connection
from web.gallery import ids_in_view
from web.gallery_query import GalleryQuery, conditions
from web.search_codes import CodesInMemory

EXACT_AT_MOST = 100_000
"""Photographs up to which codes are not asked."""
NEAREST = 500
"""Photographs that a search by likeness shows."""
LOOKED_UP, LOOKED_UP_AT_MOST = 2_000, 9_000
"""The archive's nearest that are looked up in the view, at first and in all. Looking up more takes longer than reading
an eighth of a million along the index of a facet."""
ENOUGH = 600
"""Photographs of the view among them from which on it is asked whether the nearest are settled."""
COMPARED = (700, 1_500, 3_000, 6_000, 16_000)
"""Photographs that are compared exactly before that is asked again. Everything is compared after the last."""
SETTLED_FOR = 50
"""The nearest that have to be settled: what is seen first."""
SETTLED = 0.985
"""Share of those that lies within the front of the scan, by estimate. Where the front cuts a normal distribution off at
its mean the estimate is 0.91, for what is beyond is not seen; at 0.976 of it, 0.985."""

_NEAREST = """
SELECT photo_id, vec <#> $2::halfvec AS far FROM embeddings
WHERE encoder_id = $1 AND photo_id = ANY ($3::bigint[]) ORDER BY far, photo_id LIMIT $4
"""
_ALL = """
SELECT e.photo_id FROM embeddings e JOIN gallery g ON g.photo_id = e.photo_id
WHERE e.encoder_id = {encoder} AND {where} ORDER BY e.vec <#> {vector}::halfvec, e.photo_id LIMIT {limit}
"""
_UNINDEXED = """
SELECT u.photo_id FROM unindexed_vectors u JOIN gallery g ON g.photo_id = u.photo_id
WHERE u.encoder_id = {encoder} AND {where}
"""

Ids = NDArray[np.int64]


class Likeness:
    """Searches by likeness; one a process, for it keeps the codes of a large archive."""

    def __init__(self) -> None:
        self._codes = CodesInMemory()

    async def nearest(
        self,
        connection: Connection,
        vector: NDArray[np.float16],
        encoder: str,
        view: GalleryQuery,
        limit: int = NEAREST,
    ) -> list[int]:
        """Photos of `view`, nearest to the unit vector (d,) first, at most `limit`."""
        encoder_id = await connection.fetchval(
            "SELECT id FROM encoders WHERE name = $1 AND dim = $2", encoder, len(vector)
        )
        if encoder_id is None:
            return []
        asked = _Asked(connection, vector, encoder_id, view, limit)
        codes = await self._codes_of(connection, encoder_id)
        if codes is None or len(codes) <= EXACT_AT_MOST:
            return await asked.everything()
        outside = await asked.unindexed()
        # Asked again: a build may have taken in meanwhile what no longer lies outside.
        codes = await self._codes_of(connection, encoder_id)
        return await _by_codes(asked, codes, outside) if codes is not None else await asked.everything()

    async def _codes_of(self, connection: Connection, encoder_id: int) -> SignCodes | None:
        for _ in range(2):
            try:
                return await self._codes.of(connection, encoder_id)
            except asyncpg.UndefinedTableError:  # a build put another index in its place just now
                continue
        return None


@dataclass(frozen=True)
class _Asked:
    """One search: what it asks of the database."""

    connection: Connection
    vector: NDArray[np.float16]
    encoder_id: int
    view: GalleryQuery
    limit: int

    async def everything(self) -> list[int]:
        return await exact(self.connection, self.vector, self.encoder_id, self.view, self.limit)

    async def in_view(self, ids: Ids | None = None) -> Ids:
        """Those of `ids` that the view holds; without them the whole view."""
        return await ids_in_view(self.connection, self.view, None if ids is None else np.sort(ids).tolist())

    async def unindexed(self) -> Ids:
        """Photos of the view whose vector no code stands for."""
        where = conditions(self.view)
        sql = _UNINDEXED.format(encoder=where.bind(self.encoder_id), where=where.sql())
        return np.array([row["photo_id"] for row in await self.connection.fetch(sql, *where.values)], np.int64)

    async def compared(self, ids: Ids) -> dict[int, float]:
        """How far the nearest `limit` of `ids` lie, nearest first; the negative inner product."""
        rows = await self.connection.fetch(_NEAREST, self.encoder_id, self.vector, np.sort(ids).tolist(), self.limit)
        return dict(rows)


async def exact(
    connection: Connection, vector: NDArray[np.float16], encoder_id: int, view: GalleryQuery, limit: int
) -> list[int]:
    """Compares every vector of the view, however many."""
    where = conditions(view)
    sql = _ALL.format(where=where.sql(), encoder=where.bind(encoder_id), vector=where.bind(vector), limit=int(limit))
    return [row["photo_id"] for row in await connection.fetch(sql, *where.values)]


async def _by_codes(asked: _Asked, codes: SignCodes, outside: Ids) -> list[int]:
    apart = await _distances(codes, asked.vector)
    nearest = _Settling(asked, codes, apart)
    await nearest.compare(outside)
    order = nearest_codes(apart, LOOKED_UP_AT_MOST)
    inside, start, stop = np.empty(0, np.intp), 0, LOOKED_UP
    enough = max(ENOUGH, asked.limit)
    while start < len(order):
        places = codes.places(await asked.in_view(codes.photo_ids[order[start:stop]]))
        inside = np.concatenate([inside, places])
        if len(inside) >= enough and await nearest.settled(inside, up_to=int(apart[order[:stop][-1]])):
            return nearest.best()
        needed = int(1.2 * enough * stop / max(1, len(inside)))
        start, stop = stop, 2 * stop if needed <= stop else needed
        if stop > LOOKED_UP_AT_MOST:
            break
    members = codes.places(await asked.in_view())
    if await nearest.settled(members, up_to=len(asked.vector)):
        return nearest.best()
    return await asked.everything()


async def _distances(codes: SignCodes, vector: NDArray[np.float16]) -> NDArray[np.uint16]:
    """In two threads: 14 ms instead of 25 in a million."""
    half = len(codes) // 2
    parts = (asyncio.to_thread(codes.distances, vector, part) for part in (slice(half), slice(half, None)))
    return np.concatenate(await asyncio.gather(*parts))


class _Settling:
    """Compares photographs in the order of their codes until the nearest are settled."""

    def __init__(self, asked: _Asked, codes: SignCodes, apart: NDArray[np.uint16]) -> None:
        self._asked, self._codes, self._apart = asked, codes, apart
        self._far: dict[int, float] = {}
        self._seen = np.zeros(len(codes), bool)

    async def compare(self, photo_ids: Ids) -> None:
        if len(photo_ids):
            self._far |= await self._asked.compared(photo_ids)

    async def settled(self, places: NDArray[np.intp], up_to: int) -> bool:
        """Whether the nearest of the view are known. `places`: of all its photos whose codes lie within `up_to`."""
        order = places[np.argsort(self._apart[places], kind="stable")]
        whole = up_to >= len(self._asked.vector)
        for stop in (max(some, self._asked.limit) for some in COMPARED):
            batch = order[:stop]
            await self.compare(self._codes.photo_ids[batch[~self._seen[batch]]])
            self._seen[batch] = True
            all_of_them = stop >= len(order)
            if all_of_them and whole:
                return True
            if self._share_within(up_to if all_of_them else int(self._apart[batch[-1]])) >= SETTLED:
                return True
            if all_of_them:
                break
        return False

    def _share_within(self, front: int) -> float:
        known = self._codes.places(np.array(self.best()[:SETTLED_FOR], np.int64))
        far = [self._far[photo_id] for photo_id in self._codes.photo_ids[known].tolist()]
        return share_within(front, far, self._apart[known])

    def best(self) -> list[int]:
        return sorted(self._far, key=lambda photo_id: (self._far[photo_id], photo_id))[: self._asked.limit]


def share_within(front: float, far: Sequence[float], apart: Sequence[int] | NDArray[np.uint16]) -> float:
    """The share of photographs as near as these, some of them not fetched yet, whose codes lie within the front.

    `front`: the Hamming distance that the scan has come to; `far`, `apart`: of the nearest so far, the distances of the
    vectors and of their codes. The codes are taken for a line over the vectors, with normal errors.
    """
    if len(far) < 3:
        return 1.0
    slope, level = np.polyfit(far, apart, 1) if np.ptp(far) > 0 else (0.0, float(np.mean(apart)))
    expected = level + slope * np.array(far)
    spread = float(np.sqrt(np.sum((np.array(apart) - expected) ** 2) / (len(far) - 2)))
    normal = NormalDist(0.0, max(spread, 0.5))
    return float(np.mean([normal.cdf(front - place) for place in expected]))
