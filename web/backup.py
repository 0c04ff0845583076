"""A backup: one zip with every table as of one moment, the decisions as plain JSON and, if asked for, the previews.

Tables travel as Postgres' own binary COPY, not as `pg_dump` writes them: the same file then fits the embedded
Postgres, the one of Docker Compose and another version, needs no client programs, and can be compared byte by byte
with what a restore made of it. The shape of the database comes from the migrations, up to the revision of the backup.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import orjson

from contracts.settings import Settings
from web import disk
from web.archive_tables import Table, archive_tables, counters
from web.database import Connection
from web.derivatives import derivative_name
from web.errors import RequestError

FORMAT = 1
MANIFEST, DECISIONS = "manifest.json", "decisions.json"
DERIVATIVES = "derivatives/"
_INCOMPRESSIBLE = frozenset({"embeddings", "photo_exif"})
_NAME = re.compile(r"fineshyt-\d{8}T\d{6}Z-(?P<archive>[0-9a-f]{8})\.zip(\.part)?")
_GIVEN_UP_S = 86_400.0
_CHUNK = 2_000

Told = Callable[[str, int, int], None]
"""Told (what, done, of how many), in bytes for tables and in files for previews."""

_DECIDED = """
SELECT r.path AS root, p.rel_path AS path, encode(p.file_hash, 'hex') AS file_hash,
       encode(p.pixel_hash, 'hex') AS pixel_hash, d.rating, d.manual_match AS picked, d.rejected, j.name AS project,
       d.tags_added, d.tags_removed, d.seen_at, d.updated_at
FROM decisions d JOIN photos p ON p.id = d.photo_id JOIN library_roots r ON r.id = p.root_id
LEFT JOIN projects j ON j.id = d.project_id ORDER BY r.path, p.rel_path
"""
_PREVIEWED = """
SELECT id, derivative_generation AS generation FROM photos
WHERE derivative_generation IS NOT NULL AND discarded_at IS NULL ORDER BY id
"""


@dataclass(frozen=True)
class Written:
    """A backup on disk. `previews`: files in it; `previews_missing`: those that were not where they should be."""

    path: Path
    photos: int
    decisions: int
    rows: int
    bytes: int
    previews: int
    previews_missing: int


async def write(
    connection: Connection, settings: Settings, folder: Path, *, previews: bool = False, told: Told = lambda *_: None
) -> Written:
    """Writes `folder/fineshyt-TIME-ARCHIVE.zip.part`; `finish` gives it its name.

    Whatever goes on meanwhile: all of it is as of one moment. Raises RequestError where the disk is too small.
    """
    archive_id = await _archive_id(connection)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    await _refuse_small_disk(connection, folder)
    path = folder / f"fineshyt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{archive_id}.zip.part"
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as pack:
                    written = await _fill(connection, settings, pack, previews, told)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Written(path=path, bytes=path.stat().st_size, **written)


async def _archive_id(connection: Connection) -> str:
    """Names the archive, so that two archives may keep their backups in one folder. A restored one keeps its name."""
    await connection.execute(
        "INSERT INTO preferences (key, value) VALUES ('archive_id', $1) ON CONFLICT DO NOTHING", uuid.uuid4().hex[:8]
    )
    return str(await connection.fetchval("SELECT value FROM preferences WHERE key = 'archive_id'"))


async def _refuse_small_disk(connection: Connection, folder: Path) -> None:
    needed_gb = await connection.fetchval("SELECT pg_database_size(current_database())") / 1e9
    free_gb = disk.free_gb(folder)
    if free_gb < needed_gb:
        raise RequestError(
            507,
            f"Only {free_gb:.1f} GB are free on the disk that holds {folder}, and the database takes {needed_gb:.1f} "
            "GB. Free some space, or say another folder with --to.",
        )


async def _fill(
    connection: Connection, settings: Settings, pack: ZipFile, previews: bool, told: Told
) -> dict[str, Any]:
    tables = await archive_tables(connection)
    copied = await _copy_tables(connection, pack, tables, told)
    decisions = await _write_decisions(connection, pack)
    files, missing = (await _add_previews(connection, settings, pack, told)) if previews else (0, 0)
    rows = {table["name"]: table["rows"] for table in copied}
    manifest = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(),
        "revision": await connection.fetchval("SELECT version_num FROM alembic_version"),
        "tables": copied,
        "counters": await counters(connection, tables),
        "previews": files,
    }
    pack.writestr(MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return {
        "photos": rows["photos"], "decisions": decisions, "rows": sum(rows.values()),
        "previews": files, "previews_missing": missing,
    }  # fmt: skip


async def _copy_tables(connection: Connection, pack: ZipFile, tables: list[Table], told: Told) -> list[dict[str, Any]]:
    sizes = [
        await connection.fetchval("SELECT pg_table_size(format('%I', $1::text)::regclass)", t.name) for t in tables
    ]
    copied, before, total = [], 0, sum(sizes)
    for table, size in zip(tables, sizes, strict=True):
        start, ceiling = before, size

        def advanced(done: int, start: int = start, ceiling: int = ceiling) -> None:
            told("tables", start + min(done, ceiling), total)

        with pack.open(_entry(f"tables/{table.name}", table.name), "w", force_zip64=True) as entry:
            copied.append(await copy_out(connection, table, entry, advanced))
        before += size
        told("tables", before, total)
    return copied


def _entry(name: str, table: str = "") -> ZipInfo:
    entry = ZipInfo(name, date_time=time.localtime()[:6])
    entry.compress_type = ZIP_STORED if table in _INCOMPRESSIBLE else ZIP_DEFLATED
    entry._compresslevel = 1  # type: ignore[attr-defined] # public from Python 3.13 on, as compress_level
    return entry


class _Tap:
    """What a copy is written to: hashes and counts what passes. Called in a thread, a piece at a time."""

    def __init__(self, into: IO[bytes] | None, advanced: Callable[[int], None]) -> None:
        self._into, self._advanced = into, advanced
        self._done = 0
        self.digest = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        self.digest.update(piece)
        if self._into is not None:
            self._into.write(piece)
        self._done += len(piece)
        self._advanced(self._done)


async def copy_out(
    connection: Connection, table: Table, into: IO[bytes] | None, advanced: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """Copies a table to `into` (None: only to compare it); returns what a manifest says of it."""
    tap = _Tap(into, advanced)
    said = await connection.copy_from_query(table.rows, output=tap, format="binary")
    return {
        "name": table.name, "columns": list(table.columns), "rows": int(said.rpartition(" ")[2]),
        "sha256": tap.digest.hexdigest(),
    }  # fmt: skip


async def _write_decisions(connection: Connection, pack: ZipFile) -> int:
    """One decision a line, with the file's hash, so that they can be read without us."""
    n = 0
    with pack.open(_entry(DECISIONS), "w", force_zip64=True) as entry:
        entry.write(b"[")
        async for row in connection.cursor(_DECIDED, prefetch=_CHUNK):
            entry.write((b",\n" if n else b"\n") + orjson.dumps(dict(row)))
            n += 1
        entry.write(b"\n]\n")
    return n


