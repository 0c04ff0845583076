"""Asking again for what a stage yields, and finding originals that moved while nobody looked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from domain.formats import file_kind
from domain.imaging.hashes import file_hash
from web import jobs, roots
from web.database import Connection


async def request(connection: Connection, what: Literal["embed", "quality", "exif"]) -> int:
    """Makes work due, the least urgent kind; returns for how many photographs.

    `embed`: ready photographs without a vector of the active encoder. `quality` and `exif`: one read of each original
    yields both.
    """
    if what == "embed":
        rows = await connection.fetch(
            """SELECT p.id FROM photos p WHERE p.status = 'ready' AND p.discarded_at IS NULL
               AND p.derivative_generation IS NOT NULL AND NOT EXISTS (
                   SELECT 1 FROM embeddings e JOIN encoders c ON c.id = e.encoder_id AND c.status = 'active'
                   WHERE e.photo_id = p.id)
               AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.stage = 'embed' AND j.subject_id = p.id
                               AND j.status IN ('due', 'queued'))"""
        )
    else:
        rows = await connection.fetch(
            """SELECT p.id FROM photos p WHERE p.discarded_at IS NULL AND NOT EXISTS (
                   SELECT 1 FROM jobs j WHERE j.stage = 'convert' AND j.subject_id = p.id
                   AND j.status IN ('due', 'queued'))"""
        )
    ids = [row["id"] for row in rows]
    async with connection.transaction():
        await jobs.make_due(connection, "embed" if what == "embed" else "convert", ids)
    return len(ids)


async def repoint(connection: Connection, source: str) -> int:
    """Points photographs whose file is gone to the file below `source` with the same bytes; returns how many.

    Sizes are compared first, so that only candidates are read. Raises RequestError for a folder that is not there.
    """
    root_id = await roots.add_root(connection, str(Path(source).expanduser().absolute()))
    root = Path(await connection.fetchval("SELECT path FROM library_roots WHERE id = $1", root_id))
    missing = await asyncio.to_thread(_missing, await connection.fetch(_ORIGINALS))
    wanted = {row["file_size"] for row in missing}
    by_hash = await asyncio.to_thread(_hashed, root, wanted)
    found = 0
    for row in missing:
        path = by_hash.pop(row["file_hash"], None)
        if path is not None:
            found += await _point(connection, row["id"], root_id, path.relative_to(root).as_posix())
    return found


_ORIGINALS = """
SELECT p.id, p.rel_path, p.file_size, p.file_hash, r.path AS root FROM photos p JOIN library_roots r ON r.id = p.root_id
WHERE p.file_hash IS NOT NULL AND p.discarded_at IS NULL
"""


def _missing(rows: list[Any]) -> list[Any]:
    return [row for row in rows if not os.path.lexists(Path(row["root"]) / row["rel_path"])]


def _hashed(root: Path, sizes: set[int]) -> dict[bytes, Path]:
    return {file_hash(path): path for path in _pictures(root) if path.stat().st_size in sizes}


def _pictures(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".")]
        yield from (Path(folder) / name for name in files if file_kind(name) is not None)


async def _point(connection: Connection, photo_id: int, root_id: int, rel_path: str) -> int:
    async with connection.transaction():
        taken = await connection.fetchval(
            "SELECT id FROM photos WHERE root_id = $1 AND rel_path = $2", root_id, rel_path
        )
        if taken is not None:
            return 0
        await connection.execute(
            "UPDATE photos SET root_id = $2, rel_path = $3, missing_since = NULL WHERE id = $1",
            photo_id,
            root_id,
            rel_path,
        )
        await connection.execute("SELECT refresh_gallery($1)", [photo_id])
    return 1
