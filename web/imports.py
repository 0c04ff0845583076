"""Imports: from a named folder to photo rows with work due.

A photo row exists from selection. "All" registers each folder's files as its scan answers; a sample waits for the
whole walk, leaves out what is known or discarded, and then takes the smallest draw keys.
"""

from __future__ import annotations

from typing import Any

from contracts.events import Event
from web import counters, disk, events, jobs, registration, roots, version_search
from web.database import Connection
from web.errors import RequestError

DEFAULT_SAMPLE = 50
_RECENT = 20
_REFUSALS_LISTED = 20


async def start_import(
    connection: Connection,
    settings: Any,
    path: str,
    *,
    sample: int | None = DEFAULT_SAMPLE,
    project: str | None = None,
    seed: int = 0,
    include_discarded: bool = False,
) -> int:
    """Starts importing the folder `path`, which lies below a root; returns the import's id.

    Raises RequestError when the folder cannot be read, or when too little disk is free for derivatives.
    """
    if sample is not None and sample < 1:
        raise RequestError(422, f"A sample of {sample} pictures is no import. Give a number above zero, or `all`.")
    root_id, root_path, rel_path = await roots.root_of(connection, path)
    shortage = disk.shortage(settings)
    if shortage is not None:
        raise RequestError(507, shortage)
    async with connection.transaction():
        import_id = await connection.fetchval(
            """INSERT INTO imports (root_id, rel_path, sample, seed, project, include_discarded, folders_found)
               VALUES ($1, $2, $3, $4, $5, $6, 1) RETURNING id""",
            root_id, rel_path, sample, seed, (project or "").strip() or None, include_discarded,
        )  # fmt: skip
        folder_id = await connection.fetchval(
            "INSERT INTO import_folders (import_id, rel_path) VALUES ($1, $2) RETURNING id", import_id, rel_path
        )
        await jobs.make_due(connection, "scan", [folder_id], priority=jobs.PRIORITY_ASKED)
        await events.publish(connection, [Event(kind="import", data={"import_id": import_id})])
    del root_path
    return int(import_id)


async def stop_import(connection: Connection, import_id: int) -> None:
    """Stops at once: folders not walked and photos not converted are forgotten, so that a later import finds them."""
    async with connection.transaction():
        found = await connection.fetchrow("SELECT status FROM imports WHERE id = $1 FOR UPDATE", import_id)
        if found is None:
            raise RequestError(404, f"There is no import {import_id}.")
        if found["status"] not in ("scanning", "running"):
            return
        await connection.execute(
            """DELETE FROM jobs WHERE stage = 'scan' AND status IN ('due', 'queued')
               AND subject_id IN (SELECT id FROM import_folders WHERE import_id = $1)""",
            import_id,
        )
        ids = await connection.fetch(
            """SELECT p.id FROM photos p JOIN jobs j ON j.stage = 'convert' AND j.subject_id = p.id
               WHERE p.import_id = $1 AND p.status = 'waiting' AND j.status IN ('due', 'queued')
               FOR UPDATE OF j""",
            import_id,
        )
        await registration.forget(connection, [row["id"] for row in ids])
        await connection.execute("DELETE FROM import_files WHERE import_id = $1", import_id)
        await connection.execute("UPDATE stages SET flush = true WHERE name IN ('scan', 'convert')")
        await connection.execute(
            "UPDATE imports SET status = 'stopped', finished_at = now(), reason = 'Stopped by you.' WHERE id = $1",
            import_id,
        )
        await _write_summary(connection, import_id)
        await events.publish(connection, [Event(kind="import", data={"import_id": import_id})])
        await jobs.wake_relay(connection)


