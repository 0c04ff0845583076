"""The archive as a graph of photographs that look alike, along which vectors are smoothed.

What a photograph shares with its neighbours is what it shows; what it does not share is mostly accident. Each vector
is drawn towards those of its nearest neighbours: `Y = (I + c L)^-1 Z`, L the normalised Laplacian of the graph that
joins each photograph to its k nearest (the regularised Laplacian of Smola and Kondor 2003). The graph is that of a
sample of the archive, the landmarks; what it does to them is taken over by the nearest linear map, which any other
photograph goes through too (as in linear Laplacian regularised least squares, Belkin et al. 2006). A model that is
linear in smoothed vectors hence folds into one vector and a bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int = NDArray[np.int64]

LANDMARKS = 600
RANK = 400
"""Principal directions that are kept: two thirds of the landmarks. A map of fewer says less of them, one of more says
less of the photographs that are none."""
NEIGHBOURS = (1.0, 4.0)
"""k as multiples of log2(m): a graph of nearest neighbours hangs together from about log m on (Brito et al. 1997)."""
PULLS = (1.0, 4.0)
"""c: the neighbours are 1/2 or 4/5 of a smoothed vector."""
_NOTHING = 1e-6
_RIDGE = 1e-4
"""Of the landmarks' summed squares: directions that hold next to nothing are not made to carry what the graph says."""


@dataclass(frozen=True)
class _Sample:
    """Vectors (m, d) that are equal where their bytes are."""

    content: tuple[bytes, tuple[int, ...], str]
    vectors: NDArray[Any] = field(compare=False, repr=False)


class ArchiveGraph:
    """The ways of smoothing vectors along an archive's graph, each a linear map of their coordinates."""

    def __init__(self, sample: NDArray[Any]) -> None:
        """`sample`: (m, d) vectors of the archive, rows that are not finite count for nothing."""
        vectors = _finite(sample)
        if len(vectors) == 0:  # nothing usable: everything stands in one place
            vectors = np.zeros((1, vectors.shape[1]))
        self._unit = max(float(np.abs(vectors).max(initial=0.0)), 1e-300)
        self._centre = (vectors / self._unit).mean(axis=0)
        centred = vectors / self._unit - self._centre
        self._directions = _principal(centred)
        self._landmarks = centred @ self._directions

    def coordinates(self, vectors: NDArray[Any]) -> Float:
        """(n, r) before any smoothing; zeros for rows that are not finite."""
        rows = np.asarray(vectors, np.float64)
        usable = np.isfinite(rows).all(axis=1)
        inside = np.zeros((len(rows), self._directions.shape[1]))
        inside[usable] = (rows[usable] / self._unit - self._centre) @ self._directions
        return inside

    def smoothed(self, vectors: NDArray[Any]) -> list[Float]:
        """(n, r) for each way of smoothing: the vectors as they are, and each k and c."""
        own = self.coordinates(vectors)
        return [own @ smoothing for smoothing in self.smoothings]

    def folded(self, inside: Float) -> tuple[Float, float]:
        """One weight vector (d,) and a bias that say of a vector what `coordinates . inside` says."""
        turned = self._directions @ inside
        return turned / self._unit, -float(self._centre @ turned)

    def lens(self, likeness: Float) -> Float:
        """(d, q) such that inner products of vectors seen through it are those of coordinates by `likeness` (r, r),
        which is symmetric and has no negative eigenvalue."""
        values, side = np.linalg.eigh(likeness)
        kept = values > 1e-9 * max(float(values.max(initial=0.0)), 1e-300)
        seen: Float = self._directions @ (side[:, kept] * np.sqrt(values[kept])) / self._unit
        return seen

    @cached_property
    def smoothings(self) -> list[Float]:
        """(r, r) each, scaled so that the landmarks' mean square about their mean is 1."""
        found = [self._scaled(np.eye(self._landmarks.shape[1]))]
        for links in self._links:
            root = np.sqrt(links.sum(axis=1))
            laplacian = np.eye(len(links)) - links / np.outer(root, root)
            for pull in PULLS:
                drawn = np.linalg.solve(np.eye(len(links)) + pull * laplacian, self._landmarks)
                found.append(self._scaled(self._map_to(drawn)))
        return found

    @property
    def _links(self) -> Iterator[Float]:
        """(m, m) 1 where one of two landmarks is among the other's k nearest, for each k."""
        m = len(self._landmarks)
        sides = _unit_rows(self._landmarks)
        alike = sides @ sides.T
        np.fill_diagonal(alike, -np.inf)
        for k in sorted({min(int(times * np.log2(m)), m - 1) for times in NEIGHBOURS if m > 1}):
            joined = np.zeros((m, m))
            joined[np.arange(m)[:, None], _nearest(alike, k)] = 1.0
            yield np.maximum(joined, joined.T)

    def _map_to(self, drawn: Float) -> Float:
        """The linear map (r, r) that takes the landmarks nearest to where the graph draws them (least squares)."""
        square = self._landmarks.T @ self._landmarks
        square += np.eye(len(square)) * _RIDGE * max(float(np.trace(square)), 1e-300)
        mapped: Float = np.linalg.solve(square, self._landmarks.T @ drawn)
        return mapped

    def _scaled(self, smoothing: Float) -> Float:
        landmarks = self._landmarks @ smoothing
        square = float(((landmarks - landmarks.mean(axis=0)) ** 2).sum())
        return smoothing * (np.sqrt(len(landmarks) / square) if square > 1e-20 else 1.0)


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


def _nearest(alike: Float, k: int) -> Int:
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
