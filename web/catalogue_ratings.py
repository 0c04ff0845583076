"""Ratings from a Lightroom catalogue or darktable's library: matched by path, counted, and taken over when accepted.

The paths of a catalogue are those of the machine that it was made on. What does not lie at its path is looked for by
the longest common end of the path, never by its bare name (counters roll over); the folders that this pairs are shown.
"""

from __future__ import annotations

import asyncio
import unicodedata
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.settings import Settings
from domain.catalogues import Catalogue, CatalogueEntry, read_catalogue
from domain.errors import DomainError
from web.database import Connection
from web.decisions import in_one_transaction
from web.errors import RequestError
from web.foreign_ratings import said_by, take_over

_SAMPLE = 1_000
_EXAMPLES = 20
_LEAST_VOTES = 2

Pair = tuple[str, str]
"""(folder as the catalogue has it, the same folder here)."""


@dataclass
class Counts:
    """What a catalogue holds, and what accepting it would do. Shown before anything is taken over."""

    program: str
    files: int = 0
    rated: dict[int, int] = field(default_factory=dict)
    """Files by stars, without darktable's untouched single star."""
    rejected: int = 0
    unrated: int = 0
    untouched_one_star: int = 0
    """darktable gives one star to everything that it imports; taken over only when asked for."""
    from_copies: int = 0
    """Stars that only a virtual copy or a duplicate has."""
    matched: int = 0
    not_found: int = 0
    examples_not_found: list[str] = field(default_factory=list)
    folders: list[dict[str, Any]] = field(default_factory=list)
    """`{from, to}`: where the catalogue's folders were taken to lie here."""
    fills: int = 0
    replaces: int = 0
    """Differs from what was found in the file; the catalogue is newer in the person's mind."""
    same: int = 0
    kept: int = 0
    """The person decided otherwise here; stays."""
    accepted: int | None = None
    action_id: uuid.UUID | None = None


async def load(settings: Settings, path: Path) -> Catalogue:
    """Raises RequestError with the sentence of what is wrong with it."""
    try:
        return await asyncio.to_thread(read_catalogue, path, settings.home / "catalogues")
    except DomainError as error:
        raise RequestError(422, error.sentence) from error


async def preview(
    connection: Connection, catalogue: Catalogue, pairs: Sequence[Pair] = (), *, one_star: bool = False
) -> Counts:
    """What accepting would do; changes nothing."""
    async with connection.transaction():
        return (await _compare(connection, catalogue, pairs, one_star))[0]


async def accept(
    connection: Connection,
    catalogue: Catalogue,
    pairs: Sequence[Pair] = (),
    *,
    one_star: bool = False,
    action_id: uuid.UUID | None = None,
) -> Counts:
    """Takes over what `preview` counts as fills and replaces: one action, which can be undone."""

    async def work() -> Counts:
        counts, wanted, before = await _compare(connection, catalogue, pairs, one_star)
        name = action_id or uuid.uuid4()
        counts.accepted = len(await take_over(connection, wanted, before, "import", name, "catalogue"))
        counts.action_id = name if counts.accepted else None
        return counts

    return await in_one_transaction(connection, work)


async def _compare(
    connection: Connection, catalogue: Catalogue, pairs: Sequence[Pair], one_star: bool
) -> tuple[Counts, dict[int, int], dict[int, int | None]]:
    counts = _counted(catalogue)
    speaking = [e for e in catalogue.entries if e.stars and (one_star or not e.untouched)]
    found, used = await _matched(connection, speaking, pairs)
    counts.folders = [{"from": old, "to": new} for old, new in used]
    missing = [e.path for e in speaking if e.path not in found]
    counts.matched, counts.not_found = len(found), len(missing)
    counts.examples_not_found = missing[:_EXAMPLES]
    wanted = _wanted(speaking, found)
    return await _sorted_out(connection, counts, wanted)


def _counted(catalogue: Catalogue) -> Counts:
    counts = Counts(catalogue.program, files=len(catalogue.entries))
    told = [e for e in catalogue.entries if not e.untouched]
    counts.untouched_one_star = counts.files - len(told)
    counts.rejected = sum(e.stars < 0 for e in told)
    counts.unrated = sum(e.stars == 0 for e in told)
    counts.from_copies = sum(e.from_copy for e in told)
    stars = Counter(e.stars for e in told)
    counts.rated = {n: stars[n] for n in range(1, 6)}
    return counts


def _wanted(entries: Iterable[CatalogueEntry], found: dict[str, tuple[int, int]]) -> dict[int, int]:
    """`{photo: stars}`; of a RAW and its JPEG the RAW's stars count."""
    best: dict[int, tuple[int, int]] = {}
    for entry in entries:
        if entry.path in found:
            photo_id, rank = found[entry.path]
            best[photo_id] = min(best.get(photo_id, (9, 0)), (rank, entry.stars), key=lambda pair: pair[0])
    return {photo_id: stars for photo_id, (_, stars) in best.items()}


async def _sorted_out(
    connection: Connection, counts: Counts, wanted: dict[int, int]
) -> tuple[Counts, dict[int, int], dict[int, int | None]]:
    rows = await connection.fetch(
        """SELECT photo_id, rating, rating_source, rejected, rejected_source FROM decisions
           WHERE photo_id = ANY ($1)""",
        list(wanted),
    )
    here = {row["photo_id"]: row for row in rows}
    taken, before = {}, {}
    for photo_id, stars in wanted.items():
        row = here.get(photo_id)
        said = said_by(row) if row else None
        if said == stars:
            counts.same += 1
        elif row and _is_persons(row, stars):
            counts.kept += 1
        else:
            counts.fills += said is None
            counts.replaces += said is not None
            taken[photo_id], before[photo_id] = stars, said
    return counts, taken, before


