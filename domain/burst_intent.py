"""Sequences that were meant as a whole: exposure brackets, focus stacks, panoramas. None of them has a best frame.

The camera's own word counts first (`domain.shooting`). Without it there must be evidence that chance and automatics
do not give: an automatic exposure that drifts is no bracket, a focus that follows somebody is no stack, and a hand that
shakes, or a subject that moves, is no panorama. In doubt it is a burst.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.frame_shift import Shift, shift_between, structure
from domain.shooting import AUTOMATIC, BRACKETING, FOCUS_STEPS, PANORAMA, TRACKING

NO_INTENT, BRACKET, FOCUS_STACK, PANORAMA_SWEEP = range(4)
INTENTS = {BRACKET: "bracket", FOCUS_STACK: "focus_stack", PANORAMA_SWEEP: "panorama"}

FIELDS = [
    ("exposure_ev", "<f4"), ("exposure_s", "<f4"), ("bias_ev", "<f4"), ("focal_mm", "<f4"), ("distance_m", "<f4"),
    ("phash", "<i8"), ("generation", "<i4"), ("said", "u1"),
]  # fmt: skip
"""Columns of the burst table that tell intent. NaN unknown. `exposure_ev`: stops (`domain.shooting.exposure_ev`).
`phash`: `domain.imaging.hashes.perceptual_hash`. `generation`: of the thumbnail. `said`: bits of `domain.shooting`."""

Look = Callable[[int], NDArray[np.generic] | None]
"""A frame's grey thumbnail (h, w) by its row in the table; None where there is none to look at."""

PATIENCE = 2.0
"""Somebody who turns a ring or a tripod between two frames takes this many times the gap of a burst."""
SMALLEST_BIAS_EV, SMALLEST_STEP_EV, SAME_EXPOSURE_EV, EVEN_EV = 0.25, 0.6, 0.5, 0.2
"""Steps of compensation, and of exposure by hand, that count; drift that a panorama may have; how even steps are."""
FEWEST_IN_STACK, FOCUS_STEP, FOCUS_SPAN = 4, 1.02, 1.15
"""Frames of a focus stack without the camera's word, ratio of neighbouring distances, and of the outermost."""
FRAMED_ALIKE, SHIFTED_FROM, SHIFTED_TO = 0.05, 0.10, 0.85
"""Shift of one framing at most; shift between a panorama's frames, in frames."""
LIKENESS = 0.25
"""`Shift.likeness` from which an overlap is one. Measured: pairs of different photographs lie above in 0.7 % of cases,
frames of a turned camera in all (`tests/domain/test_burst_intent.py`)."""
STRAIGHT = 0.25
"""Sideways part of a panorama's steps at most, and how much shorter or longer than the middle one steps may be."""
MOVED_BITS = 8
"""Bits of the perceptual hash that differ at least when the framing moved by a tenth."""
SWEPT_S = 0.3
"""Seconds between a panorama's frames at least: faster is a camera that follows somebody."""
RELATED = 0.45
"""How far below the burst's threshold two frames of one sequence may be in cosine: two stops, or another side."""

Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Sequence:
    """Rows of the table in capture order, and what they were meant as (`BRACKET`, `FOCUS_STACK`, `PANORAMA_SWEEP`)."""

    intent: int
    rows: Int


def sequences(
    table: NDArray[Any], features: NDArray[Any], order: Int, threshold: float, gap_s: float, look: Look | None = None
) -> list[Sequence]:
    """Intended sequences of two or more frames; no frame is in two.

    `table`: structured (n,) with `FIELDS` beside those of `domain.bursts.TABLE`; `order`: its rows by body and time.
    `threshold`: the burst's cosine. Without `look` only what needs no picture is found.
    """
    if len(order) < 2:
        return []
    frames = _Frames(table, features, order, threshold, gap_s, look)
    free = np.ones(len(order), bool)
    found: list[Sequence] = []
    for intent, find in _FINDERS:
        for start, stop in find(frames, free):
            if free[start:stop].all():
                free[start:stop] = False
                found.append(Sequence(intent, order[start:stop]))
    return found


