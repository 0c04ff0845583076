"""A folder of an import: its sub-folders become scan jobs, its files photos or candidates of the draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.results import ScannedFile, ScanPayload, SkippedPath
from contracts.settings import Settings
from domain.sampling import draw_key
from web import jobs, registration
from web.database import Connection
from web.results.applied import Applied, Matched


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    for item in items:
        row = await connection.fetchrow(
            """SELECT i.* FROM imports i JOIN import_folders f ON f.import_id = i.id
               WHERE f.id = $1 FOR UPDATE OF i""",
            item.result.subject_id,
        )
        if row is None or row["status"] != "scanning":
            continue
        await _apply_one(connection, row, item.result.typed, applied)


async def _apply_one(connection: Connection, row: Any, payload: ScanPayload, applied: Applied) -> None:
    folders = await connection.fetch(
        """INSERT INTO import_folders (import_id, rel_path) SELECT $1, unnest($2::text[])
           ON CONFLICT DO NOTHING RETURNING id""",
        row["id"], list(payload.folders),
    )  # fmt: skip
    await jobs.make_due(connection, "scan", [f["id"] for f in folders], priority=jobs.PRIORITY_ASKED)
    if row["sample"] is None:
        await registration.register(connection, row, payload.files)
    else:
        await _keep_candidates(connection, row, payload.files)
    await _log_skipped(connection, payload.skipped, applied)
    await connection.execute(
        """UPDATE imports SET folders_found = folders_found + $2, folders_done = folders_done + 1,
               files_found = files_found + $3, paths_skipped = paths_skipped + $4, bytes_found = bytes_found + $5
           WHERE id = $1""",
        row["id"], len(folders), len(payload.files), len(payload.skipped), sum(f.size for f in payload.files),
    )  # fmt: skip


async def _keep_candidates(connection: Connection, row: Any, files: Sequence[ScannedFile]) -> None:
    """What is known or discarded is removed before the draw; a changed file is not drawn for, it is read again."""
    known = await registration.find_known(connection, row["root_id"], files)
    eligible = [
        f for n, f in enumerate(files)
        if n not in known or (known[n]["discarded"] and row["include_discarded"])
    ]  # fmt: skip
    seen_again = [files[n] for n in known if not known[n]["discarded"]]
    await registration.register(connection, row, seen_again)
    await connection.execute(
        "UPDATE imports SET files_discarded = files_discarded + $2 WHERE id = $1",
        row["id"], len(files) - len(eligible) - len(seen_again),
    )  # fmt: skip
    root_path = await connection.fetchval("SELECT path FROM library_roots WHERE id = $1", row["root_id"])
    await connection.execute(
        """INSERT INTO import_files (import_id, rel_path, draw_key, file)
           SELECT $1, * FROM unnest($2::text[], $3::bytea[], $4::jsonb[]) ON CONFLICT DO NOTHING""",
        row["id"],
        [f.rel_path for f in eligible],
        [draw_key(row["seed"], root_path, f.rel_path) for f in eligible],
        [f.model_dump(mode="json") for f in eligible],
    )


async def _log_skipped(connection: Connection, skipped: Sequence[SkippedPath], applied: Applied) -> None:
    rows = await connection.fetch(
        """INSERT INTO error_logs (worker, file, reason, status)
           SELECT 'scan', f, r, 'skipped' FROM unnest($1::text[], $2::text[]) AS s (f, r) RETURNING id""",
        [s.path for s in skipped], [s.sentence for s in skipped],
    )  # fmt: skip
    applied.log_ids += [row["id"] for row in rows]
