"""From scanned files to photo rows with a `convert` job, and back again when an import is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.results import ScannedFile
from web import jobs
from web.database import Connection


@dataclass
class Registered:
    """What became of a batch of scanned files: photo ids by outcome."""

    new: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    """Known, but the bytes, the companion or a sidecar changed: read again."""
    restored: list[int] = field(default_factory=list)
    """Discarded once, brought back because the import asked for it."""
    known: int = 0
    discarded: int = 0


# LATERAL with LIMIT keeps the look-up by index even while the tables are new and have no statistics.
_KNOWN_BY_PATH = """
SELECT DISTINCT ON (n) * FROM (
    SELECT f.n, p.id, p.discarded_at IS NOT NULL AS discarded, false AS elsewhere,
           p.file_size = f.size AND p.mtime_ns = f.mtime AND p.rel_path = f.rel_path
               AND p.companion_rel_path IS NOT DISTINCT FROM f.companion
               AND p.companion_mtime_ns IS NOT DISTINCT FROM f.companion_mtime AS same,
           k.rank
    FROM unnest($2::int[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[])
         AS f (n, rel_path, size, mtime, companion, companion_mtime)
    CROSS JOIN LATERAL (VALUES (0, f.rel_path), (1, f.companion)) AS k (rank, path)
    CROSS JOIN LATERAL (SELECT * FROM photos WHERE root_id = $1 AND rel_path = k.path LIMIT 1) p
    WHERE k.path IS NOT NULL
    UNION ALL
    SELECT f.n, p.id, p.discarded_at IS NOT NULL, true, true, 2
    FROM unnest($2::int[], $3::text[]) AS f (n, rel_path)
    CROSS JOIN LATERAL (SELECT photo_id FROM photo_locations WHERE root_id = $1 AND rel_path = f.rel_path LIMIT 1) l
    JOIN photos p ON p.id = l.photo_id
) found ORDER BY n, rank
"""


def _columns(files: Sequence[ScannedFile]) -> tuple[list[Any], ...]:
    return (
        list(range(len(files))),
        [f.rel_path for f in files],
        [f.size for f in files],
        [f.mtime_ns for f in files],
        [f.companion_rel_path for f in files],
        [f.companion_mtime_ns for f in files],
    )


async def find_known(connection: Connection, root_id: int, files: Sequence[ScannedFile]) -> dict[int, Any]:
    """The row of the photo that each file already is, by the file's place in `files`. Absent: new."""
    if not files:
        return {}
    rows = await connection.fetch(_KNOWN_BY_PATH, root_id, *_columns(files))
    return {row["n"]: row for row in rows}


async def register(
    connection: Connection, import_row: Any, files: Sequence[ScannedFile], *, priority: int = jobs.PRIORITY_REST
) -> Registered:
    """Makes photo rows with a due `convert` job for what is new or changed; leaves the rest as it is.

    A file that is known at its path keeps its row and every decision. A JPEG that was a photo of its own becomes the
    companion of the RAW that turned up beside it: the row moves to the RAW.
    """
    known = await find_known(connection, import_row["root_id"], files)
    outcome = Registered()
    fresh = [f for n, f in enumerate(files) if n not in known]
    for n, row in known.items():
        await _take_known(connection, import_row, files[n], row, outcome)
    outcome.new = await _insert(connection, import_row, fresh)
    due = outcome.new + outcome.changed + outcome.restored
    await _fill_project(connection, import_row["project"], outcome.new + outcome.restored)
    await jobs.make_due(connection, "convert", due, priority=priority)
    await connection.execute("SELECT refresh_gallery($1)", due)
    await connection.execute(
        """UPDATE imports SET files_known = files_known + $2, files_discarded = files_discarded + $3,
               photos_selected = photos_selected + $4 WHERE id = $1""",
        import_row["id"], outcome.known, outcome.discarded, len(due),
    )  # fmt: skip
    return outcome


async def _take_known(
    connection: Connection, import_row: Any, file: ScannedFile, row: Any, outcome: Registered
) -> None:
    if row["discarded"] and not import_row["include_discarded"]:
        outcome.discarded += 1
    elif row["elsewhere"] or (row["same"] and not row["discarded"]):
        outcome.known += 1
    else:
        (outcome.restored if row["discarded"] else outcome.changed).append(row["id"])
        await connection.execute(
            """UPDATE photos SET rel_path = $2, file_size = $3, mtime_ns = $4, companion_rel_path = $5,
                   companion_size = $6, companion_mtime_ns = $7, sidecar_rel_paths = $8, discarded_at = NULL,
                   missing_since = NULL, import_id = $9,
                   status = CASE WHEN status = 'ready' THEN 'ready' ELSE 'waiting' END
               WHERE id = $1""",
            row["id"], file.rel_path, file.size, file.mtime_ns, file.companion_rel_path, file.companion_size,
            file.companion_mtime_ns, list(file.sidecar_rel_paths), import_row["id"],
        )  # fmt: skip


async def _insert(connection: Connection, import_row: Any, files: Sequence[ScannedFile]) -> list[int]:
    if not files:
        return []
    rows = await connection.fetch(
        """
        INSERT INTO photos (root_id, import_id, rel_path, file_size, mtime_ns, companion_rel_path, companion_size,
            companion_mtime_ns, sidecar_rel_paths)
        SELECT $1, $2, f.rel_path, f.size, f.mtime, f.companion, f.companion_size, f.companion_mtime,
               string_to_array(f.sidecars, E'\\n')
        FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::text[])
             AS f (rel_path, size, mtime, companion, companion_size, companion_mtime, sidecars)
        ON CONFLICT (root_id, rel_path) DO NOTHING RETURNING id
        """,
        import_row["root_id"],
        import_row["id"],
        [f.rel_path for f in files],
        [f.size for f in files],
        [f.mtime_ns for f in files],
        [f.companion_rel_path for f in files],
        [f.companion_size for f in files],
        [f.companion_mtime_ns for f in files],
        ["\n".join(f.sidecar_rel_paths) for f in files],
    )
    return [row["id"] for row in rows]


async def _fill_project(connection: Connection, project: str | None, photo_ids: Sequence[int]) -> None:
    """The import's project, where the person never chose one."""
    if not project or not photo_ids:
        return
    project_id = await project_named(connection, project)
    await connection.execute(
        """INSERT INTO decisions AS d (photo_id, project_id, project_source)
           SELECT p, $2, 'import' FROM unnest($1::bigint[]) p
           ON CONFLICT (photo_id) DO UPDATE SET project_id = excluded.project_id, project_source = 'import'
           WHERE d.project_source IS NULL""",
        list(photo_ids), project_id,
    )  # fmt: skip


async def project_named(connection: Connection, name: str) -> int:
    """The project's id; names differ by more than case. Made if it is not there."""
    await connection.execute("INSERT INTO projects (name) VALUES ($1) ON CONFLICT DO NOTHING", name.strip())
    return int(await connection.fetchval("SELECT id FROM projects WHERE lower(name) = lower($1)", name.strip()))


async def draw_sample(connection: Connection, import_id: int) -> None:
    """Registers the smallest draw keys of a sampled import's candidates; forgets the others."""
    row = await connection.fetchrow("SELECT * FROM imports WHERE id = $1", import_id)
    if row["sample"] is None:
        return
    drawn = await connection.fetch(
        "SELECT file FROM import_files WHERE import_id = $1 ORDER BY draw_key, rel_path LIMIT $2",
        import_id, row["sample"],
    )  # fmt: skip
    await register(connection, row, [ScannedFile.model_validate(r["file"]) for r in drawn])
    await connection.execute("DELETE FROM import_files WHERE import_id = $1", import_id)


async def forget(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Removes photos that never became ready, or that turned out to be another photo: rows, jobs, all of it.

    Only for photos whose decisions were handed on: a decision is never deleted with its photo otherwise.
    """
    if not photo_ids:
        return
    ids = list(photo_ids)
    await connection.execute("DELETE FROM jobs WHERE subject_id = ANY ($1) AND stage = ANY ($2)", ids, _PHOTO_STAGES)
    await connection.execute("DELETE FROM decision_events WHERE photo_id = ANY ($1)", ids)
    await connection.execute("DELETE FROM decisions WHERE photo_id = ANY ($1)", ids)
    await connection.execute("DELETE FROM gallery WHERE photo_id = ANY ($1)", ids)
    await connection.execute("DELETE FROM photos WHERE id = ANY ($1)", ids)


_PHOTO_STAGES = ["convert", "render", "curate", "embed"]
