"""A backup becomes an archive again: here, or in a scratch database that proves it can.

All or nothing: rows come in within one transaction. What is derived (search index, events) is made anew; previews that
are not in the file are made anew by `fineshyt reconcile`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zipfile import BadZipFile, ZipFile

import asyncpg
import orjson
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from contracts.events import Event
from contracts.settings import Settings
from web import backup, events, jobs, missing_previews
from web.archive_tables import Table, archive_tables, continue_counters, empty, has_table, set_triggers
from web.backup import DERIVATIVES, FORMAT, MANIFEST, Told, copy_out
from web.database import Connection, connected
from web.derivatives import derivatives_of, remove_derivative
from web.errors import RequestError
from web.migrate import migrate_async
from web.operations import newest_revision

_SCRATCH = "fineshyt_proof_"
_SCRATCH_KEPT_S = 86_400
_PREVIEW = re.compile(r"derivatives/\d{6,}/\d+-\d+(\.thumb)?\.jpg")
_LOCK_WAIT_MS = 30_000
_CHUNK = 500


@dataclass(frozen=True)
class Pack:
    """A backup that was opened: its manifest was understood."""

    path: Path
    revision: str
    tables: dict[str, dict[str, Any]]
    counters: dict[str, int]
    made_at: str


@dataclass(frozen=True)
class Restored:
    """`previews`: files put in place. `roots_missing`: folders of the library that are not here."""

    photos: int
    decisions: int
    rows: int
    previews: int
    made_at: str
    previews_due: int = 0
    """Photographs whose previews are made anew."""
    roots_missing: tuple[str, ...] = ()


def opened(path: Path) -> Pack:
    """Reads the manifest. Raises RequestError for what is no backup, or one of a newer fineshyt."""
    try:
        with ZipFile(path) as pack:
            manifest = orjson.loads(pack.read(MANIFEST))
            tables = {table["name"]: table for table in manifest["tables"]}
            found = Pack(path, manifest["revision"], tables, manifest["counters"], manifest["made_at"])
    except (OSError, BadZipFile, KeyError, TypeError, ValueError) as error:
        raise RequestError(422, f"{path} is not a backup of fineshyt, or it is damaged: {error}") from error
    if manifest["format"] > FORMAT or not _known(found.revision):
        raise RequestError(409, f"{path} was made by a newer fineshyt than this one. Update fineshyt, then restore it.")
    return found


def _known(revision: str) -> bool:
    try:
        ScriptDirectory(str(Path(__file__).parent / "migrations")).get_revision(revision)
    except CommandError:
        return False
    return True


async def load(connection: Connection, pack: Pack, told: Told = lambda *_: None) -> None:
    """Replaces every row by the backup's. Call in a transaction, on a database of the backup's revision.

    Raises RequestError where a table of the file cannot be read or has no place here.
    """
    tables = await archive_tables(connection)
    strangers = pack.tables.keys() - {table.name for table in tables}
    if strangers:
        raise RequestError(422, f"{pack.path} holds tables that this fineshyt does not know: {sorted(strangers)}.")
    await set_triggers(connection, tables, fire=False)
    await empty(connection, tables)
    with ZipFile(pack.path) as file:
        for number, table in enumerate(tables):
            if table.name in pack.tables:
                await _copy_in(connection, file, table, pack.tables[table.name])
            told("tables", number + 1, len(tables))
    await set_triggers(connection, tables, fire=True)
    if await has_table(connection, "unindexed_vectors"):
        await connection.execute(
            "INSERT INTO unindexed_vectors (encoder_id, photo_id) SELECT encoder_id, photo_id FROM embeddings"
        )
    await continue_counters(connection, tables, pack.counters)


async def _copy_in(connection: Connection, file: ZipFile, table: Table, held: dict[str, Any]) -> None:
    try:
        with file.open(f"tables/{table.name}") as source:
            said = await connection.copy_to_table(
                table.name, source=source, columns=held["columns"], schema_name="public", format="binary"
            )
    except (BadZipFile, KeyError, EOFError, asyncpg.DataError, asyncpg.BadCopyFileFormatError) as error:
        raise RequestError(422, f"{file.filename} is damaged: {table.name} cannot be read ({error}).") from error
    if int(said.rpartition(" ")[2]) != held["rows"]:
        raise RequestError(422, f"{file.filename} is damaged: {table.name} has {said}, not {held['rows']} rows.")


# ── Proof ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def prove(settings: Settings, pack: Pack, told: Told = lambda *_: None) -> None:
    """Restores into a scratch database beside the archive and compares every table byte by byte.

    Raises RequestError: 403 where no scratch database may be made, 422 where the backup is no good.
    """
    url = settings.database_url.get_secret_value()
    async with scratch_database(url) as scratch:
        await migrate_async(scratch, pack.revision)
        async with connected(scratch) as connection:
            async with connection.transaction():
                await load(connection, pack, lambda _, done, total: told("proof", done, 2 * total))
            await _compare(connection, pack, told)
    await asyncio.to_thread(_check_previews, pack)


async def _compare(connection: Connection, pack: Pack, told: Told) -> None:
    tables = await archive_tables(connection)
    for number, table in enumerate(tables):
        held = pack.tables.get(table.name)
        if held is not None and (await copy_out(connection, table, None))["sha256"] != held["sha256"]:
            raise RequestError(422, f"{pack.path} does not restore: {table.name} came back different.")
        told("proof", len(tables) + number + 1, 2 * len(tables))


def _check_previews(pack: Pack) -> None:
    """Reads them once: each carries its check sum."""
    with ZipFile(pack.path) as file:
        for entry in file.infolist():
            if entry.filename.startswith(DERIVATIVES):
                try:
                    with file.open(entry) as source:
                        shutil.copyfileobj(source, _Nowhere())
                except BadZipFile as error:
                    raise RequestError(422, f"{pack.path} is damaged: {error}") from error


class _Nowhere:
    def write(self, piece: bytes) -> int:
        return len(piece)


@asynccontextmanager
async def scratch_database(url: str) -> AsyncIterator[str]:
    """The URL of an empty database on the same server, removed at the end. Raises RequestError 403."""
    name = f"{_SCRATCH}{int(time.time())}_{os.getpid()}"
    async with connected(url) as server:
        await _drop_abandoned(server)
        try:
            await server.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        except asyncpg.InsufficientPrivilegeError as error:
            raise RequestError(
                403, "The database user may not make the scratch database that proves a backup."
            ) from error
        try:
            yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        finally:
            await server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _drop_abandoned(server: Connection) -> None:
    """Those of proofs that were killed."""
    for row in await server.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", _SCRATCH):
        made = row["datname"].removeprefix(_SCRATCH).partition("_")[0]
        if made.isdigit() and int(made) < time.time() - _SCRATCH_KEPT_S:
            await server.execute(f"DROP DATABASE IF EXISTS {row['datname']} WITH (FORCE)")


# ── Restoring ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def photos_here(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM photos"))


async def restore(connection: Connection, settings: Settings, pack: Pack, told: Told = lambda *_: None) -> Restored:
    """Replaces the archive by the backup's, then puts its previews in place. The database has this version's shape.

    The caller has seen to it that nothing is at work where photographs are replaced (`web.at_rest`).
    """
    if pack.revision == newest_revision():
        done = await _restore(connection, settings, pack, told)
    else:
        async with _brought_up_to_date(settings, pack, told) as renewed:
            done = await _restore(connection, settings, renewed, told)
    previews = await asyncio.to_thread(_put_previews, settings.derivatives_dir, pack, told)
    due = await missing_previews.convert_again(connection, settings)
    await connection.execute(
        "UPDATE jobs SET available_at = now() WHERE stage IN ('curate', 'embed', 'render') AND status = 'due'"
    )
    await jobs.wake_relay(connection)
    return replace(done, previews=previews, previews_due=due)


@asynccontextmanager
async def _brought_up_to_date(settings: Settings, pack: Pack, told: Told) -> AsyncIterator[Pack]:
    """An older backup as one of this version: restored aside, migrated there, and written once more."""
    await asyncio.to_thread(settings.home.mkdir, parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="restore-", dir=settings.home) as folder:
        async with scratch_database(settings.database_url.get_secret_value()) as scratch:
            await migrate_async(scratch, pack.revision)
            async with connected(scratch) as connection, connection.transaction():
                await load(connection, pack, told)
            await migrate_async(scratch)
            async with connected(scratch) as connection:
                written = await backup.write(connection, settings, Path(folder))
        yield replace(opened(written.path), made_at=pack.made_at)


async def _restore(connection: Connection, settings: Settings, pack: Pack, told: Told) -> Restored:
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = {_LOCK_WAIT_MS}")
            await _remember_replaced(connection)
            await load(connection, pack, told)
            await _settle(connection)
            await events.publish(connection, [Event(kind="resync", data={})])
            strange = await connection.fetch(_OTHER_PICTURES)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        raise RequestError(409, "Something is at work on this archive. Stop it, and restore again.") from error
    await connection.execute("ANALYZE")
    await asyncio.to_thread(_remove_previews, settings.derivatives_dir, strange)
    roots = await connection.fetch(
        "SELECT path FROM library_roots WHERE EXISTS (SELECT FROM photos p WHERE p.root_id = id)"
    )
    return Restored(
        photos=await photos_here(connection),
        decisions=await connection.fetchval("SELECT count(*) FROM decisions"),
        rows=sum(table["rows"] for table in pack.tables.values()),
        previews=0,
        made_at=pack.made_at,
        roots_missing=tuple(row["path"] for row in roots if not Path(row["path"]).is_dir()),
    )


async def _remember_replaced(connection: Connection) -> None:
    """Whose previews lie in the folder now, and how high generations went."""
    await connection.execute(
        """CREATE TEMPORARY TABLE replaced ON COMMIT DROP AS
           SELECT id, pixel_hash, derivative_generation FROM photos WHERE derivative_generation IS NOT NULL"""
    )
    await connection.execute(
        """CREATE TEMPORARY TABLE replaced_jobs ON COMMIT DROP AS
           SELECT coalesce(max(generation), 0) AS highest FROM jobs"""
    )


_OTHER_PICTURES = """
SELECT r.id, r.derivative_generation AS generation FROM replaced r LEFT JOIN photos p ON p.id = r.id
WHERE (p.pixel_hash, p.derivative_generation) IS DISTINCT FROM (r.pixel_hash, r.derivative_generation)
"""
"""A preview's name is a photo's number and a generation: of another history it may show another picture."""


async def _settle(connection: Connection) -> None:
    """What was on its way is due again, under generations that no answer of the archive before can bear. What reads
    previews waits until they are in place."""
    await connection.execute(
        """UPDATE jobs SET generation = generation + (SELECT highest FROM replaced_jobs),
               status = CASE WHEN status = 'queued' THEN 'due' ELSE status END,
               available_at = CASE WHEN status NOT IN ('due', 'queued') THEN available_at
                   WHEN stage IN ('curate', 'embed', 'render') THEN now() + interval '1 hour' ELSE now() END,
               claim_id = CASE WHEN status = 'queued' THEN NULL ELSE claim_id END,
               queued_at = CASE WHEN status = 'queued' THEN NULL ELSE queued_at END"""
    )
    await jobs.wake_relay(connection)


def _remove_previews(derivatives: Path, strange: list[Any]) -> None:
    for row in strange:
        for path in derivatives_of(derivatives, row["id"], row["generation"]):
            remove_derivative(path)


def _put_previews(derivatives: Path, pack: Pack, told: Told) -> int:
    """In place under their own names only, whatever a file that was tampered with says."""
    with ZipFile(pack.path) as file:
        entries = [entry for entry in file.infolist() if _PREVIEW.fullmatch(entry.filename)]
        for number, entry in enumerate(entries):
            target = derivatives / entry.filename.removeprefix(DERIVATIVES)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f"{target.name}.part")
            with file.open(entry) as source, partial.open("wb") as out:
                shutil.copyfileobj(source, out)
            partial.replace(target)
            if number % _CHUNK == 0 or number + 1 == len(entries):
                told("previews", number + 1, len(entries))
    return len(entries)
