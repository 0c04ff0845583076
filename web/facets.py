"""What the facets of a view hold, with counts, and how far its numbers reach.

One pass over the view counts all facets together. A facet that the query sets is counted in a pass of its own as if it
were not set, so that a person can switch; the same holds for a number's range. Each count is the size of the view after
choosing that value.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from web.database import Connection, Record
from web.gallery_query import NUMBERS, GalleryQuery, conditions
from web.progress import tab_counts

AT_MOST = 50
"""Values of a facet."""

_COLUMNS = {
    "project": "g.project_id",
    "camera": "g.camera",
    "lens": "g.lens",
    "type": "g.content_type",
    "folder": "g.folder",
    "import": "g.import_id",
}
_FIELDS = {"import": "import_id"}
"""The query's field where it has another name than the facet."""

Counts = dict[Any, int]
"""Photographs by value; of a folder, by its root's id and its path below it."""


async def facets(connection: Connection, query: GalleryQuery) -> dict[str, Any]:
    """Values and counts by facet, at most `AT_MOST` by count descending, and `ranges`: (lowest, highest) or None."""
    counted: dict[str, Counts] = {}
    free = [name for name in _COLUMNS if getattr(query, _FIELDS.get(name, name)) is None]
    total, counted = await _counts(connection, query, free)
    for name in _COLUMNS.keys() - set(free):
        counted |= (await _counts(connection, _without(query, _FIELDS.get(name, name)), [name]))[1]
    return {
        "project": _top(await _named(connection, "SELECT id, name FROM projects", counted["project"])),
        **{name: _top(counted[name]) for name in ("camera", "lens", "type")},
        "tag": _top(await _tags(connection, query, total)),
        "folder": await _folders(connection, counted["folder"]),
        "import": await _imports(connection, counted["import"]),
        "ranges": await _ranges(connection, query),
    }


def _without(query: GalleryQuery, *fields: str) -> GalleryQuery:
    return query.model_copy(update=dict.fromkeys(fields))


async def _counts(connection: Connection, view: GalleryQuery, names: Sequence[str]) -> tuple[int, dict[str, Counts]]:
    """The size of the view, and the counts of these facets in it; photographs without a value are left out."""
    where = conditions(view)
    columns = [_COLUMNS[name] for name in names]
    sets = [f"({_COLUMNS[name]}{', g.root_id' if name == 'folder' else ''})" for name in names]
    which = f"GROUPING({', '.join(columns)})" if columns else "0"
    rows = await connection.fetch(
        f"""SELECT {which} AS which, count(*) AS n, {"g.root_id" if "folder" in names else "NULL"} AS root,
                {", ".join([*columns, "NULL"])}
            FROM gallery g WHERE {where.sql()} GROUP BY GROUPING SETS ({", ".join([*sets, "()"])})""",
        *where.values,
    )
    # A bit of `which` is 0 where its column is grouped by; the first column has the highest bit.
    everything = (1 << len(names)) - 1
    place = {everything ^ (1 << n): position for n, position in enumerate(reversed(range(len(names))))}
    total, counted = 0, {name: Counts() for name in names}
    for row in rows:
        if row["which"] == everything:
            total = row["n"]
            continue
        name, value = names[place[row["which"]]], row[3 + place[row["which"]]]
        if value is not None:
            counted[name][(row["root"], value) if name == "folder" else value] = row["n"]
    return total, counted


def _top(counts: Mapping[Any, int]) -> list[dict[str, Any]]:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:AT_MOST]
    return [{"value": value, "count": n} for value, n in most]


async def _named(connection: Connection, select: str, counts: Counts) -> Counts:
    names = {row[0]: row[1] for row in await connection.fetch(select)}
    return {names[key]: n for key, n in counts.items() if key in names}


async def _imports(connection: Connection, counts: Counts) -> list[dict[str, Any]]:
    top = _top(counts)
    rows = await connection.fetch(
        """SELECT i.id, r.path AS root, i.rel_path AS path FROM imports i JOIN library_roots r ON r.id = i.root_id
           WHERE i.id = ANY ($1)""",
        [item["value"] for item in top],
    )
    paths = {row["id"]: _absolute(row["root"], row["path"]) for row in rows}
    return [{"value": item["value"], "label": paths[item["value"]], "count": item["count"]} for item in top]


