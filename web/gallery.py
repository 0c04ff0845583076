"""Pages of the gallery's read model: keyset pagination, counts and ordered ids.

Unrated, unscored and undated photos come last in both directions. Two plans: where the tab has an index in this
order, or nearly every row of the sort's index belongs to the view, the index is walked from the cursor on (first the
rows that have the key, then the others by id); otherwise the view's rows are collected and the page is the top of them.
Walking an index for a view that holds few of its rows would read the archive from end to end for a page.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from web import scoring
from web.database import Connection
from web.errors import RequestError
from web.gallery_query import RELEVANCE, SORT_COLUMNS, GalleryQuery, SortKey, Tab, Where, conditions
from web.progress import tab_counts

DENSE = 0.25
"""From this share of the archive on, the sort's index is walked."""
_OWN_INDEX: set[tuple[Tab, SortKey]] = {("match", "preference"), ("rated", "rating")}
"""Small tabs that have an index in this order (`gallery_match`, `gallery_rated`)."""
_STALE_CURSOR = "This page marker belongs to another view. Load the view from its beginning."


@dataclass(frozen=True)
class Order:
    key: SortKey
    descending: bool

    @property
    def column(self) -> str:
        return SORT_COLUMNS[self.key]

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.key}"


@dataclass(frozen=True)
class Cursor:
    """The last row of a page. `value` None: among the rows without the key."""

    value: Any
    photo_id: int
    total: int


@dataclass(frozen=True)
class Page:
    ids: list[int]
    next_cursor: str | None
    total: int
    order: Order


async def order_of(connection: Connection, query: GalleryQuery) -> Order:
    """The query's order, or the default: a search by relevance, else by preference once there is a model, by capture
    time before."""
    sort = query.sort or (f"-{RELEVANCE}" if query.found is not None else None)
    if sort is not None and sort.removeprefix("-") == RELEVANCE and query.found is None:
        sort = None
    if sort is None:
        model = await scoring.active_model(connection)
        sort = "-preference" if model is not None and not model["retired"] else "-captured"
    key: Any = sort.removeprefix("-")
    return Order(key, sort.startswith("-"))


def _fingerprint(query: GalleryQuery, order: Order) -> str:
    text = orjson.dumps([query.model_dump(exclude={"sort"}, exclude_none=True), str(order)])
    return hashlib.blake2b(text, digest_size=6).hexdigest()


def encode_cursor(cursor: Cursor, query: GalleryQuery, order: Order) -> str:
    text = orjson.dumps([_fingerprint(query, order), cursor.value, cursor.photo_id, cursor.total])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def decode_cursor(text: str, query: GalleryQuery, order: Order) -> Cursor:
    """Raises RequestError for a marker that is not one, or that was made for another query or order."""
    try:
        mark, value, photo_id, total = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if order.key == "captured" and value is not None:
            value = datetime.fromisoformat(value)
        right = mark == _fingerprint(query, order) and _fits(value, order) and isinstance(photo_id, int)
        cursor = Cursor(value, photo_id, int(total))
    except (ValueError, TypeError):
        right = False
    if not right:
        raise RequestError(422, _STALE_CURSOR)
    return cursor


def _fits(value: Any, order: Order) -> bool:
    kinds: dict[str, tuple[type, ...]] = {"name": (str,), "captured": (datetime,), "focus": (int, float)}
    without = value is None and order.key != RELEVANCE  # every photograph that a search finds has a rank
    return without or isinstance(value, kinds.get(order.key, (int,)))


