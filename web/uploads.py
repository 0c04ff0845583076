"""A picture dropped on the page: stored under the state directory, as a photo of a root of its own."""

from __future__ import annotations

import asyncio
import re
import uuid
from pathlib import Path

from fastapi import UploadFile

from contracts.settings import Settings
from domain.formats import PHOTO_EXTENSIONS
from web import disk, jobs
from web.database import Connection
from web.errors import RequestError

LARGEST_BYTES = 1_000_000_000
_PIECE = 1 << 20
_LONGEST_NAME = 120
_LONGEST_ENDING = 10


def uploads_dir(settings: Settings) -> Path:
    return settings.home / "uploads"


def safe_name(name: str) -> str:
    """The file's own name without folders, control characters and what file systems refuse."""
    bare = re.sub(r"[\x00-\x1f\x7f/\\:*?\"<>|]", "_", re.split(r"[/\\]", name)[-1]).strip(" .")
    stem, dot, ending = bare.rpartition(".")
    stem, ending = (stem, ending) if dot else (bare, "")
    return f"{_cut(stem, _LONGEST_NAME) or 'picture'}.{_cut(ending.lower(), _LONGEST_ENDING)}"


def _cut(text: str, longest: int) -> str:
    """File systems count bytes, 255 of them, and a character may be four."""
    return text.encode(errors="replace")[:longest].decode(errors="ignore")


async def store(settings: Settings, upload: UploadFile) -> str:
    """Writes the upload to its own folder; returns the path relative to the uploads root."""
    name = safe_name(upload.filename or "")
    if f".{name.rpartition('.')[2]}" not in PHOTO_EXTENSIONS:
        raise RequestError(415, f"{name} is not a picture that fineshyt reads. Drop a photograph or a RAW file.")
    shortage = disk.shortage(settings)
    if shortage is not None:
        raise RequestError(507, shortage)
    rel_path = f"{uuid.uuid4().hex}/{name}"
    target = uploads_dir(settings) / rel_path
    await asyncio.to_thread(target.parent.mkdir, parents=True)
    try:
        await _copy(upload, target)
    except BaseException:
        await asyncio.to_thread(_remove, target)
        raise
    return rel_path


async def _copy(upload: UploadFile, target: Path) -> None:
    size = 0
    partial = target.with_name(target.name + ".part")
    file = await asyncio.to_thread(partial.open, "xb")
    try:
        while piece := await upload.read(_PIECE):
            size += len(piece)
            if size > LARGEST_BYTES:
                raise RequestError(413, f"{target.name} is larger than 1 GB. Import its folder instead.")
            await asyncio.to_thread(file.write, piece)
    finally:
        await asyncio.to_thread(file.close)
    if size == 0:
        raise RequestError(422, f"{target.name} is empty. Choose another file.")
    await asyncio.to_thread(partial.rename, target)


def _remove(target: Path) -> None:
    for path in (target.with_name(target.name + ".part"), target):
        path.unlink(missing_ok=True)
    target.parent.rmdir()


async def register(connection: Connection, settings: Settings, rel_path: str) -> int:
    """Makes the stored file a photo with urgent work; returns its id."""
    root = uploads_dir(settings).resolve()
    stat = (root / rel_path).stat()
    async with connection.transaction():
        root_id = await connection.fetchval(
            """INSERT INTO library_roots (path, source) VALUES ($1, 'uploads')
               ON CONFLICT (path) DO UPDATE SET path = excluded.path RETURNING id""",
            str(root),
        )
        photo_id = await connection.fetchval(
            "INSERT INTO photos (root_id, rel_path, file_size, mtime_ns) VALUES ($1, $2, $3, $4) RETURNING id",
            root_id, rel_path, stat.st_size, stat.st_mtime_ns,
        )  # fmt: skip
        await jobs.make_due(connection, "convert", [photo_id], priority=jobs.PRIORITY_ASKED, urgent=True)
        await connection.execute("SELECT refresh_gallery($1)", [photo_id])
    return int(photo_id)


async def photo_of(connection: Connection, settings: Settings, token: str) -> int:
    """The photo that an upload became: its own, or a known one with the same pixels. Raises RequestError 404."""
    photo_id = await connection.fetchval(
        """SELECT coalesce(
               (SELECT p.id FROM photos p WHERE p.root_id = r.id AND starts_with(p.rel_path, $2)),
               (SELECT l.photo_id FROM photo_locations l WHERE l.root_id = r.id AND starts_with(l.rel_path, $2)))
           FROM library_roots r WHERE r.path = $1""",
        str(uploads_dir(settings).resolve()), f"{token}/",
    )  # fmt: skip
    if photo_id is None:
        raise RequestError(404, "This upload is not known. Drop the picture again.")
    return int(photo_id)