async def finish_imports(connection: Connection) -> None:
    """Moves each open import on: the draw when the walk is over, the end when nothing waits for convert any more."""
    for row in await connection.fetch(
        "SELECT id, status, folders_found, folders_done FROM imports WHERE status IN ('scanning', 'running')"
    ):
        async with connection.transaction():
            current = await connection.fetchrow(
                "SELECT status, folders_found, folders_done FROM imports WHERE id = $1 FOR UPDATE", row["id"]
            )
            if current["status"] == "scanning" and current["folders_done"] >= current["folders_found"]:
                await registration.draw_sample(connection, row["id"])
                await connection.execute("UPDATE imports SET status = 'running' WHERE id = $1", row["id"])
                await events.publish(connection, [Event(kind="import", data={"import_id": row["id"]})])
            elif current["status"] == "running" and not await _waiting(connection, row["id"]):
                await connection.execute(
                    "UPDATE imports SET status = 'done', finished_at = now() WHERE id = $1", row["id"]
                )
                await version_search.request(connection)
                await _write_summary(connection, row["id"])
                await events.publish(connection, [Event(kind="import", data={"import_id": row["id"]})])


async def _waiting(connection: Connection, import_id: int) -> int:
    counted = await counters.counts(connection, f"import:{import_id}")
    return counted.get(f"import:{import_id}", {}).get("waiting", 0)


async def _write_summary(connection: Connection, import_id: int) -> None:
    """Ready, failed by reason, still waiting: kept with the import."""
    failures = await connection.fetch(
        """SELECT failure_reason AS reason, count(*) AS n FROM photos
           WHERE import_id = $1 AND status = 'failed' GROUP BY 1 ORDER BY 2 DESC LIMIT $2""",
        import_id, _REFUSALS_LISTED,
    )  # fmt: skip
    ready = await connection.fetchval(
        "SELECT count(*) FROM photos WHERE import_id = $1 AND status = 'ready'", import_id
    )
    waiting = await connection.fetch(
        """SELECT j.stage, count(*) AS n FROM jobs j JOIN photos p ON p.id = j.subject_id
           WHERE p.import_id = $1 AND j.stage IN ('curate', 'embed') AND j.status IN ('due', 'queued') GROUP BY 1""",
        import_id,
    )
    summary = {
        "ready": ready,
        "failed": {row["reason"] or "": row["n"] for row in failures},
        "waiting": {row["stage"]: row["n"] for row in waiting},
    }
    await connection.execute("UPDATE imports SET summary = $2 WHERE id = $1", import_id, summary)


async def import_state(connection: Connection, import_id: int) -> dict[str, Any]:
    """Everything a page or `--wait` shows of one import."""
    rows = await _states(connection, "i.id = $1", import_id)
    if not rows:
        raise RequestError(404, f"There is no import {import_id}.")
    return rows[0]


async def recent_imports(connection: Connection) -> list[dict[str, Any]]:
    """The newest imports, newest first."""
    return await _states(connection, "i.id > (SELECT coalesce(max(id), 0) - $1 FROM imports)", _RECENT)


async def _states(connection: Connection, condition: str, value: int) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        "SELECT i.*, r.path AS root_path, r.offline_reason FROM imports i JOIN library_roots r ON r.id = i.root_id "
        f"WHERE {condition} ORDER BY i.id DESC",
        value,
    )
    counted = await counters.counts(connection, "import:")
    return [_state(row, counted.get(f"import:{row['id']}", {})) for row in rows]


def _state(row: Any, photos: dict[str, int]) -> dict[str, Any]:
    path = f"{row['root_path'].rstrip('/')}/{row['rel_path']}" if row["rel_path"] else row["root_path"]
    kept = (
        "id", "sample", "seed", "project", "status", "folders_found", "folders_done", "files_found", "files_known",
        "files_discarded", "photos_selected", "photos_merged", "paths_skipped", "ratings_found", "bytes_found",
        "summary",
    )  # fmt: skip
    return {name: row[name] for name in kept} | {
        "path": path,
        "reason": row["reason"] or row["offline_reason"],
        "ready": photos.get("ready", 0),
        "failed": photos.get("failed", 0),
        "waiting": photos.get("waiting", 0),
        "nothing_new": row["status"] == "done" and row["photos_selected"] == 0,
        "created_at": row["created_at"].isoformat(),
        "finished_at": row["finished_at"].isoformat() if row["finished_at"] else None,
    }
