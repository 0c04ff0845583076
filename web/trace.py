"""A photograph's history in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from web.database import Connection
from web.errors import RequestError

_PHOTO = """
SELECT p.inserted_at, p.rel_path, r.path, p.status, p.failure_reason, p.import_id FROM photos p
JOIN library_roots r ON r.id = p.root_id WHERE p.id = $1
"""


async def history(connection: Connection, photo_id: int) -> list[tuple[datetime, str]]:
    """`(moment, what happened)`, oldest first. Raises RequestError 404."""
    photo = await connection.fetchrow(_PHOTO, photo_id)
    if photo is None:
        raise RequestError(404, f"There is no photograph {photo_id}.")
    chosen = f"import {photo['import_id']}" if photo["import_id"] else "an upload"
    lines = [
        (photo["inserted_at"], f"{photo['path']}/{photo['rel_path']} was chosen by {chosen}; it is {photo['status']}")
    ]
    for job in await connection.fetch(
        """SELECT * FROM jobs WHERE subject_id = $1 AND stage IN ('convert', 'render', 'curate', 'embed')""", photo_id
    ):
        lines.append((job["finished_at"] or job["queued_at"] or job["available_at"], _job(job)))
    for row in await connection.fetch("SELECT * FROM error_logs WHERE photo_id = $1", photo_id):
        lines.append((row["at"], f"{row['worker']}, attempt {row['attempt']}, {row['status']}: {row['reason']}"))
    for row in await connection.fetch("SELECT * FROM decision_events WHERE photo_id = $1 AND old <> new", photo_id):
        lines.append((row["at"], f"{row['field']}: {row['old']} became {row['new']} ({row['source']})"))
    return sorted(lines, key=lambda line: line[0])


def _job(job: Any) -> str:
    took = f" in {job['seconds']:.2f} s on {job['worker']}" if job["seconds"] is not None else ""
    tried = f", {job['attempts']} failed attempts" if job["attempts"] else ""
    said = f": {job['error']['sentence']}" if job["error"] else ""
    return f"{job['stage']} is {job['status']}{took}, generation {job['generation']}{tried}{said}"
