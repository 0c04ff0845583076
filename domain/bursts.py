"""Bursts: frames of one camera body, seconds apart, that show the same thing.

A sweep over capture times, never all pairs: the archive is cut wherever the shutter rested, and only the frames of
one such run are compared with each other. Chains are no bursts: every member of a group is similar to the group's
medoid (the frame with the highest summed similarity), and a group is bounded in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain import burst_intent
from domain.burst_intent import Look, Sequence

TABLE = np.dtype([("photo_id", "<i8"), ("at_us", "<i8"), ("body", "<i8"), ("focus", "<f4"), ("focus_noise", "<f4")])
"""One row a photo. `at_us`: microseconds of `DateTimeOriginal`, `NO_TIME` where the camera left none. `body`: a number
for the camera body. `focus`: NaN unknown. `focus_noise` (one standard error) may be absent: then only equals tie."""
INTENT_TABLE = np.dtype(TABLE.descr + burst_intent.FIELDS)
"""The same with what tells intent (`domain.burst_intent.FIELDS`)."""

NO_TIME = np.iinfo(np.int64).min
KEEPER, OTHER, TIE = 1, 0, -1

LONGEST_S = 60.0
"""A group spans at most this many seconds: a time-lapse is no burst."""
_LONGEST_RUN = 512
"""A run without a pause is cut at its longest gaps, so that memory and time stay linear in the archive."""
_ROWS_AT_ONCE = 4096

Float = NDArray[np.float32]
Int = NDArray[np.int64]


def detect(
    table: NDArray[Any], features: NDArray[Any], threshold: float, gap_s: float, longest_s: float = LONGEST_S
) -> Int:
    """Groups of two or more frames: int64 (m, 3) of photo_id, group number (0.. in capture order), keeper.

    `table`: structured (n,), fields of `TABLE`; `features`: (n, d) vectors of the same rows, may be memory-mapped.
    `threshold`: cosine at or above which two frames are alike; `gap_s`: longest pause inside a burst, seconds.
    Keeper is 1 for the frame with the highest focus and 0 for others; frames that no measurement can tell from the
    best are -1, and then there is no keeper.
    """
    order = _checked_order(table, features)
    return _answer(_bursts(table, features, order, threshold, gap_s, longest_s), table)


def find(
    table: NDArray[Any],
    features: NDArray[Any],
    threshold: float,
    gap_s: float,
    look: Look | None = None,
    longest_s: float = LONGEST_S,
) -> Int:
    """Bursts, and sequences that were meant as a whole: int64 (m, 4), the columns of `detect` and the intent.

    `table`: fields of `INTENT_TABLE`. Intent: `NO_INTENT` for a burst, else a key of `burst_intent.INTENTS`; such a
    sequence has no keeper, and none of its frames is in a burst. `look` gives a frame's grey thumbnail by its row.
    """
    order = _checked_order(table, features)
    meant = burst_intent.sequences(table, features, order, threshold, gap_s, look)
    taken = np.zeros(len(table), bool)
    for sequence in meant:
        taken[sequence.rows] = True
    bursts = _bursts(table, features, order[~taken[order]], threshold, gap_s, longest_s)
    return _merged(bursts, meant, order, table)


def _checked_order(table: NDArray[Any], features: NDArray[Any]) -> Int:
    if len(table) != len(features):
        raise ValueError(f"{len(table)} rows but {len(features)} vectors")
    return _capture_order(table)


def _bursts(
    table: NDArray[Any], features: NDArray[Any], order: Int, threshold: float, gap_s: float, longest_s: float
) -> list[Int]:
    """Rows of each group, the groups in capture order."""
    at, body = table["at_us"][order], table["body"][order]
    starts, stops = _runs(at, body, int(gap_s * 1e6))
    groups = list(_alike(starts, stops, order, at, features, threshold, gap_s, longest_s))
    groups.sort(key=lambda m: (int(m[0]), int(m[-1])))
    return [order[m] for m in groups]


def _merged(bursts: list[Int], meant: list[Sequence], order: Int, table: NDArray[Any]) -> Int:
    """Bursts and sequences in capture order, under one numbering."""
    place = np.empty(len(table), np.int64)
    place[order] = np.arange(len(order))
    every = [(burst_intent.NO_INTENT, rows) for rows in bursts] + [(s.intent, s.rows) for s in meant]
    every.sort(key=lambda pair: (int(place[pair[1][0]]), int(place[pair[1][-1]])))
    answer = _answer([rows for _, rows in every], table)
    intent = np.repeat(np.array([i for i, _ in every], np.int64), [len(rows) for _, rows in every])
    answer[intent != burst_intent.NO_INTENT, 2] = OTHER
    return np.column_stack([answer, intent]).astype(np.int64)


def _capture_order(table: NDArray[Any]) -> Int:
    """Rows with a time, by body and time; equal times by photo id, so that the order of the table never matters."""
    timed = np.flatnonzero(table["at_us"] != NO_TIME)
    rows = table[timed]
    return timed[np.lexsort((rows["photo_id"], rows["at_us"], rows["body"]))].astype(np.int64)


def _runs(at: Int, body: Int, gap_us: int) -> tuple[Int, Int]:
    """Start and stop of every run of two or more frames without a change of body or a pause above the gap."""
    if len(at) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    cut = np.flatnonzero((np.diff(body) != 0) | (np.diff(at) > gap_us)) + 1
    starts, stops = np.r_[0, cut], np.r_[cut, len(at)]
    several = stops - starts > 1
    return starts[several], stops[several]


def _alike(
    starts: Int,
    stops: Int,
    order: Int,
    at: Int,
    features: NDArray[Any],
    threshold: float,
    gap_s: float,
    longest_s: float,
) -> Iterator[Int]:
    """Positions (in capture order) of each group's members."""
    gap_us, longest_us = int(gap_s * 1e6), int(longest_s * 1e6)
    for block in _blocks(starts, stops, at):
        yield from _groups_of_block(block, _similarities(features, order[block]), at, threshold, gap_us, longest_us)


