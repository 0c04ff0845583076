"""Versions: photographs that are one exposure, as it came, edited, scanned or cropped; copies are the plainest kind.

What links two files is, in this order: the same pixels; the same stem but for a suffix, with the same second on the
camera's clock or in the same folder; the same instant on one camera; the same look. What keeps them apart whatever else
they share: another second, another camera, another counter. So frames of a burst are never versions, and a counter that
rolled over (an equal stem years apart) is none either. Sorting and hash buckets, never all pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from domain.imaging.hashes import perceptual_hash
from domain.near_hashes import near_pairs
from domain.version_names import folder_family, picture_name

TABLE = np.dtype([
    ("photo_id", "<i8"), ("at_us", "<i8"), ("camera", "<i8"), ("serial", "<i8"), ("phash", "<u8"), ("even", "?"),
    ("pixels", "<u8"), ("file", "<u8"), ("area", "<i8"),
])  # fmt: skip
"""One row a photo. `at_us`: microseconds of the camera's own clock, `NO_TIME` where it left none. `camera`, `serial`,
`pixels`, `file`: numbers for the camera's name, its serial and the two hashes; 0 is unknown. `phash`: 64 bits of looks,
which mean nothing where `even` (nothing to see in the picture). `area`: width times height, 0 unknown."""

NO_TIME = np.iinfo(np.int64).min
SAME_PIXELS, SAME_NAME, SAME_INSTANT, SAME_LOOK = 1, 2, 3, 4
"""Why a photo is in its group, the strongest link it has there."""

NEAR_BITS = 6
"""Hashes at most so far apart agree with other evidence. On the photographs of the tests: recompressed, resized,
sharpened and in grey 0 to 2 bits, toned 0 to 8, cropped by 2 % 0 to 6; two photographs are 16 and more apart."""
LOOK_BITS = 4
"""Without other evidence. Among a million unrelated hashes 6 bits are met by chance, 4 are not."""
POPULAR = 24
"""A hash that more different pictures share says nothing about any of them."""
LARGEST_GROUP = 64
_FINISHED = (".tif", ".tiff", ".psd")
_SECOND_US = 1_000_000
_SMALL = 4

Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


def find(table: NDArray[Any], names: Sequence[str], folders: Sequence[str]) -> Int:
    """Groups of two or more: int64 (m, 4) of photo_id, group number (0..), place in the stack (0 is in front), reason.

    `table`: structured (n,), fields of `TABLE`; `names` and `folders`: of the same rows, a folder as a path. In front
    stands the finished picture (TIFF, PSD), then what was worked on, then the largest. The order of rows never matters.
    """
    if not len(table) == len(names) == len(folders):
        raise ValueError(f"{len(table)} rows, {len(names)} names and {len(folders)} folders are not of one archive")
    order = np.argsort(table["photo_id"], kind="stable")
    rows = _Rows(table[order], [names[i] for i in order], [folders[i] for i in order])
    groups = _Groups(rows)
    for reason, pairs in (
        (SAME_PIXELS, _same_pixels(rows)), (SAME_NAME, _same_name(rows)), (SAME_INSTANT, _same_instant(rows)),
        (SAME_LOOK, _same_look(rows)),
    ):  # fmt: skip
        groups.join(pairs, reason)
    return groups.answer()


class _Rows:
    """The table's columns with what the names say, numbered."""

    def __init__(self, table: NDArray[Any], names: Sequence[str], folders: Sequence[str]) -> None:
        said = _said_by(names)
        self.table = table
        self.base, self.pattern, self.extension, self.number = (said[:, n] for n in range(4))
        self.worked = said[:, 4] != 0
        self.finished = said[:, 5] != 0
        self.folder = _numbered(folders)
        families = {folder: folder_family(folder) for folder in set(folders)}
        self.family = _numbered([families[folder] for folder in folders])
        self.timed: Bool = table["at_us"] != NO_TIME
        self.second: Int = table["at_us"] // _SECOND_US
        self.telling = ~table["even"] & ~np.isin(table["phash"], _flat_hashes()) & ~_popular(table)

    def same(self, column: Int | Bool, pairs: Int) -> Bool:
        same: Bool = column[pairs[:, 0]] == column[pairs[:, 1]]
        return same

    def both(self, column: Bool, pairs: Int) -> Bool:
        both: Bool = column[pairs[:, 0]] & column[pairs[:, 1]]
        return both

    def either(self, column: Bool, pairs: Int) -> Bool:
        either: Bool = column[pairs[:, 0]] | column[pairs[:, 1]]
        return either

    def differ(self, name: str, pairs: Int) -> Bool:
        """Both known, and not the same."""
        column = self.table[name]
        return ~self.same(column, pairs) & self.both(column != 0, pairs)

    def exact(self, pairs: Int) -> Bool:
        """The same instant by a clock that tells fractions of a second."""
        at = self.table["at_us"]
        return self.both(self.timed & (at % _SECOND_US != 0), pairs) & self.same(at, pairs)

    def bits(self, pairs: Int) -> NDArray[Any]:
        hashes = self.table["phash"]
        bits: NDArray[Any] = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])
        return bits

    def alike(self, pairs: Int) -> Bool:
        return (self.bits(pairs) <= NEAR_BITS) & self.both(self.telling, pairs)

    def nearest_first(self, pairs: Int) -> Int:
        return pairs[np.lexsort((pairs[:, 1], pairs[:, 0], self.bits(pairs)))]

    def other_exposure(self, pairs: Int) -> Bool:
        """Another time, or another frame by its counter; pixels that are equal outweigh that, nothing else does."""
        at = self.table["at_us"]
        timed = self.both(self.timed, pairs)
        finer = self.both(self.timed & (at % _SECOND_US != 0), pairs)
        other_time = timed & (~self.same(self.second, pairs) | (finer & ~self.same(at, pairs)))
        other_counter = self.same(self.pattern, pairs) & ~self.same(self.base, pairs)
        other_number = self.same(self.base, pairs) & ~self.same(self.number, pairs) & self.both(self.number > 0, pairs)
        return other_time | other_counter | (other_number & ~self.exact(pairs))

    def other_camera(self, pairs: Int) -> Bool:
        return self.differ("camera", pairs) | self.differ("serial", pairs)