class _Frames:
    """The table in capture order; positions below are places in that order, pair i is (i, i + 1)."""

    def __init__(
        self, table: NDArray[Any], features: NDArray[Any], order: Int, threshold: float, gap_s: float, look: Look | None
    ) -> None:
        self.features, self.order, self.look, self.threshold = features, order, look, threshold
        self.at = table["at_us"][order]
        self.ev, self.bias, self.focal, self.distance = (
            table[name][order].astype(np.float64) for name in ("exposure_ev", "bias_ev", "focal_mm", "distance_m")
        )
        self.said, self.phash = table["said"][order], table["phash"][order]
        body = table["body"][order]
        exposed = np.nan_to_num(table["exposure_s"][order][:-1].astype(np.float64))
        pause_s = np.diff(self.at) / 1e6 - exposed
        self.linked = (np.diff(body) == 0) & (pause_s <= PATIENCE * gap_s)
        self._structure = lru_cache(maxsize=64)(self._structured)

    def says(self, bit: int) -> NDArray[np.bool_]:
        said: NDArray[np.bool_] = (self.said & bit) != 0
        return said

    def both(self, bit: int) -> NDArray[np.bool_]:
        """Pairs whose frames both say so."""
        said = self.says(bit)
        pairs: NDArray[np.bool_] = said[:-1] & said[1:] & self.linked
        return pairs

    def step(self, values: Float) -> Float:
        """By how much each pair differs; 0 where one is unknown."""
        return np.nan_to_num(np.diff(values))

    def related(self, i: int) -> bool:
        """Whether pair i may show one scene at all."""
        pair = np.asarray(self.features[self.order[i : i + 2]], np.float64)
        lengths = np.linalg.norm(pair, axis=1)
        return bool(lengths.all() and pair[0] @ pair[1] / lengths.prod() >= self.threshold - RELATED)

    def shift(self, i: int) -> Shift | None:
        """Of pair i, as its thumbnails show it."""
        first, second = self._structure(i), self._structure(i + 1)
        return None if first is None or second is None else shift_between(first, second)

    def _structured(self, i: int) -> NDArray[np.float32] | None:
        grey = self.look(int(self.order[i])) if self.look else None
        return None if grey is None else structure(grey)

    def framed_alike(self, start: int, stop: int) -> bool:
        """Whether all frames show the same section; without thumbnails, whether all are alike enough for a burst."""
        return all(self._same_section(i) for i in range(start, stop - 1))

    def _same_section(self, i: int) -> bool:
        shift = self.shift(i)
        return shift is not None and shift.length <= FRAMED_ALIKE and shift.likeness >= LIKENESS

    def brightness(self, i: int) -> float:
        grey = self.look(int(self.order[i])) if self.look else None
        return float("nan") if grey is None else float(np.mean(np.asarray(grey, np.float64)))


def _stretches(pairs: NDArray[np.bool_], free: NDArray[np.bool_], fewest: int) -> Iterator[tuple[int, int]]:
    """Start and stop of every stretch of frames whose pairs all hold and that nothing has taken."""
    holds = np.r_[False, pairs & free[:-1] & free[1:], False].astype(np.int8)
    change = np.flatnonzero(np.diff(holds))
    for start, last in zip(change[::2], change[1::2], strict=True):
        if last - start + 1 >= fewest:
            yield int(start), int(last) + 1


