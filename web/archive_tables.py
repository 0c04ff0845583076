"""The tables of the archive as a backup sees them: which, in what order, and how each is copied.

Read from the catalogue, so that a table of a later migration is in the next backup without anybody thinking of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

from web.database import Connection

LEFT_OUT = frozenset({"alembic_version", "events", "search_indexes", "unindexed_vectors"})
"""The shape comes from the migrations, events are replayed for a day at most, the search index is built anew."""
_CODES = "search_codes_"

_COLUMNS = r"""
SELECT c.relname AS table, a.attname AS name, a.attidentity <> '' AS counted
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attgenerated = ''
ORDER BY c.relname, a.attnum
"""
_KEYS = """
SELECT c.relname AS table, array_agg(a.attname::text ORDER BY k.place) AS columns
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
CROSS JOIN LATERAL unnest(i.indkey::int[]) WITH ORDINALITY AS k (attnum, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE i.indisprimary GROUP BY c.relname
"""
_REFERENCES = """
SELECT conrelid::regclass::text AS table, confrelid::regclass::text AS needs FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND conrelid <> confrelid
"""
_TRIGGERED = "SELECT DISTINCT tgrelid::regclass::text AS table FROM pg_trigger WHERE NOT tgisinternal"


@dataclass(frozen=True)
class Table:
    """`columns`: all but the generated ones. `key`: what its rows are ordered by, so that equal tables are equal
    bytes. `counter`: the column that numbers its rows, if one does."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    counter: str | None

    @property
    def rows(self) -> str:
        """The query that a copy is made of."""
        return f"SELECT {_quoted(self.columns)} FROM {_quote(self.name)} ORDER BY {_quoted(self.key)}"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(_quote(name) for name in names)


async def archive_tables(connection: Connection) -> list[Table]:
    """Every table that a backup holds; one that refers to another comes after it."""
    columns: dict[str, list[Any]] = {}
    for row in await connection.fetch(_COLUMNS):
        if row["table"] not in LEFT_OUT and not row["table"].startswith(_CODES):
            columns.setdefault(row["table"], []).append(row)
    keys = {row["table"]: tuple(row["columns"]) for row in await connection.fetch(_KEYS)}
    order: TopologicalSorter[str] = TopologicalSorter({name: set() for name in sorted(columns)})
    for row in await connection.fetch(_REFERENCES):
        if row["table"] in columns and row["needs"] in columns:
            order.add(row["table"], row["needs"])
    return [_table(name, columns[name], keys.get(name)) for name in order.static_order()]


def _table(name: str, columns: list[Any], key: tuple[str, ...] | None) -> Table:
    names = tuple(row["name"] for row in columns)
    counter = next((row["name"] for row in columns if row["counted"]), None)
    return Table(name, names, key or names, counter)


async def has_table(connection: Connection, name: str) -> bool:
    """Whether this revision has it yet."""
    return await connection.fetchval("SELECT to_regclass($1)", name) is not None


async def empty(connection: Connection, tables: list[Table]) -> None:
    """Removes every row of `tables`, and of what is derived from them. Waits for whoever reads them."""
    derived = [name for name in ("search_indexes", "unindexed_vectors") if await has_table(connection, name)]
    names = [table.name for table in tables] + derived
    await connection.execute(f"TRUNCATE {', '.join(map(_quote, names))}")


async def set_triggers(connection: Connection, tables: list[Table], *, fire: bool) -> None:
    """What triggers would write while rows come in is in the backup already: counters, vectors to index."""
    names = {table.name for table in tables}
    for row in await connection.fetch(_TRIGGERED):
        if row["table"] in names:
            how = "ENABLE" if fire else "DISABLE"
            await connection.execute(f"ALTER TABLE {_quote(row['table'])} {how} TRIGGER USER")


async def counters(connection: Connection, tables: list[Table]) -> dict[str, int]:
    """The last number that each table has given out; those that gave none are left out."""
    given: dict[str, int] = {}
    for table in tables:
        if table.counter is not None:
            last = await connection.fetchval(
                "SELECT last_value FROM pg_sequences WHERE schemaname || '.' || sequencename = "
                "pg_get_serial_sequence($1, $2)",
                _quote(table.name), table.counter,
            )  # fmt: skip
            if last is not None:
                given[table.name] = last
    return given


async def continue_counters(connection: Connection, tables: list[Table], given: dict[str, int]) -> None:
    """No number is given out twice, neither one of the backup nor one of what was here before."""
    here = await counters(connection, tables)
    for table in tables:
        last = max(given.get(table.name, 0), here.get(table.name, 0))
        if table.counter is not None and last:
            await connection.execute(
                "SELECT setval(pg_get_serial_sequence($1, $2), $3)", _quote(table.name), table.counter, last
            )
