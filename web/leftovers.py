"""Files among the derivatives that nobody needs: of photographs that are gone, of earlier generations, half-written.

Files are listed first and then looked up, so that a photo that appears meanwhile is known; what open work may have
just written is left alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from contracts.settings import Settings
from web.database import Connection
from web.derivatives import remove_derivative

_ENDINGS = (".jpg", ".tiles")
_PART = ".part"
SETTLED_S = 3600.0
"""A half-written file is left behind, and an earlier generation no longer wanted, when nothing touched it so long."""


@dataclass(frozen=True)
class _File:
    path: Path
    photo: int
    generation: int
    settled: bool


async def leftovers(connection: Connection, settings: Settings) -> AsyncIterator[Path]:
    """Files and folders of derivatives without use, folder by folder."""
    settled_s = max(SETTLED_S, 2 * settings.convert_timeout_s)
    for folder in await asyncio.to_thread(_folders, settings.derivatives_dir):
        files, parts = await asyncio.to_thread(_listed, folder, time.time() - settled_s)
        for path in parts:
            yield path
        for path in await _unneeded(connection, files):
            yield path


async def remove_leftovers(connection: Connection, settings: Settings) -> int:
    """Removes them; returns how many. What cannot be removed stays, and the doctor goes on naming it."""
    removed = 0
    async for path in leftovers(connection, settings):
        try:
            await asyncio.to_thread(remove_derivative, path)
            removed += 1
        except OSError:
            continue
    return removed


def _folders(derivatives: Path) -> list[Path]:
    """Those that photos share, named by thousands; whatever else a person keeps there is not ours."""
    if not derivatives.is_dir():
        return []
    return sorted(path for path in derivatives.iterdir() if path.name.isdigit() and path.is_dir())


def _listed(folder: Path, before: float) -> tuple[list[_File], list[Path]]:
    """Derivatives by photo and generation; and half-written files and folders that were given up."""
    files, parts = [], []
    for path in folder.iterdir():
        settled = _settled(path, before)
        if path.suffix == _PART:
            if settled:
                parts.append(path)
            continue
        photo, _, rest = path.name.partition("-")
        generation = rest.partition(".")[0]
        if path.suffix in _ENDINGS and photo.isdigit() and generation.isdigit():
            files.append(_File(path, int(photo), int(generation), settled))
    return files, parts


def _settled(path: Path, before: float) -> bool:
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:  # removed meanwhile
        return False


async def _unneeded(connection: Connection, files: list[_File]) -> list[Path]:
    rows = await connection.fetch(
        """SELECT p.id, p.derivative_generation AS generation, EXISTS (
               SELECT 1 FROM jobs j WHERE j.subject_id = p.id AND j.stage IN ('convert', 'render')
               AND j.status IN ('due', 'queued')) AS busy
           FROM photos p WHERE p.id = ANY ($1::bigint[])""",
        list({file.photo for file in files}),
    )
    known = {row["id"]: row for row in rows}

    def unneeded(file: _File) -> bool:
        row = known.get(file.photo)
        if row is None:
            return True
        return file.settled and not row["busy"] and file.generation != row["generation"]

    return [file.path for file in files if unneeded(file)]
