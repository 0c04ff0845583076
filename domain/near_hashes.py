"""Pairs of 64-bit hashes within a small Hamming distance, without comparing all with all.

Multi-index hashing (Norouzi, Punjani and Fleet 2012): of four bands of 16 bits, two hashes at most 7 bits apart share
one up to a single bit. So each hash looks into 17 buckets of each band, about 1,000 others in an archive of a million.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

FARTHEST = 7
_BANDS, _BITS = 4, 16
_AT_ONCE = 1 << 20

Int = NDArray[np.int64]


def near_pairs(hashes: NDArray[np.uint64], asking: NDArray[np.bool_], reach: int) -> Int:
    """Index pairs (n, 2), smaller first, each once, at most `reach` bits apart, of which one at least is `asking`.

    `hashes`: (m,). `reach`: at most `FARTHEST`; raises ValueError beyond.
    """
    if reach > FARTHEST:
        raise ValueError(f"{reach} bits are more than {FARTHEST}, which is as far as four bands find")
    found = [pairs for band in range(_BANDS) for pairs in _in_band(hashes, asking, reach, band)]
    if not found:
        return np.empty((0, 2), np.int64)
    pairs: Int = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return pairs


def _in_band(hashes: NDArray[np.uint64], asking: NDArray[np.bool_], reach: int, band: int) -> Iterator[Int]:
    keys = ((hashes >> np.uint64(_BITS * band)) & np.uint64((1 << _BITS) - 1)).astype(np.int64)
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], np.arange((1 << _BITS) + 1))
    here, asks = hashes[order], np.flatnonzero(asking[order])
    own = keys[order][asks]
    for flip in (0, *(1 << bit for bit in range(_BITS))):
        first, counts = starts[own ^ flip], starts[(own ^ flip) + 1] - starts[own ^ flip]
        for some in _chunks(counts):
            left = np.repeat(asks[some], counts[some])
            right = _runs(first[some], counts[some])
            near = np.bitwise_count(here[left] ^ here[right]) <= reach
            left, right = left[near], right[near]
            other = left != right
            yield np.stack([order[left[other]], order[right[other]]], axis=1)


def _chunks(counts: Int) -> Iterator[slice]:
    """Slices of about `_AT_ONCE` candidates each."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.unique(np.searchsorted(ends, np.arange(_AT_ONCE, total, _AT_ONCE)))
    yield from (slice(a, b) for a, b in zip([0, *cuts], [*cuts, len(counts)], strict=True) if b > a)


def _runs(first: NDArray[Any], counts: NDArray[Any]) -> Int:
    """`first[0], first[0] + 1, ...` for `counts[0]` places, then those of `first[1]`, and so on."""
    steps = np.arange(int(counts.sum()), dtype=np.int64)
    runs: Int = steps + np.repeat(first - (np.cumsum(counts) - counts), counts)
    return runs
