"""Watched roots: what comes into them is imported, what moves keeps its decisions, what is away is waited for.

A folder's own time changes whenever a name in it comes or goes. So a look costs one `stat` a folder, on any file system
and over any network, and finds what happened while nothing ran; only changed folders are listed. What another program
rewrites in place, under the same name, is seen by the next import. Nothing is ever deleted here.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog

from contracts.events import Event
from contracts.results import ScannedFile
from contracts.settings import Settings
from domain.errors import DomainError
from domain.files import FolderListing, walk_folder
from web import disk, events, imports, registration, roots
from web.database import Connection
from web.errors import RequestError
from web.single_flight import run_session
from web.waiting import happens_within

log = structlog.get_logger()
INTERVAL_S = 30.0
QUIET_S = 3.0
"""A folder that changed just now may change again without its time telling: exFAT counts in steps of two seconds."""
_LOCK = 0x77617463  # "watc"
_BUSY_SHARE = 20
"""A look may take a twentieth of the time."""


async def watch(connection: Connection, root_id: int) -> None:
    """From now on: first what is there, then what comes. Raises RequestError for a root that is not there."""
    found = await connection.fetchval(
        """INSERT INTO watched_roots (root_id) SELECT id FROM library_roots WHERE id = $1
           ON CONFLICT (root_id) DO UPDATE SET root_id = excluded.root_id RETURNING root_id""",
        root_id,
    )
    if found is None:
        raise RequestError(404, f"There is no root {root_id}. See `fineshyt roots list`.")


async def unwatch(connection: Connection, root_id: int) -> None:
    """What was imported stays."""
    if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM library_roots WHERE id = $1)", root_id):
        raise RequestError(404, f"There is no root {root_id}. See `fineshyt roots list`.")
    await connection.execute("DELETE FROM watched_roots WHERE root_id = $1", root_id)


async def watched(connection: Connection) -> list[dict[str, Any]]:
    """Watched roots, when they were looked at last, and why they cannot be now."""
    rows = await connection.fetch(
        """SELECT w.root_id, r.path, w.since, w.looked_at, w.reason,
                  (SELECT count(*) FROM watched_folders f WHERE f.root_id = w.root_id) AS folders
           FROM watched_roots w JOIN library_roots r ON r.id = w.root_id ORDER BY r.path"""
    )
    return [dict(row) for row in rows]


async def run_watch(settings: Settings, stop: asyncio.Event) -> None:
    """Looks until `stop`, one process at a time."""

    async def session(connection: Connection) -> None:
        watcher = Watcher(connection, settings)
        while not stop.is_set():
            began = time.monotonic()
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                await watcher.look()
            await happens_within(stop, max(INTERVAL_S, _BUSY_SHARE * (time.monotonic() - began)))

    await run_session(settings, stop, "watch", session)


@dataclass
class Watcher:
    """Looks at every watched root. A folder is taken in when two looks in a row found it alike: a copy has ended."""

    connection: Connection
    settings: Settings
    before: dict[tuple[int, str], Any] = field(default_factory=dict)
    """Changed folders as the last look found them."""

    async def look(self) -> None:
        rows = await self.connection.fetch(
            """SELECT r.id, r.path, r.marker, w.reason,
                      EXISTS (SELECT 1 FROM photos p WHERE p.root_id = r.id) AS used
               FROM watched_roots w JOIN library_roots r ON r.id = w.root_id ORDER BY r.id"""
        )
        for row in rows:
            reason = await asyncio.to_thread(_why_not, row) or disk.shortage(self.settings)
            if reason is None:
                await self._look_at(row["id"], row["path"])
            await self.connection.execute(
                """UPDATE watched_roots SET reason = $2::text,
                       looked_at = CASE WHEN $2::text IS NULL THEN now() ELSE looked_at END WHERE root_id = $1""",
                row["id"], reason,
            )  # fmt: skip

    async def _look_at(self, root_id: int, path: str) -> None:
        rows = await self.connection.fetch("SELECT rel_path, mtime_ns FROM watched_folders WHERE root_id = $1", root_id)
        known = {row["rel_path"]: row["mtime_ns"] for row in rows}
        if not known:
            await self._begin(root_id, path)
            return
        gone, changed = await asyncio.to_thread(_changes, Path(path), known)
        settled = {rel: s for rel, s in changed.items() if s.is_quiet and self.before.get((root_id, rel)) == s}
        for rel, seen in changed.items():
            self.before[root_id, rel] = seen
        files = [file for seen in settled.values() for file in seen.files]
        async with self.connection.transaction():
            await self._take_in(root_id, len(settled), files)
            below = {folder: 0 for seen in settled.values() for folder in seen.folders if folder not in known}
            await self._remember(root_id, gone, below | {rel: seen.mtime_ns for rel, seen in settled.items()})
        for rel in settled:
            del self.before[root_id, rel]

    async def _begin(self, root_id: int, path: str) -> None:
        """All that is there, by an import like any other; from here on the folders' times tell."""
        folders = await asyncio.to_thread(_folders, Path(path))
        await imports.start_import(self.connection, self.settings, path, sample=None)
        await self._remember(root_id, [], folders)

    async def _take_in(self, root_id: int, folders: int, files: Sequence[ScannedFile]) -> None:
        """Registers what is new or changed, as an import of its own; nothing new leaves no trace."""
        known = await registration.find_known(self.connection, root_id, files)
        fresh = [f for n, f in enumerate(files) if n not in known or not (known[n]["same"] or known[n]["discarded"])]
        if not fresh:
            return
        row = await self.connection.fetchrow(
            """INSERT INTO imports (root_id, rel_path, status, folders_found, folders_done, files_found, bytes_found)
               VALUES ($1, $2, 'running', $3, $3, $4, $5) RETURNING *""",
            root_id, _common([file.rel_path for file in fresh]), folders, len(fresh), sum(f.size for f in fresh),
        )  # fmt: skip
        await registration.register(self.connection, row, fresh)
        await events.publish(self.connection, [Event(kind="import", data={"import_id": row["id"]})])
        log.info("watched_files_found", root_id=root_id, files=len(fresh))

    async def _remember(self, root_id: int, gone: Sequence[str], times: dict[str, int]) -> None:
        """`times` of 0: to be looked at next time whatever its time is."""
        await self.connection.execute(
            "DELETE FROM watched_folders WHERE root_id = $1 AND rel_path = ANY ($2)", root_id, list(gone)
        )
        await self.connection.execute(
            """INSERT INTO watched_folders (root_id, rel_path, mtime_ns)
               SELECT $1, * FROM unnest($2::text[], $3::bigint[])
               ON CONFLICT (root_id, rel_path) DO UPDATE SET mtime_ns = excluded.mtime_ns""",
            root_id, list(times), list(times.values()),
        )  # fmt: skip


