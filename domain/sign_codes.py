"""Sign codes: one bit a value of a vector, compared by the Hamming distance.

The bit says whether the value lies above the archive's mean. Of two unit vectors the share of bits that differ grows
with the angle between them (Charikar 2002, "Similarity estimation techniques from rounding algorithms"), so that a scan
over codes, a sixteenth of the half floats, proposes what is then compared exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SCANNED_AT_A_TIME = 32_768
"""Codes whose distances fit in a core's own cache while the words are added up."""
_WORD_BYTES = 8


@dataclass(frozen=True)
class SignCodes:
    """The codes of n photos. Laid out by word, so that a scan reads memory in order."""

    photo_ids: NDArray[np.int64]
    """(n,), ascending."""
    words: NDArray[np.uint64]
    """(ceil(d / 64), n)."""
    mean: NDArray[np.float16]
    """(d,), taken off a vector before its signs are read."""

    def __len__(self) -> int:
        return len(self.photo_ids)

    def distances(self, vector: NDArray[np.float16], part: slice = slice(None)) -> NDArray[np.uint16]:
        """Bits (n,) in which each code differs from that of the vector (d,); of a part of the codes, for one thread."""
        asked = to_words(code_of(vector, self.mean)[None])[:, 0]
        words = self.words[:, part]
        apart = np.zeros(words.shape[1], np.uint16)
        room = np.empty(_SCANNED_AT_A_TIME, np.uint64)
        for start in range(0, len(apart), _SCANNED_AT_A_TIME):
            some = apart[start : start + _SCANNED_AT_A_TIME]
            differ = room[: len(some)]
            for word, bits in zip(words, asked, strict=True):
                np.bitwise_xor(word[start : start + len(some)], bits, out=differ)
                some += np.bitwise_count(differ)
        return apart

    def places(self, photo_ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where those of `photo_ids` that have a code stand."""
        found = np.searchsorted(self.photo_ids, photo_ids)
        found[found == len(self)] = 0
        known = self.photo_ids[found] == photo_ids if len(self) else np.zeros(len(photo_ids), bool)
        kept: NDArray[np.intp] = found[known]
        return kept


def nearest(apart: NDArray[np.uint16], at_least: int) -> NDArray[np.intp]:
    """Places in `apart` (n,), nearest first: all within the smallest distance that holds `at_least` of them."""
    counts = np.cumsum(np.bincount(apart))
    within = np.flatnonzero(apart <= np.searchsorted(counts, at_least)) if len(apart) else np.empty(0, np.intp)
    sorted_places: NDArray[np.intp] = within[np.argsort(apart[within], kind="stable")]
    return sorted_places


def code_of(vector: NDArray[np.float16], mean: NDArray[np.float16]) -> NDArray[np.uint8]:
    """The code (ceil(d / 8),) of a vector (d,); the first value is the highest bit of the first byte."""
    return np.packbits(vector.astype(np.float16) - mean > 0)


def to_words(codes: ArrayLike) -> NDArray[np.uint64]:
    """(ceil(b / 8), n) words of codes (n, b) in bytes."""
    read = np.asarray(codes, np.uint8)
    padded = np.zeros((len(read), -(-read.shape[1] // _WORD_BYTES) * _WORD_BYTES), np.uint8)
    padded[:, : read.shape[1]] = read
    return np.ascontiguousarray(padded.view(np.uint64).T)
