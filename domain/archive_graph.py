"""The archive as a graph of photographs that look alike, along which vectors are smoothed.

What a photograph shares with its neighbours is what it shows; what it does not share is mostly accident. Each vector
is drawn towards those of its nearest neighbours: `Y = (I + c L)^-1 Z`, L the normalised Laplacian of the graph that
joins each photograph to its k nearest (the regularised Laplacian of Smola and Kondor 2003). The graph is that of a
sample of the archive, the landmarks; any other photograph solves its own row of the same equation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

LANDMARKS = 600
RANK = 256
"""Principal directions that are kept."""
NEIGHBOURS = (1.0, 2.0, 4.0)
"""k as multiples of log2(m): a graph of nearest neighbours hangs together from about log m on (Brito et al. 1997)."""
PULLS = (1.0, 4.0)
"""c: the neighbours are 1/2 or 4/5 of a smoothed vector."""
_NOTHING = 1e-6


@dataclass(frozen=True, eq=False)
class _Smoothing:
    """One k and one c: the landmarks smoothed, (m, r), with a mean square of 1 about their mean."""

    neighbours: int
    pull: float
    landmarks: Float
    scale: float

    def extended(self, own: Float, links: dict[int, Float], landmarks: Float) -> Float:
        """The row of `(1 + c) y = z + c sum(w y_neighbour)` of photographs beside the landmarks."""
        if self.neighbours == 0:
            return own
        drawn: Float = (own + self.pull * (links[self.neighbours] @ landmarks)) / (1.0 + self.pull)
        return drawn


@dataclass(frozen=True)
class _Sample:
    """Vectors (m, d) that are equal where their bytes are."""

    content: tuple[bytes, tuple[int, ...], str]
    vectors: NDArray[Any] = field(compare=False, repr=False)


class ArchiveGraph:
    """Landmarks of an archive, and any photograph's vectors smoothed along them."""

    def __init__(self, sample: NDArray[Any]) -> None:
        """`sample`: (m, d) vectors of the archive, rows that are not finite count for nothing."""
        vectors = _finite(sample)
        if len(vectors) == 0:  # nothing usable: everything stands in one place
            vectors = np.zeros((1, vectors.shape[1]))
        self._rows = {vector.tobytes(): i for i, vector in enumerate(vectors)}
        self._unit = max(float(np.abs(vectors).max(initial=0.0)), 1e-300)
        self._centre = (vectors / self._unit).mean(axis=0)
        centred = vectors / self._unit - self._centre
        self._directions = _principal(centred)
        self._landmarks = centred @ self._directions
        self._sides = _unit_rows(self._landmarks)

    def __len__(self) -> int:
        """How many ways of smoothing there are: the vectors as they are, and each k and c."""
        return len(self._smoothings)

    def coordinates(self, vectors: NDArray[Any]) -> Float:
        """(n, r) before any smoothing; zeros for rows that are not finite."""
        rows = np.asarray(vectors, np.float64)
        usable = np.isfinite(rows).all(axis=1)
        inside = np.zeros((len(rows), self._directions.shape[1]))
        inside[usable] = (rows[usable] / self._unit - self._centre) @ self._directions
        return inside

    def smoothed(self, vectors: NDArray[Any]) -> list[Float]:
        """(n, r) for each way of smoothing."""
        return self._along(vectors, lambda own, _: own, lambda landmarks, _: landmarks)

    def scores(self, vectors: NDArray[Any], weights: list[Float]) -> list[Float]:
        """(n,) `smoothed . weights` for each way of smoothing, without the smoothed vectors themselves."""
        columns = [w[:, None] for w in weights]
        found = self._along(vectors, lambda own, i: own @ columns[i], lambda landmarks, i: landmarks @ columns[i])
        return [score[:, 0] for score in found]

    def _along(
        self,
        vectors: NDArray[Any],
        of_own: Callable[[Float, int], Float],
        of_landmarks: Callable[[Float, int], Float],
    ) -> list[Float]:
        """A linear function of the smoothed vectors, for each way of smoothing."""
        rows = np.asarray(vectors, np.float64)
        places = np.array([self._rows.get(row.tobytes(), -1) for row in rows], np.int64)
        new = np.flatnonzero(places < 0)
        own = self.coordinates(rows[new])
        links = self._links_of(own)
        found = []
        for i, s in enumerate(self._smoothings):
            landmarks = of_landmarks(s.landmarks, i)
            values = landmarks[places]  # wrong for the new ones, until the next line
            values[new] = s.extended(of_own(own * s.scale, i), links, landmarks)
            found.append(values)
        return found

    @cached_property
    def degrees(self) -> dict[int, Float]:
        """(m,) of the landmarks, for each number of neighbours."""
        return {k: links.sum(axis=1) for k, links in self._links.items()}

    def _links_of(self, own: Float) -> dict[int, Float]:
        """(n, m) weights of photographs beside the landmarks, by number of neighbours."""
        if len(own) == 0:
            return {k: np.zeros((0, len(self._landmarks))) for k in self.degrees}
        alike = _unit_rows(own) @ self._sides.T
        links = {}
        for k, degrees in self.degrees.items():
            rows = nearest(alike, k)
            links[k] = np.zeros(alike.shape)
            links[k][np.arange(len(own))[:, None], rows] = 1.0 / np.sqrt(k * degrees[rows])
        return links

    @cached_property
    def _links(self) -> dict[int, Float]:
        m = len(self._landmarks)
        alike = self._sides @ self._sides.T
        np.fill_diagonal(alike, -np.inf)
        links = {}
        for k in sorted({min(int(times * np.log2(m)), m - 1) for times in NEIGHBOURS if m > 1}):
            joined = np.zeros((m, m))
            joined[np.arange(m)[:, None], nearest(alike, k)] = 1.0
            links[k] = np.maximum(joined, joined.T)
        return links

    @cached_property
    def _smoothings(self) -> list[_Smoothing]:
        found = [self._smoothing(0, 0.0, self._landmarks)]
        for k, links in self._links.items():
            root = np.sqrt(self.degrees[k])
            laplacian = np.eye(len(links)) - links / np.outer(root, root)
            for pull in PULLS:
                drawn = np.linalg.solve(np.eye(len(links)) + pull * laplacian, self._landmarks)
                found.append(self._smoothing(k, pull, drawn))
        return found

    def _smoothing(self, k: int, pull: float, landmarks: Float) -> _Smoothing:
        square = float(((landmarks - landmarks.mean(axis=0)) ** 2).sum())
        scale = np.sqrt(len(landmarks) / square) if square > 1e-20 else 1.0
        return _Smoothing(k, pull, landmarks * scale, float(scale))