def _why_not(row: Any) -> str | None:
    """Away, empty, or another drive at the same place: a card in the reader is not the archive."""
    reason = roots.offline_reason(row["path"], has_photos=row["used"])
    if reason is not None or row["marker"] is None:
        return reason
    marker = roots.marker_of(Path(row["path"]))
    if marker is not None and marker != row["marker"]:
        return f"Another drive is mounted at {row['path']}. Connect the one that was watched."
    return None


@dataclass(frozen=True)
class _Seen:
    """A folder at one look."""

    mtime_ns: int
    files: tuple[ScannedFile, ...]
    folders: tuple[str, ...]

    @property
    def is_quiet(self) -> bool:
        return _is_quiet(self.mtime_ns)


def _is_quiet(mtime_ns: int) -> bool:
    return abs(time.time() - mtime_ns / 1e9) >= QUIET_S


def _folders(root: Path) -> dict[str, int]:
    """Every folder below `root` and its time; 0 where it may still change within the steps of its clock."""
    times = {}
    for folder, names, _ in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".") and _is_utf8(name)]
        with suppress(OSError):
            modified = os.stat(folder).st_mtime_ns  # noqa: PTH116
            rel = os.path.relpath(folder, root)
            times["" if rel == "." else rel] = modified if _is_quiet(modified) else 0
    return times


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _changes(root: Path, known: dict[str, int]) -> tuple[list[str], dict[str, _Seen]]:
    """Known folders that are not there any more, and folders that are new or changed with what they hold."""
    gone: list[str] = []
    changed: dict[str, _Seen] = {}
    waiting = [*known]
    seen = set(waiting)
    while waiting:
        rel = waiting.pop()
        try:
            modified = os.stat(root / rel).st_mtime_ns  # noqa: PTH116 - a third of the time of Path's
        except OSError:
            gone += [rel] if rel in known else []
            continue
        if modified == known.get(rel):
            continue
        listing = _listed(root, rel)
        if listing is None:
            continue
        changed[rel] = _Seen(modified, tuple(ScannedFile(**asdict(file)) for file in listing.files), listing.folders)
        fresh = [folder for folder in listing.folders if folder not in seen]
        seen.update(fresh)
        waiting += fresh
    return gone, changed


def _listed(root: Path, rel: str) -> FolderListing | None:
    try:
        return walk_folder(root, rel)
    except DomainError:  # went away between two looks
        return None


def _common(rel_paths: Sequence[str]) -> str:
    """The deepest folder that holds them all, "" for the root."""
    parents = [path.rpartition("/")[0] for path in rel_paths]
    return os.path.commonpath(parents) if all(parents) else ""
