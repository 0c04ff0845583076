"""Photographs whose preview or thumbnail is not on the disk: after a restore without them, or a disk that was lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from contracts.settings import Settings
from web import jobs
from web.database import Connection
from web.derivatives import derivative_name

_CHUNK = 1_000
"""As many as share a folder."""

_EXPECTED = """
SELECT p.id, p.derivative_generation AS generation FROM photos p
LEFT JOIN jobs j ON j.stage = 'convert' AND j.subject_id = p.id
WHERE p.id >= $1 AND p.id < $2 AND p.status = 'ready' AND p.discarded_at IS NULL AND p.derivative_generation IS NOT NULL
  AND (j.status IS NULL OR j.status IN ('done', 'cancelled'))
"""


async def convert_again(connection: Connection, settings: Settings) -> int:
    """Makes them due for convert; returns how many. Same pixels: vectors, facts and decisions stay as they are.

    Work that reads the preview is forgotten meanwhile, or it would fail; convert asks for it again.
    """
    due = 0
    last = await connection.fetchval("SELECT coalesce(max(id), 0) FROM photos")
    for start in range(0, last + 1, _CHUNK):
        rows = await connection.fetch(_EXPECTED, start, start + _CHUNK)
        lacking = await asyncio.to_thread(_lacking, settings.derivatives_dir, rows)
        async with connection.transaction():
            await connection.execute(
                "DELETE FROM jobs WHERE stage IN ('curate', 'embed') AND subject_id = ANY ($1) "
                "AND status IN ('due', 'queued')",
                lacking,
            )
            await jobs.make_due(connection, "convert", lacking)
        due += len(lacking)
    return due


def _lacking(derivatives: Path, rows: list[Any]) -> list[int]:
    if not rows:
        return []
    folder = derivatives / derivative_name(rows[0]["id"], 0, "preview").partition("/")[0]
    try:
        there = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        there = set()
    return [row["id"] for row in rows if not _names(row) <= there]


def _names(row: Any) -> set[str]:
    kinds: tuple[Any, ...] = ("preview", "thumb")
    return {derivative_name(row["id"], row["generation"], kind).rpartition("/")[2] for kind in kinds}