def _is_persons(row: Any, stars: int) -> bool:
    """Whether the person decided what these stars would change."""
    if row["rating_source"] == "person":
        return True
    return row["rejected_source"] == "person" and (stars < 0 or bool(row["rejected"]))


# --- by path ----------------------------------------------------------------------------------------------------------

_MATCH = """
WITH wanted AS (SELECT n, path, lower(normalize(path, NFC)) AS folded
                FROM unnest($1::int[], $2::text[]) AS w (n, path)),
places AS (
    SELECT p.id, r.path || '/' || p.rel_path AS path, 0 AS rank
    FROM photos p JOIN library_roots r ON r.id = p.root_id WHERE p.discarded_at IS NULL
    UNION ALL
    SELECT p.id, r.path || '/' || p.companion_rel_path, 1
    FROM photos p JOIN library_roots r ON r.id = p.root_id
    WHERE p.discarded_at IS NULL AND p.companion_rel_path IS NOT NULL
    UNION ALL
    SELECT l.photo_id, r.path || '/' || l.rel_path, 0
    FROM photo_locations l JOIN library_roots r ON r.id = l.root_id
)
SELECT DISTINCT ON (w.n) w.n, p.id, p.rank FROM wanted w
JOIN places p ON lower(normalize(p.path, NFC)) = w.folded ORDER BY w.n, p.path <> w.path, p.rank, p.id
"""
_NAMESAKES = """
SELECT w.n, r.path || '/' || p.rel_path AS path FROM unnest($1::int[], $2::text[]) AS w (n, name)
JOIN gallery g ON g.name = lower(normalize(w.name, NFC)) JOIN photos p ON p.id = g.photo_id
JOIN library_roots r ON r.id = p.root_id
"""


async def _matched(
    connection: Connection, entries: Sequence[CatalogueEntry], pairs: Sequence[Pair]
) -> tuple[dict[str, tuple[int, int]], list[Pair]]:
    """`{catalogue path: (photo, rank)}`, and the pairs of folders that were used: those given, else those inferred."""
    paths = [entry.path for entry in entries]
    found = await _at(connection, {path: moved(path, pairs) for path in paths})
    if pairs:
        return found, list(pairs)
    missing = [path for path in paths if path not in found]
    inferred = await _inferred(connection, missing)
    there = await _at(connection, {path: moved(path, inferred) for path in missing}) if inferred else {}
    used = [pair for pair in inferred if any(_below(path, pair[0]) for path in there)]
    return found | there, used


async def _at(connection: Connection, places: dict[str, str]) -> dict[str, tuple[int, int]]:
    paths = list(places)
    rows = await connection.fetch(_MATCH, list(range(len(paths))), [_storable(places[path]) for path in paths])
    return {paths[row["n"]]: (row["id"], row["rank"]) for row in rows}


def _storable(path: str) -> str:
    return path.replace("\0", "").encode("utf-8", "replace").decode()


def moved(path: str, pairs: Sequence[Pair]) -> str:
    """The path here of a path of the catalogue; the deepest folder that fits counts."""
    for old, new in sorted(pairs, key=lambda pair: -len(pair[0])):
        if _below(path, old):
            return f"{new.rstrip('/')}/{path[len(old.rstrip('/')) :].lstrip('/')}"
    return path


def _below(path: str, folder: str) -> bool:
    return path.casefold().startswith(folder.rstrip("/").casefold() + "/")


async def _inferred(connection: Connection, missing: Sequence[str]) -> list[Pair]:
    """Pairs of folders that explain the most of a sample; none lies inside another."""
    step = max(1, len(missing) // _SAMPLE)
    sample = list(missing[::step])
    names = [_storable(path.rpartition("/")[2]) for path in sample]
    rows = await connection.fetch(_NAMESAKES, list(range(len(sample))), names)
    candidates: dict[int, list[str]] = {}
    for row in rows:
        candidates.setdefault(row["n"], []).append(row["path"])
    votes = Counter(pair for n, paths in candidates.items() if (pair := _pair(sample[n], paths)))
    chosen: list[Pair] = []
    for (old, new), n in votes.most_common():
        if n >= min(_LEAST_VOTES, len(sample)) and not any(_overlap(old, other) for other, _ in chosen):
            chosen.append((old, new))
    return chosen


def _overlap(one: str, other: str) -> bool:
    return one.casefold() == other.casefold() or _below(one, other) or _below(other, one)


def _pair(path: str, candidates: Sequence[str]) -> Pair | None:
    """The folders above the longest common end, of at least a folder and a name; None when several share it."""
    ends = [(_common_end(path, candidate), candidate) for candidate in candidates]
    longest = max(length for length, _ in ends)
    best = [candidate for length, candidate in ends if length == longest]
    if longest < 2 or len(best) > 1:
        return None
    return _above(path, longest), _above(best[0], longest)


def _common_end(one: str, other: str) -> int:
    n = 0
    for a, b in zip(reversed(_parts(one)), reversed(_parts(other)), strict=False):
        if a != b:
            break
        n += 1
    return n


def _parts(path: str) -> list[str]:
    return [part for part in unicodedata.normalize("NFC", path).casefold().split("/") if part]


def _above(path: str, levels: int) -> str:
    return path.rsplit("/", levels)[0] or "/"