def _blocks(starts: Int, stops: Int, at: Int) -> Iterator[Int]:
    """Positions (runs, k) of equally long runs, as many as are compared at once; a long run by itself, cut."""
    for length in np.unique(stops - starts):
        of_length = starts[stops - starts == length]
        if length > _LONGEST_RUN:
            for start in of_length:
                yield from (piece[None] for piece in _pieces(np.arange(start, start + length), at))
            continue
        step = max(1, _ROWS_AT_ONCE // int(length))
        for first in range(0, len(of_length), step):
            yield of_length[first : first + step, None] + np.arange(length)


def _groups_of_block(
    block: Int, similar: Float, at: Int, threshold: float, gap_us: int, longest_us: int
) -> Iterator[Int]:
    """Groups of equally long runs. Frames that are all alike, without a pause, are one without a loop over them."""
    times, length = at[block], block.shape[1]
    alike = (similar >= threshold) & (np.abs(times[:, :, None] - times[:, None, :]) <= longest_us)
    alike[:, np.arange(length), np.arange(length)] = False
    parts = _connected(alike)
    degree = alike.sum(axis=2).ravel()
    nodes = np.argsort(parts, kind="stable")
    nodes = nodes[degree[nodes] > 0]
    first = np.flatnonzero(np.diff(parts[nodes], prepend=-1) != 0)
    sizes = np.diff(np.r_[first, len(nodes)])
    if not len(nodes):
        return
    pause = np.diff(times.ravel()[nodes], prepend=0)
    pause[first] = 0
    whole = (np.add.reduceat(degree[nodes], first) == sizes * (sizes - 1)) & (
        np.maximum.reduceat(pause, first) <= gap_us
    )
    for members, one in zip(np.split(nodes, first[1:]), whole, strict=True):
        if one:
            yield block.ravel()[members]
            continue
        run, within = int(members[0]) // length, members % length
        for group in _peel(similar[run][np.ix_(within, within)], times[run, within], threshold, gap_us, longest_us):
            yield block[run, within[group]]


def _connected(alike: NDArray[np.bool_]) -> Int:
    """A number for every frame of every run, (runs * k,): the same for frames that links of likeness connect."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    runs, length, _ = alike.shape
    run, one, other = np.nonzero(alike)
    links = (np.ones(len(run), np.int8), (run * length + one, run * length + other))
    labels: Int = connected_components(coo_array(links, (runs * length, runs * length)), directed=False)[1]
    return labels.astype(np.int64)


def _similarities(features: NDArray[Any], rows: Int) -> Float:
    """Cosines (runs, k, k) within each run of rows (runs, k). A vector that is zero or not finite is like no other."""
    vectors = np.asarray(features[rows.ravel()], dtype=np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    known = np.isfinite(lengths) & (lengths > 0)
    vectors /= np.where(known, lengths, 1.0)[:, None]
    vectors[~known] = 0.0
    vectors = vectors.reshape(*rows.shape, -1)
    similar: Float = vectors @ vectors.transpose(0, 2, 1)
    return similar


def _pieces(run: Int, at: Int) -> Iterator[Int]:
    """A very long run, cut at the longest gap in the second half of every `_LONGEST_RUN` frames."""
    while len(run) > _LONGEST_RUN:
        half = _LONGEST_RUN // 2
        gaps = np.diff(at[run[half - 1 : _LONGEST_RUN]])
        cut = half + int(np.argmax(gaps))
        yield run[:cut]
        run = run[cut:]
    yield run


def _peel(similar: Float, at: Int, threshold: float, gap_us: int, longest_us: int) -> Iterator[Int]:
    """Takes the frame with the most look-alikes and its group off the run, until no two frames are alike."""
    alike = (similar >= threshold) & (np.abs(at[:, None] - at[None, :]) <= longest_us)
    np.fill_diagonal(alike, True)
    left = np.ones(len(at), bool)
    while left.any():
        counts = (alike & left).sum(axis=1) * left
        if counts.max() < 2:
            return
        best = np.flatnonzero(counts == counts.max())
        centre = best[np.argmax((similar[best] * (alike[best] & left)).sum(axis=1))]
        members = _around(int(centre), alike, similar, left, at, threshold, gap_us, longest_us)
        left[members] = False
        left[centre] = False
        if len(members) > 1:
            yield members


def _around(
    centre: int,
    alike: NDArray[np.bool_],
    similar: Float,
    left: NDArray[np.bool_],
    at: Int,
    threshold: float,
    gap_us: int,
    longest_us: int,
) -> Int:
    """The group around a frame: shrunk until all its members are like its own medoid and no pause is too long."""
    members = np.flatnonzero(alike[centre] & left)
    while True:
        kept = _without_pauses(members, centre, at, gap_us, longest_us)
        centre = int(kept[np.argmax(similar[np.ix_(kept, kept)].sum(axis=1))])
        kept = np.compress((similar[centre, kept] >= threshold) | (kept == centre), kept)
        if len(kept) == len(members):
            return kept
        members = kept


def _without_pauses(members: Int, centre: int, at: Int, gap_us: int, longest_us: int) -> Int:
    """The stretch of members around the centre without a pause above the gap, at most `longest_us` long."""
    pauses = np.flatnonzero(np.diff(at[members]) > gap_us) + 1
    here = int(np.searchsorted(members, centre))
    bounds = np.r_[0, pauses, len(members)]
    part = int(np.searchsorted(bounds, here, side="right")) - 1
    stretch = members[bounds[part] : bounds[part + 1]]
    while at[stretch[-1]] - at[stretch[0]] > longest_us:
        far_end = at[stretch[-1]] - at[centre] >= at[centre] - at[stretch[0]]
        stretch = stretch[:-1] if far_end else stretch[1:]
    return stretch


def _answer(groups: list[Int], table: NDArray[Any]) -> Int:
    if not groups:
        return np.empty((0, 3), np.int64)
    rows = np.concatenate(groups)
    sizes = np.array([len(g) for g in groups])
    number = np.repeat(np.arange(len(groups)), sizes)
    keeper = _keepers(table, rows, np.r_[0, np.cumsum(sizes)[:-1]], number)
    return np.column_stack([table["photo_id"][rows], number, keeper]).astype(np.int64)


def _keepers(table: NDArray[Any], rows: Int, first: Int, number: Int) -> Int:
    """1 for the sharpest of each group, 0 for the others; -1 for all that are within its noise, if there are any.

    A frame knows its noise from few places of its own. The frames of a group show the same, so that the middle of what
    they say, relative to their focus, is known better.
    """
    focus = table["focus"][rows].astype(np.float64)
    noise = table["focus_noise"][rows].astype(np.float64) if "focus_noise" in (table.dtype.names or ()) else 0.0 * focus
    known = np.where(np.isfinite(focus), focus, -np.inf)
    best = np.maximum.reduceat(known, first)[number]
    relative = np.divide(noise, focus, out=np.full(len(rows), np.nan), where=np.isfinite(focus) & (focus > 0))
    with np.errstate(invalid="ignore"):
        # Unknown against unknown is nan: nothing known about any frame of the group, so all of them tie.
        behind = best - known
        level = np.isnan(behind) | (behind <= _medians(relative, first, number)[number] * best)
    tied = np.add.reduceat(level.astype(np.int64), first)[number] > 1
    return np.where(level, np.where(tied, TIE, KEEPER), OTHER).astype(np.int64)


def _medians(values: NDArray[np.float64], first: Int, number: Int) -> NDArray[np.float64]:
    """Of each group, which begins at `first`, over what is finite; 0 where nothing is."""
    sorted_values = values[np.lexsort((np.where(np.isfinite(values), values, np.inf), number))]
    counts = np.add.reduceat(np.isfinite(values).astype(np.int64), first)
    lower, upper = sorted_values[first + np.maximum(counts - 1, 0) // 2], sorted_values[first + counts // 2]
    return np.where(counts > 0, (lower + upper) / 2, 0.0)
