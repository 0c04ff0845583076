"""What is wrong with this installation, each finding with the way to mend it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import httpx

from contracts.settings import Settings
from web import disk, roots
from web.database import Connection
from web.operations import newest_revision
from web.progress import tab_counts
from web.stages import is_paused, pause_reason

_LOOKED_AT = 200_000


@dataclass(frozen=True)
class Finding:
    what: str
    ok: bool
    say: str


async def examine(connection: Connection, settings: Settings) -> list[Finding]:
    """Database, broker, disk, roots, encoder, language model, stages, failed lane, orphaned derivatives."""
    return [
        await _database(connection),
        await _broker(settings),
        _disk(settings),
        *await _roots(connection),
        await _encoder(connection),
        await _language_model(settings),
        *await _stages(connection),
        await _failed(connection),
        await _orphans(connection, settings),
    ]


async def _database(connection: Connection) -> Finding:
    version = await connection.fetchval("SELECT current_setting('server_version')")
    vector = await connection.fetchval("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    revision = await connection.fetchval("SELECT version_num FROM alembic_version")
    ok = revision == newest_revision()
    mend = "" if ok else f"; its shape is {revision}, this version needs {newest_revision()}: restart fineshyt"
    return Finding("database", ok, f"Postgres {version}, pgvector {vector}{mend}")


async def _broker(settings: Settings) -> Finding:
    try:
        connection = await aio_pika.connect(settings.amqp_url.get_secret_value(), timeout=5)
    except (OSError, aio_pika.exceptions.AMQPException, ValueError) as error:
        return Finding(
            "broker", False, f"RabbitMQ does not answer ({type(error).__name__}). Restart fineshyt, or check AMQP_URL."
        )
    await connection.close()
    return Finding("broker", True, "RabbitMQ answers")


def _disk(settings: Settings) -> Finding:
    shortage = disk.shortage(settings)
    folder = settings.derivatives_dir if settings.derivatives_dir.exists() else settings.home
    if not os.access(folder, os.W_OK):
        return Finding("disk", False, f"{folder} cannot be written. Make it yours: chown -R $USER {folder}")
    return Finding("disk", shortage is None, shortage or f"{disk.free_gb(folder):.0f} GB free for previews")


async def _roots(connection: Connection) -> list[Finding]:
    listed = [root for root in await roots.list_roots(connection) if root["source"] != "uploads"]
    if not listed:
        return [Finding("library", False, "There is no library root. Add one: fineshyt roots add FOLDER")]
    return [
        Finding(
            root["path"], root["offline_reason"] is None, root["offline_reason"] or f"{root['photos']:,} photographs"
        )
        for root in listed
    ]


async def _encoder(connection: Connection) -> Finding:
    row = await connection.fetchrow("SELECT name, dim FROM encoders WHERE status = 'active'")
    if row is None:
        return Finding("encoder", True, "is chosen with the first photograph")
    return Finding("encoder", True, f"{row['name']}, {row['dim']} dimensions")


async def _language_model(settings: Settings) -> Finding:
    """A missing language model is no fault: everything else works."""
    url = settings.llm_base_url
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            await client.get(url.rstrip("/") + "/models")
    except httpx.HTTPError:
        return Finding(
            "language model", True, f"nothing answers at {url}; descriptions wait. Start one, or set LLM_BASE_URL."
        )
    return Finding("language model", True, f"{url} answers")


async def _stages(connection: Connection) -> list[Finding]:
    rows = await connection.fetch("SELECT * FROM stages ORDER BY name")
    # A stage that waits for the language model waits by design.
    return [
        Finding(f"stage {row['name']}", row["name"] == "curate", pause_reason(row) or "paused")
        for row in rows
        if is_paused(row)
    ]


async def _failed(connection: Connection) -> Finding:
    n = (await tab_counts(connection))["failed"]
    return Finding(
        "failed lane", True, "empty" if not n else f"{n} photographs; look at the tab Failed, or: fineshyt retry-failed"
    )


async def _orphans(connection: Connection, settings: Settings) -> Finding:
    known = {
        row["id"] for row in await connection.fetch("SELECT id FROM photos WHERE derivative_generation IS NOT NULL")
    }
    orphans = await asyncio.to_thread(_files_without_photo, settings.derivatives_dir, known)
    say = (
        "none"
        if not orphans
        else f"{len(orphans)} files and folders of photographs that are gone, such as {orphans[0]}; they may be deleted"
    )
    return Finding("orphaned derivatives", not orphans, say)


def _files_without_photo(folder: Path, known: set[int]) -> list[Path]:
    found = []
    for number, path in enumerate(folder.glob("*/*")):
        if number >= _LOOKED_AT:
            break
        if path.suffix not in (".jpg", ".tiles"):
            continue
        photo = path.name.partition("-")[0]
        if photo.isdigit() and int(photo) not in known:
            found.append(path)
    return found