async def page(connection: Connection, query: GalleryQuery, limit: int, cursor_text: str | None = None) -> Page:
    """One page of ids, with the marker of the next and the size of the whole view."""
    order = await order_of(connection, query)
    cursor = decode_cursor(cursor_text, query, order) if cursor_text else None
    if order.key == RELEVANCE:
        return await _page_of_search(connection, query, order, limit, cursor)
    counted = await tab_counts(connection) if query.only_tab() else None
    if cursor is not None:
        total = cursor.total
    elif counted is not None:
        total = counted[query.filter]
    else:
        total = await _count(connection, query)
    walk = (query.filter, order.key) in _OWN_INDEX or _is_dense(query, counted)
    rows = await _rows(connection, query, order, cursor, limit + 1, walk=walk)
    more = len(rows) > limit
    rows = rows[:limit]
    following = encode_cursor(Cursor(rows[-1]["key"], rows[-1]["photo_id"], total), query, order) if more else None
    return Page([row["photo_id"] for row in rows], following, total, order)


async def _page_of_search(
    connection: Connection, query: GalleryQuery, order: Order, limit: int, cursor: Cursor | None
) -> Page:
    """The marker's value is the rank of the last row: a search is done anew for every page."""
    ids = await _by_relevance(connection, query, order)
    first = cursor.value + 1 if cursor is not None else 0
    some = ids[first : first + limit].tolist()
    more = first + limit < len(ids)
    following = encode_cursor(Cursor(first + limit - 1, some[-1], len(ids)), query, order) if more and some else None
    return Page(some, following, len(ids), order)


def _is_dense(query: GalleryQuery, counted: dict[str, int] | None) -> bool:
    if counted is None:
        return False
    archive = counted["all"] + counted["rejected"] + counted["failed"]
    return counted[query.filter] >= DENSE * archive


async def _count(connection: Connection, query: GalleryQuery) -> int:
    where = conditions(query)
    return int(await connection.fetchval(f"SELECT count(*) FROM gallery g WHERE {where.sql()}", *where.values))


async def _rows(
    connection: Connection, query: GalleryQuery, order: Order, cursor: Cursor | None, limit: int, *, walk: bool
) -> list[Any]:
    if order.key == "newest":
        return list(await connection.fetch(*_by_id(query, order, cursor, limit)))
    if not walk:
        return list(await connection.fetch(*_collected(query, order, cursor, limit)))
    rows: list[Any] = []
    if cursor is None or cursor.value is not None:
        rows = list(await connection.fetch(*_with_key(query, order, cursor, limit)))
    if len(rows) < limit:
        within = cursor if cursor is not None and cursor.value is None else None
        rows += await connection.fetch(*_without_key(query, order, within, limit - len(rows)))
    return rows


def _select(where: Where, key: str, order_by: str, limit: int | None) -> tuple[Any, ...]:
    top = "" if limit is None else f" LIMIT {int(limit)}"
    return (
        f"SELECT g.photo_id, {key} AS key FROM gallery g WHERE {where.sql()} ORDER BY {order_by}{top}",
        *where.values,
    )


def _direction(order: Order) -> tuple[str, str]:
    """(`ORDER BY` word, comparison that goes on from the cursor)."""
    return ("DESC", "<") if order.descending else ("ASC", ">")


def _by_id(query: GalleryQuery, order: Order, cursor: Cursor | None, limit: int) -> tuple[Any, ...]:
    where, (word, on) = conditions(query), _direction(order)
    if cursor is not None:
        where.add(f"g.photo_id {on} {where.bind(cursor.photo_id)}")
    return _select(where, "g.photo_id", f"g.photo_id {word}", limit)


def _with_key(query: GalleryQuery, order: Order, cursor: Cursor | None, limit: int) -> tuple[Any, ...]:
    where, (word, on) = conditions(query), _direction(order)
    where.add(f"g.{order.column} IS NOT NULL")
    if cursor is not None:
        where.add(f"(g.{order.column}, g.photo_id) {on} ({where.bind(cursor.value)}, {where.bind(cursor.photo_id)})")
    return _select(where, f"g.{order.column}", f"g.{order.column} {word}, g.photo_id {word}", limit)


def _without_key(query: GalleryQuery, order: Order, cursor: Cursor | None, limit: int) -> tuple[Any, ...]:
    where, (word, on) = conditions(query), _direction(order)
    where.add(f"g.{order.column} IS NULL")
    if cursor is not None:
        where.add(f"g.photo_id {on} {where.bind(cursor.photo_id)}")
    return _select(where, "NULL", f"g.photo_id {word}", limit)