def _said_by(names: Sequence[str]) -> Int:
    """(n, 6) numbers of each name: base, pattern, extension, number, worked, finished. Equal texts, equal numbers."""
    known: dict[str, int] = {}
    said = np.empty((len(names), 6), np.int64)
    for row, name in enumerate(names):
        base, worked, number, pattern, extension = picture_name(name)
        texts = (known.setdefault(text, len(known)) for text in (base, pattern, extension))
        said[row] = (*texts, number, worked, extension in _FINISHED)
    return said


def _numbered(values: Sequence[str]) -> Int:
    """Equal texts get equal numbers."""
    known: dict[str, int] = {}
    return np.fromiter((known.setdefault(value, len(known)) for value in values), np.int64, len(values))


@cache
def _flat_hashes() -> NDArray[np.uint64]:
    """Of even fields: grain vanishes in the hash's small copy, and what is left is rounding."""
    fields = (Image.new("L", (32, 32), grey) for grey in range(256))
    return np.unique(np.array([perceptual_hash(field) for field in fields], np.int64)).view(np.uint64)


def _popular(table: NDArray[Any]) -> Bool:
    """Rows whose hash more than `POPULAR` different pictures share."""
    _, at, inverse = np.unique(table["phash"], return_index=True, return_inverse=True)
    different = np.unique(np.stack([inverse.astype(np.uint64), table["pixels"]], axis=1), axis=0)
    counts = np.bincount(different[:, 0].astype(np.int64), minlength=len(at))
    popular: Bool = counts[inverse] > POPULAR
    return popular


def _in_buckets(among: Bool, *keys: Int) -> Int:
    """Index pairs (n, 2) of the rows `among` whose keys are equal; of a bucket, rows up to `LARGEST_GROUP` apart."""
    rows = np.flatnonzero(among)
    order = rows[np.lexsort((rows, *(key[rows] for key in keys)))]
    sorted_keys = [key[order] for key in keys]
    found = []
    for apart in range(1, min(LARGEST_GROUP, len(order))):
        equal = np.logical_and.reduce([key[:-apart] == key[apart:] for key in sorted_keys])
        if not equal.any():
            break
        at = np.flatnonzero(equal)
        found.append(np.stack([order[at], order[at + apart]], axis=1))
    return np.concatenate(found) if found else np.empty((0, 2), np.int64)


def _same_pixels(rows: _Rows) -> Int:
    """Neighbours only: equality carries on."""
    pairs = []
    for name in ("pixels", "file"):
        column = rows.table[name]
        order = np.argsort(column, kind="stable")
        equal = np.flatnonzero((column[order[1:]] == column[order[:-1]]) & (column[order[1:]] != 0))
        pairs.append(np.stack([order[equal], order[equal + 1]], axis=1))
    return np.concatenate(pairs)


