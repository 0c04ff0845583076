"""Shoots: photographs that were taken together, which are left out of a model together or not at all."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Float = NDArray[np.float64]

FOLDS = 10


def merged(vectors: NDArray[Any], shoots: Int, look_alike: float) -> Int:
    """Shoots (n,) joined wherever two of their photographs (n, d) are at least this alike (cosine): look-alikes never
    sit on both sides of a fold."""
    names, number = np.unique(shoots, return_inverse=True)
    parent = np.arange(len(names))
    vectors = np.ascontiguousarray(vectors, np.float32)  # half the time, and far finer than any threshold

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    for start in range(0, len(vectors), 1024):
        block = vectors[start : start + 1024]
        rows, columns = np.nonzero(block @ vectors.T >= look_alike)
        pairs = np.unique(np.column_stack([number[start + rows], number[columns]]), axis=0)
        for a, b in pairs[pairs[:, 0] != pairs[:, 1]]:
            parent[root(int(a))] = root(int(b))
    roots = np.array([root(i) for i in range(len(names))])
    # Named by the smallest shoot inside, so that the order of samples does not matter.
    smallest = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(smallest, roots, names)
    joined: Int = smallest[roots[number]]
    return joined


def folds(shoots: Int, seed: int) -> list[Int]:
    """The rows of at most ten folds of whole shoots, of like size: the same ones in whatever order the samples come."""
    names, sizes = np.unique(shoots, return_counts=True)
    order = sorted(range(len(names)), key=lambda i: (-int(sizes[i]), _draw(seed, int(names[i]))))
    filled = [0] * min(len(names), FOLDS)
    fold_of: dict[int, int] = {}
    for i in order:
        fold = filled.index(min(filled))
        filled[fold] += int(sizes[i])
        fold_of[int(names[i])] = fold
    numbers = np.array([fold_of[int(s)] for s in shoots])
    return [np.flatnonzero(numbers == k) for k in range(len(filled))]


def _draw(seed: int, name: int) -> bytes:
    return hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest()