def graph_of(archive: NDArray[Any], seed: int) -> ArchiveGraph:
    """The graph of an archive (n, d), or of a sample of it; remembered for the next call with the same vectors."""
    rows = np.arange(len(archive))
    if len(rows) > LANDMARKS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, LANDMARKS, replace=False))
    vectors = np.ascontiguousarray(archive[rows])
    return _remembered(_Sample((vectors.tobytes(), vectors.shape, vectors.dtype.str), vectors))


@lru_cache(maxsize=2)
def _remembered(sample: _Sample) -> ArchiveGraph:
    return ArchiveGraph(sample.vectors)


def nearest(alike: Float, k: int) -> Int:
    """(n, k) columns of the k largest of each row."""
    return np.argpartition(-alike, k - 1, axis=1)[:, :k] if k else np.empty((len(alike), 0), np.int64)


def _finite(vectors: NDArray[Any]) -> Float:
    rows = np.asarray(vectors, np.float64)
    usable: Float = rows[np.isfinite(rows).all(axis=1)]
    return usable


def _unit_rows(vectors: Float) -> Float:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    sides: Float = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > _NOTHING)
    return sides


def _principal(centred: Float) -> Float:
    """(d, r) directions in which the rows differ, at most `RANK`."""
    m, d = centred.shape
    values, side = np.linalg.eigh(centred @ centred.T if m <= d else centred.T @ centred)
    values, side = values[-RANK:], side[:, -RANK:]
    kept = values > 1e-10 * max(float(values.max(initial=0.0)), 1e-10)
    values, side = values[kept], side[:, kept]
    directions: Float = centred.T @ side / np.sqrt(values) if m <= d else side
    return directions