async def _folders(connection: Connection, counts: Counts) -> list[dict[str, Any]]:
    """The folders that hold most; counted is what lies below them too, as the view of a folder shows it."""
    roots = {row["id"]: row["path"] for row in await connection.fetch("SELECT id, path FROM library_roots")}
    held = Counts()
    for (root, folder), n in counts.items():
        path = _absolute(roots[root], folder)
        held[path] = held.get(path, 0) + n
    below = _Below(held)
    return _top({item["value"]: below.count(item["value"]) for item in _top(held)})


class _Below:
    """Sums over folders and what lies below them: paths in order, so that a folder's are neighbours."""

    def __init__(self, held: Mapping[str, int]) -> None:
        ordered = sorted((_slashed(path), n) for path, n in held.items())
        self._paths = [path for path, _ in ordered]
        self._sums = [0, *accumulate(n for _, n in ordered)]

    def count(self, path: str) -> int:
        first = _slashed(path)
        after = first[:-1] + chr(ord("/") + 1)
        return self._sums[bisect_left(self._paths, after)] - self._sums[bisect_left(self._paths, first)]


def _absolute(root: str, path: str) -> str:
    return f"{root.rstrip('/')}/{path}" if path else root


def _slashed(path: str) -> str:
    return path.rstrip("/") + "/"


_TAGS_INSIDE = """
SELECT t.tag, count(*) AS n FROM gallery g JOIN photo_tags t ON t.photo_id = g.photo_id WHERE {where}
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {top}
"""
_TAGS_BUT_OUTSIDE = """
SELECT a.tag, a.n - coalesce(o.n, 0) AS n FROM (SELECT tag, count(*) AS n FROM photo_tags GROUP BY 1) a
LEFT JOIN (SELECT tag, count(*) AS n FROM photo_tags
           WHERE photo_id IN (SELECT g.photo_id FROM gallery g WHERE ({where}) IS NOT TRUE) GROUP BY 1) o USING (tag)
WHERE a.n > coalesce(o.n, 0) ORDER BY 2 DESC, 1 LIMIT {top}
"""


async def _tags(connection: Connection, query: GalleryQuery, total: int) -> Counts:
    """Of a view that holds most of the archive, all tags are counted, less those of the few others: half the time."""
    view = _without(query, "tag")
    where = conditions(view)
    if query.tag is not None:
        total = await connection.fetchval(f"SELECT count(*) FROM gallery g WHERE {where.sql()}", *where.values)
    tabs = await tab_counts(connection)
    mostly = 2 * total > tabs["all"] + tabs["rejected"] + tabs["failed"]
    select = _TAGS_BUT_OUTSIDE if mostly else _TAGS_INSIDE
    rows = await connection.fetch(select.format(where=where.sql(), top=AT_MOST), *where.values)
    return {row["tag"]: row["n"] for row in rows}


async def _ranges(connection: Connection, query: GalleryQuery) -> dict[str, tuple[float, float] | None]:
    limited = [n for n in NUMBERS if getattr(query, f"min_{n}") is not None or getattr(query, f"max_{n}") is not None]
    ranges = await _reach(connection, query, [name for name in NUMBERS if name not in limited])
    for name in limited:
        ranges |= await _reach(connection, _without(query, f"min_{name}", f"max_{name}"), [name])
    return {name: ranges[name] for name in NUMBERS}


async def _reach(
    connection: Connection, view: GalleryQuery, names: Iterable[str]
) -> dict[str, tuple[float, float] | None]:
    where = conditions(view)
    ends = [f"min(g.{name}) AS min_{name}, max(g.{name}) AS max_{name}" for name in names]
    if not ends:
        return {}
    row: Record = await connection.fetchrow(
        f"SELECT {', '.join(ends)} FROM gallery g WHERE {where.sql()}", *where.values
    )
    return {name: None if row[f"min_{name}"] is None else (row[f"min_{name}"], row[f"max_{name}"]) for name in names}