_UNINDEXED = {"name": "(g.name || '')", "captured": "(g.captured_at + interval '0')"}


def _collected(query: GalleryQuery, order: Order, cursor: Cursor | None, limit: int | None) -> tuple[Any, ...]:
    where, (word, on) = conditions(query), _direction(order)
    # An expression, so that the planner does not walk the index of the column for the sake of the limit.
    key = _UNINDEXED.get(order.key, f"(g.{order.column} + 0)")
    if cursor is not None and cursor.value is not None:
        place = f"({where.bind(cursor.value)}, {where.bind(cursor.photo_id)})"
        where.add(f"((g.{order.column}, g.photo_id) {on} {place} OR g.{order.column} IS NULL)")
    elif cursor is not None:
        where.add(f"g.{order.column} IS NULL AND g.photo_id {on} {where.bind(cursor.photo_id)}")
    return _select(where, f"g.{order.column}", f"{key} {word} NULLS LAST, g.photo_id {word}", limit)


async def ordered_ids(connection: Connection, query: GalleryQuery) -> tuple[NDArray[np.int64], Order]:
    """The whole view's ids, and the order in force.

    They come as one array in Postgres' binary form, which numpy reads: 1,000,000 ids would keep the process busy for a
    tenth of a second if each became a number of Python's.
    """
    order = await order_of(connection, query)
    if order.key == RELEVANCE:
        return await _by_relevance(connection, query, order), order
    where, (word, _) = conditions(query), _direction(order)
    key = "g.photo_id" if order.key == "newest" else f"g.{order.column} {word} NULLS LAST, g.photo_id"
    sent: bytes = await connection.fetchval(
        f"SELECT array_send(ARRAY(SELECT g.photo_id FROM gallery g WHERE {where.sql()} ORDER BY {key} {word}))",
        *where.values,
    )
    return _received(sent), order


async def _by_relevance(connection: Connection, query: GalleryQuery, order: Order) -> NDArray[np.int64]:
    """The view's ids in the order that the search found them in; what it did not rank comes last, newest first."""
    assert query.found is not None
    where = conditions(query)
    ranked = where.bind(query.found.ranked)
    word = "" if order.descending else "DESC"  # the best has rank 1
    sent: bytes = await connection.fetchval(
        f"""SELECT array_send(ARRAY(
                SELECT g.photo_id FROM gallery g
                LEFT JOIN unnest({ranked}::bigint[]) WITH ORDINALITY AS r (photo_id, rank) ON r.photo_id = g.photo_id
                WHERE {where.sql()} ORDER BY r.rank {word} NULLS LAST, g.photo_id DESC))""",
        *where.values,
    )
    return _received(sent)


_ARRAY_HEADER = 20
"""Bytes before the elements of an array of one dimension (`array_send` of Postgres); an empty one has none."""
_ARRAY_ELEMENT = np.dtype([("size", ">i4"), ("value", ">i8")])


def _received(sent: bytes) -> NDArray[np.int64]:
    if len(sent) <= _ARRAY_HEADER:
        return np.empty(0, np.int64)
    return np.frombuffer(sent, _ARRAY_ELEMENT, offset=_ARRAY_HEADER)["value"].astype(np.int64)


async def ids_in_view(
    connection: Connection, query: GalleryQuery, photo_ids: list[int] | None = None
) -> NDArray[np.int64]:
    """Those of `photo_ids` that the view holds; without them the whole view, in no order."""
    where = conditions(query)
    if photo_ids is not None:
        where.add(f"g.photo_id = ANY ({where.bind(photo_ids)}::bigint[])")
    sent: bytes = await connection.fetchval(
        f"SELECT array_send(ARRAY(SELECT g.photo_id FROM gallery g WHERE {where.sql()}))", *where.values
    )
    return _received(sent)
