"""Shoots: photographs that were taken together, which are left out of a model together or not at all."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Float = NDArray[np.float64]

FOLDS = 10
_COMPARED_AT_A_TIME = 1_024


def merged(vectors: NDArray[Any], shoots: Int, look_alike: float) -> Int:
    """Shoots (n,) joined wherever two of their photographs (n, d) are at least this alike (cosine): look-alikes never
    sit on both sides of a fold."""
    vectors = np.ascontiguousarray(vectors, np.float32)  # half the time, and far finer than any threshold
    pairs = [np.empty((0, 2), np.int64)]
    for start in range(0, len(vectors), _COMPARED_AT_A_TIME):
        rows, columns = np.nonzero(vectors[start : start + _COMPARED_AT_A_TIME] @ vectors[start:].T >= look_alike)
        pairs.append(np.unique(np.column_stack([shoots[start + rows], shoots[start + columns]]), axis=0))
    return _joined(shoots, np.concatenate(pairs))


def joined(shoots: Int, groups: Int) -> Int:
    """Shoots (n,) joined wherever two of their photographs share a group (n,); a negative one is none."""
    grouped = np.flatnonzero(groups >= 0)
    grouped = grouped[np.argsort(groups[grouped], kind="stable")]
    follows = np.flatnonzero(groups[grouped[1:]] == groups[grouped[:-1]])
    return _joined(shoots, np.column_stack([shoots[grouped[follows]], shoots[grouped[follows + 1]]]))


def _joined(shoots: Int, pairs: Int) -> Int:
    """`pairs`: (p, 2) shoots that are one.

    Named by the smallest shoot inside, so that the order of samples does not matter.
    """
    names, number = np.unique(shoots, return_inverse=True)
    parent = list(range(len(names)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in np.unique(np.searchsorted(names, pairs), axis=0).tolist():
        parent[root(a)] = root(b)
    part = np.array([root(i) for i in range(len(names))], np.int64)
    smallest = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(smallest, part, names)
    found: Int = smallest[part[number]]
    return found


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