def _same_name(rows: _Rows) -> Int:
    timed = _in_buckets(rows.timed, rows.second, rows.base)
    beside = _in_buckets(np.ones(len(rows.timed), bool), rows.family, rows.base)
    beside = beside[_named_side_by_side(rows, beside)]
    return np.concatenate([timed[_named_at_one_time(rows, timed)], rows.nearest_first(beside)])


def _named_at_one_time(rows: _Rows, pairs: Int) -> Bool:
    """Within one second a number alone may be the frame's: some programs name the frames of a second `-1`, `-2`."""
    numbered = rows.either(rows.number > 0, pairs)
    other_format = ~rows.same(rows.extension, pairs)
    agreed = rows.exact(pairs) | rows.either(rows.worked, pairs) | ~numbered | other_format
    return agreed & ~rows.other_exposure(pairs) & ~rows.other_camera(pairs)


def _named_side_by_side(rows: _Rows, pairs: Int) -> Bool:
    """Where one of the two lost its time: a word is enough, or another format in one folder, else the look."""
    one_number = rows.same(rows.number, pairs)
    worked = rows.either(rows.worked, pairs) & one_number
    other_format = ~rows.same(rows.extension, pairs) & one_number & rows.same(rows.folder, pairs)
    agreed = worked | other_format | rows.alike(pairs)
    return agreed & ~rows.both(rows.timed, pairs) & ~rows.other_exposure(pairs) & ~rows.other_camera(pairs)


def _same_instant(rows: _Rows) -> Int:
    """Other names, one camera. A clock of whole seconds needs the look, and another format: a burst has one."""
    pairs = _in_buckets(rows.timed & (rows.table["camera"] != 0), rows.second, rows.table["camera"])
    other_name = ~rows.same(rows.base, pairs)
    pairs = pairs[other_name & ~rows.other_exposure(pairs) & ~rows.other_camera(pairs)]
    agreed = rows.exact(pairs) | (rows.alike(pairs) & ~rows.same(rows.extension, pairs))
    return pairs[agreed]


def _same_look(rows: _Rows) -> Int:
    """Only where one of the two has no time: two times of a camera say whether they are one exposure."""
    telling = np.flatnonzero(rows.telling)
    pairs = telling[near_pairs(rows.table["phash"][telling], ~rows.timed[telling], LOOK_BITS)]
    return rows.nearest_first(pairs[~rows.other_exposure(pairs)])


class _Groups:
    """Groups that grow by the strongest links first, and never hold two exposures."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows
        self._members: dict[int, list[int]] = {}
        self._group_of: dict[int, int] = {}
        self._reason: dict[int, int] = {}

    def join(self, pairs: Int, reason: int) -> None:
        for one, other in pairs.tolist():
            a, b = self._group_of.get(one, one), self._group_of.get(other, other)
            if a == b:
                continue
            here, there = self._members.get(a, [a]), self._members.get(b, [b])
            if reason != SAME_PIXELS and not self._fit(here, there, reason):
                continue
            for row in (one, other):
                self._reason.setdefault(row, reason)
            # The smaller goes into the larger: a row changes its group at most log2 n times, however large that grows.
            if len(here) < len(there):
                a, b, here, there = b, a, there, here
            here.extend(there)
            self._members.pop(b, None)
            self._members[a] = here
            self._group_of.update(dict.fromkeys(there, a))
            self._group_of[a] = a

    def _fit(self, here: list[int], there: list[int], reason: int) -> bool:
        """A look must be shared with half of a group, so that likeness does not wander from picture to picture."""
        if len(here) + len(there) > LARGEST_GROUP:
            return False
        if len(here) == len(there) == 1:
            return True
        pairs = np.array([(a, b) for a in here for b in there])
        if self._rows.other_exposure(pairs).any():
            return False
        return reason != SAME_LOOK or 2 * int(self._rows.alike(pairs).sum()) >= len(pairs)

    def answer(self) -> Int:
        groups = sorted((sorted(members) for members in self._members.values()), key=lambda members: members[0])
        answer = [
            (self._rows.table["photo_id"][row], number, place, self._reason[row])
            for number, members in enumerate(groups)
            for place, row in enumerate(self._stacked(members))
        ]
        return np.array(answer, np.int64).reshape(-1, 4)

    def _stacked(self, members: list[int]) -> list[int]:
        """Exports for the web stand behind, whatever their name says."""
        rows, area = self._rows, self._rows.table["area"]
        largest = max(int(area[row]) for row in members)

        def behind(row: int) -> tuple[bool, bool, bool, int, int]:
            small = int(area[row]) * _SMALL < largest
            return not rows.finished[row], small, not rows.worked[row], -int(area[row]), row

        return sorted(members, key=behind)
