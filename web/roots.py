"""Library roots: the folders whose photographs we know, and the only places that HTTP may look into."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import structlog

from contracts.settings import Settings
from web.database import Connection
from web.errors import RequestError

log = structlog.get_logger()
_USUAL = ("~/Pictures", "~/Desktop", "~/Downloads", "/Volumes", "/media", "/mnt")


def default_roots(settings: Settings) -> tuple[Path, ...]:
    """The configured roots, or with none configured the usual places that exist."""
    if settings.configured_roots:
        return settings.configured_roots
    return tuple(path for place in _USUAL if (path := Path(place).expanduser()).is_dir())


def marker_of(path: Path) -> str | None:
    """Names the file system and the place in it, so that a drive is known under another letter; None if unknown.

    Linux only: the file system's UUID by its device number, and the path below its mount point.
    """
    try:
        real = path.resolve(strict=True)
        device = real.stat().st_dev
        uuids = Path("/dev/disk/by-uuid")
        uuid = next((p.name for p in uuids.iterdir() if p.stat().st_rdev == device), None) if uuids.is_dir() else None
        if uuid is None:
            return None
        mount = real
        while mount != mount.parent and mount.parent.stat().st_dev == device:
            mount = mount.parent
        return f"{uuid}:{PurePosixPath(real.relative_to(mount))}"
    except OSError:
        return None


def offline_reason(path: str, *, has_photos: bool = True) -> str | None:
    """Why a root cannot be read now; None when it can. An empty mount point of a root with photos is offline too."""
    try:
        with os.scandir(path) as entries:
            empty = next(entries, None) is None
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}. Is the drive connected?"
    if empty and has_photos:
        return f"{path} is empty, though photographs were there. Is the drive mounted?"
    return None


async def ensure_roots(connection: Connection, settings: Settings) -> None:
    """Writes the configured (or usual) roots that are not known yet, and says which cannot be read: a drive that is
    unplugged keeps nobody from starting."""
    for path in default_roots(settings):
        try:
            await add_root(connection, str(path), source="setting")
        except RequestError as error:
            log.warning("root_left_out", path=str(path), sentence=error.sentence)


async def add_root(connection: Connection, path: str, *, source: str = "person") -> int:
    """Makes `path` a root, unless it is one; a known root that moved to `path` (same marker) is re-pointed."""
    folder = _folder(path)
    known = await connection.fetchval("SELECT id FROM library_roots WHERE path = $1", str(folder))
    if known is not None:
        return int(known)
    marker = marker_of(folder)
    moved = await connection.fetch("SELECT id, path FROM library_roots WHERE marker = $1", marker) if marker else []
    for row in moved:
        if not Path(row["path"]).is_dir():
            await connection.execute(
                "UPDATE library_roots SET path = $2, offline_reason = NULL WHERE id = $1", row["id"], str(folder)
            )
            return int(row["id"])
    return int(
        await connection.fetchval(
            """INSERT INTO library_roots (path, marker, source) VALUES ($1, $2, $3)
               ON CONFLICT (path) DO UPDATE SET path = excluded.path RETURNING id""",
            str(folder),
            marker,
            source,
        )
    )


def _folder(path: str) -> Path:
    try:
        folder = Path(path).expanduser()
        if not folder.is_absolute():
            raise RequestError(422, f"{path} is not an absolute path. Give the whole path of the folder.")
        folder = folder.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # RuntimeError: a loop of links, or `~` of a user that there is not
        raise RequestError(
            404, f"{path} does not exist or cannot be read. Check the path, or connect the drive."
        ) from None
    if not folder.is_dir():
        raise RequestError(422, f"{path} is a file. Give the folder that holds it.")
    return folder


async def root_of(connection: Connection, path: str) -> tuple[int, str, str]:
    """`(root_id, root_path, rel_path)` of a folder below a root, symlinks resolved; refused with 403 elsewhere."""
    folder = _folder(path)
    best: tuple[int, str, str] | None = None
    for row in await connection.fetch("SELECT id, path FROM library_roots"):
        root = Path(row["path"])
        real = root.resolve()
        if folder.is_relative_to(real) and (best is None or len(row["path"]) > len(best[1])):
            rel = folder.relative_to(real).as_posix()
            best = (row["id"], row["path"], "" if rel == "." else rel)
    if best is None:
        raise RequestError(
            403, f"{path} is not below a library root. Add it on the command line: fineshyt roots add {path}"
        )
    return best


async def file_below_root(connection: Connection, path: str) -> Path:
    """The file, symlinks resolved; refused with 403 where it, or what it leads to, lies below no root."""
    named = Path(path)
    await root_of(connection, str(named.parent))
    try:
        resolved = named.resolve()
    except (OSError, RuntimeError, ValueError):
        raise RequestError(404, f"{path} cannot be read. Check the path.") from None
    await root_of(connection, str(resolved.parent))
    return resolved


async def list_roots(connection: Connection) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        """SELECT r.id, r.path, r.source, r.offline_reason,
                  (SELECT count(*) FROM photos p WHERE p.root_id = r.id) AS photos
           FROM library_roots r ORDER BY r.path"""
    )
    return [
        {
            "id": row["id"],
            "path": row["path"],
            "name": Path(row["path"]).name or row["path"],
            "source": row["source"],
            "photos": row["photos"],
            "offline_reason": offline_reason(row["path"], has_photos=row["photos"] > 0),
        }
        for row in rows
    ]


async def relocate_root(connection: Connection, root_id: int, path: str) -> None:
    """Says that a root now lies at `path`: every decision stays, nothing is embedded again."""
    folder = _folder(path)
    other = await connection.fetchval("SELECT id FROM library_roots WHERE path = $1 AND id <> $2", str(folder), root_id)
    if other is not None:
        raise RequestError(409, f"{folder} is already root {other}.")
    found = await connection.fetchval(
        "UPDATE library_roots SET path = $2, marker = $3, offline_reason = NULL WHERE id = $1 RETURNING id",
        root_id, str(folder), marker_of(folder),
    )  # fmt: skip
    if found is None:
        raise RequestError(404, f"There is no root {root_id}. See `fineshyt roots list`.")
    await connection.execute(
        """UPDATE jobs SET available_at = now() WHERE status = 'due' AND available_at > now()
           AND stage IN ('convert', 'render') AND subject_id IN (SELECT id FROM photos WHERE root_id = $1)""",
        root_id,
    )


async def note_offline(connection: Connection) -> set[int]:
    """Looks at every root that holds photos or work; returns the ids that cannot be read now."""
    offline: set[int] = set()
    rows = await connection.fetch(
        """SELECT r.id, r.path, r.offline_reason, EXISTS (SELECT 1 FROM photos p WHERE p.root_id = r.id) AS used
           FROM library_roots r"""
    )
    for row in rows:
        reason = offline_reason(row["path"], has_photos=row["used"])
        if reason is not None:
            offline.add(row["id"])
        if reason != row["offline_reason"]:
            await connection.execute("UPDATE library_roots SET offline_reason = $2 WHERE id = $1", row["id"], reason)
    return offline
