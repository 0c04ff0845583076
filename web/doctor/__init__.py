"""What is wrong with this installation, each finding with the way to mend it."""

from __future__ import annotations

import asyncio

from contracts.settings import Settings
from web import leftovers, roots
from web.database import Connection
from web.doctor import places, servers
from web.doctor.finding import Finding
from web.encoders import active_encoder
from web.progress import tab_counts
from web.stages import is_paused, pause_reason

__all__ = ["Finding", "examine"]


async def examine(connection: Connection | None, settings: Settings) -> list[Finding]:
    """Looks at everything; without a connection at what can be seen from outside. Changes nothing."""
    found = [
        places.versions(),
        *places.disk_space(settings),
        *places.permissions(settings),
        *await servers.database(connection),
        *await servers.broker(settings),
        await servers.language_model(settings),
    ]
    if connection is not None:
        found += [
            *await _libraries(connection, settings),
            await _encoder(connection),
            *await _stages(connection),
            await _failed(connection),
            await _leftovers(connection, settings),
        ]
    return found


async def _libraries(connection: Connection, settings: Settings) -> list[Finding]:
    listed = [root for root in await roots.list_roots(connection) if root["source"] != "uploads"]
    if not listed:
        return [Finding("library", False, "There is no library root.", "Add one: fineshyt roots add FOLDER")]
    return [await asyncio.to_thread(places.library, root["path"], root["photos"], settings) for root in listed]


async def _encoder(connection: Connection) -> Finding:
    encoder = await active_encoder(connection)
    if encoder is None:
        return Finding("encoder", True, "is chosen with the first photograph")
    lacking = await connection.fetchval(
        """SELECT count(*) FROM photos p WHERE p.status = 'ready' AND p.discarded_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.photo_id = p.id AND e.encoder_id = $1)
           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.stage = 'embed' AND j.subject_id = p.id
                           AND j.status IN ('due', 'queued', 'failed'))""",
        encoder.id,
    )
    mend = f"{lacking:,} photographs have no vector and no work for it: fineshyt reconcile" if lacking else ""
    return Finding("encoder", not lacking, f"{encoder.name}, {encoder.dim} dimensions", mend)


async def _stages(connection: Connection) -> list[Finding]:
    rows = await connection.fetch("SELECT * FROM stages ORDER BY name")
    return [
        # A stage that waits for the language model waits by design.
        Finding(
            f"stage {row['name']}", row["name"] == "curate", pause_reason(row) or "paused",
            "It resumes by itself when that is mended; after a pause of yours: Resume on the import page.",
        )
        for row in rows
        if is_paused(row)
    ]  # fmt: skip


async def _failed(connection: Connection) -> Finding:
    n = (await tab_counts(connection))["failed"]
    if not n:
        return Finding("failed lane", True, "empty")
    return Finding("failed lane", True, f"{n:,} photographs", "See the tab Failed, or: fineshyt retry-failed")


async def _leftovers(connection: Connection, settings: Settings) -> Finding:
    n, first = 0, None
    async for path in leftovers.leftovers(connection, settings):
        n, first = n + 1, first or path
    if not n:
        return Finding("orphaned derivatives", True, "none")
    said = f"{n:,} files and folders that nobody needs, such as {first}"
    return Finding("orphaned derivatives", False, said, "Remove them: fineshyt doctor --mend")