def _where(frames: _Frames, start: int, stop: int, holds: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    """The stretch cut where a pair does not hold."""
    for i in range(start, stop - 1):
        if not holds(i):
            yield start, i + 1
            start = i + 1
    yield start, stop


# --- exposure brackets -------------------------------------------------------------------------------------------


def _declared_brackets(frames: _Frames, free: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    for first, last in _stretches(frames.both(BRACKETING), free, 2):
        for start, stop in _where(frames, first, last, frames.related):
            values = _exposures(frames, start, stop)
            for low, high in _sets(values):
                if high - low > 1 and not np.ptp(values[low:high]) < SMALLEST_BIAS_EV:
                    yield start + low, start + high


def _exposures(frames: _Frames, start: int, stop: int) -> Float:
    """What tells the frames of a bracket apart: compensation, else exposure. NaN throughout where neither is known."""
    bias = frames.bias[start:stop]
    if np.isfinite(bias).all() and np.ptp(bias) >= SMALLEST_BIAS_EV:
        return bias
    return frames.ev[start:stop]


def _sets(values: Float) -> Iterator[tuple[int, int]]:
    """The next set begins with the first exposure that the present one has already."""
    start = 0
    for i, value in enumerate(values):
        if (np.abs(values[start:i] - value) < EVEN_EV).any():
            yield start, i
            start = i
    yield start, len(values)


def _undeclared_brackets(frames: _Frames, free: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    by_hand = ~frames.says(AUTOMATIC)
    stepped = np.abs(frames.step(frames.bias)) >= SMALLEST_BIAS_EV
    exposed = np.abs(frames.step(frames.ev)) >= SMALLEST_STEP_EV
    pairs = frames.linked & (stepped | (exposed & by_hand[:-1] & by_hand[1:]))
    for first, last in _stretches(pairs, free, 3):
        values = _exposures(frames, first, last)
        for low, high in _sets(values):
            start, stop = first + low, first + high
            if high - low >= 3 and _evenly_stepped(values[low:high]) and _meant(frames, start, stop):
                yield start, stop


def _evenly_stepped(values: Float) -> bool:
    steps = np.diff(np.sort(values))
    return bool(np.isfinite(values).all() and np.ptp(steps) <= EVEN_EV)


def _meant(frames: _Frames, start: int, stop: int) -> bool:
    """One framing, and the pictures became lighter as the exposure says: an automatic would have kept them alike."""
    if not frames.framed_alike(start, stop):
        return False
    exposed = frames.ev[start:stop] if np.isfinite(frames.ev[start:stop]).all() else frames.bias[start:stop]
    light = np.array([frames.brightness(i) for i in range(start, stop)])[np.argsort(exposed)]
    return bool((np.diff(light) > 0).all())


# --- focus stacks ------------------------------------------------------------------------------------------------


def _declared_stacks(frames: _Frames, free: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    for first, last in _stretches(frames.both(FOCUS_STEPS), free, 2):
        for start, stop in _where(frames, first, last, frames.related):
            if stop - start > 1:
                yield start, stop


def _undeclared_stacks(frames: _Frames, free: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    still = ~frames.says(TRACKING)
    steady = np.abs(frames.step(frames.ev)) <= SAME_EXPOSURE_EV
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.nan_to_num(frames.distance[1:] / frames.distance[:-1], nan=1.0)
    for onward in (ratio >= FOCUS_STEP, (ratio <= 1 / FOCUS_STEP) & (ratio > 0)):
        pairs = frames.linked & onward & steady & still[:-1] & still[1:]
        for start, stop in _stretches(pairs, free, FEWEST_IN_STACK):
            ends = frames.distance[[start, stop - 1]]
            if ends.max() / ends.min() >= FOCUS_SPAN and frames.framed_alike(start, stop):
                yield start, stop


# --- panoramas ---------------------------------------------------------------------------------------------------


def _declared_panoramas(frames: _Frames, free: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    yield from _stretches(frames.both(PANORAMA), free, 2)


def _undeclared_panoramas(frames: _Frames, free: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    if frames.look is None:
        return
    bits = np.bitwise_count((frames.phash[1:] ^ frames.phash[:-1]).view(np.uint64))
    pairs = (
        frames.linked
        & (np.abs(frames.step(frames.focal)) < 0.5)
        & (np.abs(frames.step(frames.ev)) <= SAME_EXPOSURE_EV)
        & (bits >= MOVED_BITS)
    )
    for first, last in _stretches(pairs, free, 3):
        for start, stop in _where(frames, first, last, frames.related):
            yield from _sweeps(frames, start, stop)


def _sweeps(frames: _Frames, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Stretches of three or more frames that each overlap the next, all moved the same way."""
    if stop - start < 3:
        return
    begin, course = start, list[Shift]()
    for i in range(start, stop):
        shift = frames.shift(i) if i + 1 < stop else None
        if shift is not None and _overlaps(shift) and _keeps_course([*course, shift]):
            course.append(shift)
            continue
        if len(course) >= 2 and frames.at[i] - frames.at[begin] >= SWEPT_S * 1e6 * len(course):
            yield begin, i + 1
            begin, course = i + 1, []
        elif shift is not None and _overlaps(shift):
            begin, course = i, [shift]
        else:
            begin, course = i + 1, []


def _overlaps(shift: Shift) -> bool:
    return SHIFTED_FROM <= shift.length <= SHIFTED_TO and shift.likeness >= LIKENESS


def _keeps_course(course: list[Shift]) -> bool:
    """Whether every step goes the way of the first, and about as far as the mean of them."""
    steps = np.array([[step.across, step.down] for step in course])
    way = steps.sum(axis=0) / np.linalg.norm(steps.sum(axis=0)).clip(1e-9)
    along, sideways = steps @ way, np.abs(steps @ np.array([-way[1], way[0]]))
    mean = along.mean()
    return bool(((along > mean / 2) & (along < mean * 2) & (sideways <= STRAIGHT * mean)).all())


_FINDERS: tuple[tuple[int, Callable[[_Frames, NDArray[np.bool_]], Iterator[tuple[int, int]]]], ...] = (
    (FOCUS_STACK, _declared_stacks),
    (BRACKET, _declared_brackets),
    (PANORAMA_SWEEP, _declared_panoramas),
    (BRACKET, _undeclared_brackets),
    (FOCUS_STACK, _undeclared_stacks),
    (PANORAMA_SWEEP, _undeclared_panoramas),
)