async def _add_previews(connection: Connection, settings: Settings, pack: ZipFile, told: Told) -> tuple[int, int]:
    """Previews and thumbnails in force; returns how many were there and how many were not."""
    rows = await connection.fetch(_PREVIEWED)
    found = missing = 0
    for at in range(0, len(rows), _CHUNK):
        chunk = rows[at : at + _CHUNK]
        added = await asyncio.to_thread(_add_files, settings.derivatives_dir, pack, chunk)
        found, missing = found + added, missing + 2 * len(chunk) - added
        told("previews", found + missing, 2 * len(rows))
    return found, missing


def _add_files(derivatives: Path, pack: ZipFile, rows: list[Any]) -> int:
    added = 0
    for row in rows:
        for kind in ("preview", "thumb"):
            name = derivative_name(row["id"], row["generation"], kind)
            with suppress(FileNotFoundError):
                pack.write(derivatives / name, DERIVATIVES + name, ZIP_STORED)
                added += 1
    return added


async def finish(connection: Connection, written: Written, keep: int | None) -> tuple[Written, list[Path]]:
    """Gives a backup its name, notes when it was made, and removes all but the `keep` newest of this archive in its
    folder (None: all stay). Returns the backup and what was removed."""
    path = written.path.with_suffix("")
    written.path.replace(path)
    await asyncio.to_thread(disk.sync_folder, path.parent)
    await connection.execute(
        "INSERT INTO preferences (key, value) VALUES ('last_backup', $1) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        {"path": str(path), "at": datetime.now(UTC).isoformat()},
    )
    removed = await asyncio.to_thread(_rotate, path, keep) if keep is not None else []
    return replace(written, path=path), removed


def _rotate(newest: Path, keep: int) -> list[Path]:
    """Only files that bear our kind of name and this archive's; half-written ones go when they were given up."""
    archive = _archive_of(newest)
    ours = sorted((path for path in newest.parent.iterdir() if _archive_of(path) == archive), reverse=True)
    parts = [path for path in ours if path.suffix == ".part" and path.stat().st_mtime < time.time() - _GIVEN_UP_S]
    old = [path for path in ours if path.suffix != ".part"][keep:]
    for path in (*old, *parts):
        path.unlink(missing_ok=True)
    return old


def _archive_of(path: Path) -> str | None:
    found = _NAME.fullmatch(path.name)
    return found["archive"] if found else None
