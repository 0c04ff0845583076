"""Backup and restore on a real Postgres: one moment, every table, proved, rotated, never over an archive unasked."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import asyncpg
import httpx
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from contracts.settings import Settings
from tests.integration.archive import Archive
from tests.integration.messages import converted, curated, embedded, result
from tests.servers import TestServers
from web import archive_tables, backup, restore
from web.app import create_app
from web.database import Connection, connect
from web.derivatives import derivative_path
from web.errors import RequestError
from web.migrate import migrate_async
from web.reconcile import reconcile

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
async def archive(database: Connection, settings: Settings, tmp_path: Path) -> Archive:
    return Archive(database, settings, tmp_path)


@pytest.fixture
async def elsewhere(servers: TestServers, tmp_path: Path) -> AsyncIterator[Archive]:
    """An empty archive with a home of its own."""
    url = servers.database()
    connection = await connect(url)
    settings = Settings(FINESHYT_HOME=tmp_path / "elsewhere", DATABASE_URL=url, FREE_DISK_GB=0)
    settings.home.mkdir()
    yield Archive(connection, settings, tmp_path)
    await connection.close()
    servers.drop_database(url)


async def _photographs(archive: Archive, n: int = 3) -> list[int]:
    """Ready, embedded, described, decided about; previews on the disk."""
    root = await archive.root()
    ids = [await archive.ready_photo(root, f"roll/{i}.jpg") for i in range(n)]
    for number, photo_id in enumerate(ids):
        await archive.apply(result("embed", photo_id, embedded(number)), result("curate", photo_id, curated()))
        _write_previews(archive, photo_id, 1, f"picture {photo_id}")
    async with httpx_client(archive.settings) as client:
        for stars, photo_id in enumerate(ids, 3):
            decided = {
                "rating": min(stars, 5),
                "project": "Ægir & co",
                "tags_add": ["fog"],
                "manual_match": stars == 4,
            }
            (await client.put(f"/api/photos/{photo_id}/decision", json=decided)).raise_for_status()
    return ids


def _write_previews(archive: Archive, photo_id: int, generation: int, text: str) -> None:
    for kind in ("preview", "thumb"):
        path = derivative_path(archive.settings.derivatives_dir, photo_id, generation, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{kind} of {text}")


class httpx_client:  # noqa: N801 - reads as what it gives
    def __init__(self, settings: Settings) -> None:
        self._manager = LifespanManager(create_app(settings))

    async def __aenter__(self) -> httpx.AsyncClient:
        manager = await self._manager.__aenter__()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(manager.app), base_url="http://localhost:4000")
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
        await self._manager.__aexit__(None, None, None)


async def _gallery(archive: Archive) -> Any:
    """What a person sees: every photograph in its order, tabs, projects, history."""
    async with httpx_client(archive.settings) as client:
        pages = ("/api/photos?filter=all&sort=name", "/api/projects", "/api/history", "/api/taste")
        return [(await client.get(page)).json() for page in pages]


async def _saved(archive: Archive, folder: Path, **options: Any) -> Path:
    keep = options.pop("keep", None)
    written = await backup.write(archive.connection, archive.settings, folder, **options)
    finished, _ = await backup.finish(archive.connection, written, keep)
    return finished.path


async def test_an_empty_home_becomes_the_same_gallery(archive: Archive, elsewhere: Archive, tmp_path: Path) -> None:
    ids = await _photographs(archive)
    before = await _gallery(archive)
    path = await _saved(archive, tmp_path / "backups", previews=True)

    restored = await restore.restore(elsewhere.connection, elsewhere.settings, restore.opened(path))
    mended = await reconcile(elsewhere.connection, elsewhere.settings)

    assert (restored.photos, restored.decisions, restored.previews) == (3, 3, 6)
    assert await _gallery(elsewhere) == before
    assert mended["previews_due"] == 0
    shown = derivative_path(elsewhere.settings.derivatives_dir, ids[0], 1, "preview")
    assert shown.read_text() == f"preview of picture {ids[0]}"


async def test_work_that_was_on_its_way_is_due_again(archive: Archive, elsewhere: Archive, tmp_path: Path) -> None:
    photo_id = (await _photographs(archive, 1))[0]
    await archive.connection.execute(
        "UPDATE jobs SET status = 'queued', claim_id = gen_random_uuid(), queued_at = now()"
    )
    path = await _saved(archive, tmp_path, previews=True)

    await restore.restore(elsewhere.connection, elsewhere.settings, restore.opened(path))

    job = await elsewhere.job("embed", photo_id)
    assert (job["status"], job["claim_id"], job["generation"]) == ("due", None, 1)


async def test_without_previews_they_are_made_anew_before_anything_reads_them(
    archive: Archive, elsewhere: Archive, tmp_path: Path
) -> None:
    ids = await _photographs(archive)
    await archive.connection.execute("UPDATE jobs SET status = 'due' WHERE stage = 'curate'")
    path = await _saved(archive, tmp_path)
    _write_previews(elsewhere, ids[0], 1, "one that outlived the database")

    restored = await restore.restore(elsewhere.connection, elsewhere.settings, restore.opened(path))
    mended = await reconcile(elsewhere.connection, elsewhere.settings)

    assert (restored.previews_due, mended["previews_due"]) == (2, 0)
    assert mended["embed_due"] == mended["curate_due"] == 0
    assert [(await elsewhere.job("convert", i))["status"] for i in ids] == ["done", "due", "due"]
    assert [(await elsewhere.job("embed", i))["status"] for i in ids] == ["done", "done", "done"]
    described = [await elsewhere.job("curate", photo_id) for photo_id in ids]
    assert described[0]["status"] == "due" and described[1:] == [None, None], "it would find no preview"
    again = await elsewhere.job("convert", ids[1])
    await elsewhere.apply(result("convert", ids[1], converted("roll/1.jpg"), generation=again["generation"]))
    assert (await elsewhere.job("curate", ids[1]))["status"] == "due", "convert asks for it again"


async def test_every_table_is_in_it_but_for_what_is_made_anew(archive: Archive, tmp_path: Path) -> None:
    path = await _saved(archive, tmp_path)

    there = await archive.connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    assert {row["relname"] for row in there} == restore.opened(path).tables.keys() | archive_tables.LEFT_OUT


async def test_it_is_as_of_one_moment_whatever_goes_on_meanwhile(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    """A transaction always changes two tables; the backup holds both changes or neither."""
    await _photographs(archive, 2)
    other = await connect(settings.database_url.get_secret_value())
    enough = asyncio.Event()

    async def decides() -> int:
        n = 0
        while not enough.is_set():
            n += 1
            async with other.transaction():
                await other.execute("INSERT INTO projects (name) VALUES ($1)", f"project {n}")
                await other.execute("INSERT INTO error_logs (worker, reason, status) VALUES ('test', $1, 'x')", f"{n}")
        return n

    deciding = asyncio.create_task(decides())
    before = 0
    while not await archive.connection.fetchval("SELECT count(*) FROM error_logs"):
        await asyncio.sleep(0.05)
    for _ in range(2):
        written = await backup.write(archive.connection, settings, tmp_path)
        tables = restore.opened(written.path).tables
        await restore.prove(settings, restore.opened(written.path))
        written.path.unlink()
        assert tables["projects"]["rows"] - 1 == tables["error_logs"]["rows"] > before
        before = tables["error_logs"]["rows"]
    enough.set()
    assert await deciding > before
    await other.close()


async def test_decisions_can_be_read_without_us(archive: Archive, tmp_path: Path) -> None:
    await _photographs(archive, 1)

    with ZipFile(await _saved(archive, tmp_path)) as pack:
        decided = json.loads(pack.read("decisions.json"))

    assert len(decided) == 1
    assert decided[0]["path"] == "roll/0.jpg" and decided[0]["root"].endswith("library")
    assert (decided[0]["rating"], decided[0]["project"], decided[0]["tags_added"]) == (3, "Ægir & co", ["fog"])
    assert len(decided[0]["file_hash"]) == 64


async def test_a_backup_of_an_older_version_is_brought_up_to_date(
    servers: TestServers, elsewhere: Archive, tmp_path: Path
) -> None:
    url = await asyncio.to_thread(servers.empty_database)
    await migrate_async(url, "0004")
    old = await connect(url)
    await old.execute("INSERT INTO library_roots (path) VALUES ('/photos')")
    await old.execute("INSERT INTO photos (root_id, rel_path) VALUES (1, 'a.tif')")
    await old.execute("INSERT INTO decisions (photo_id, rating, rating_source) VALUES (1, 4, 'person')")
    written = await backup.write(old, elsewhere.settings, tmp_path)
    await old.close()

    restored = await restore.restore(elsewhere.connection, elsewhere.settings, restore.opened(written.path))

    assert (restored.photos, restored.roots_missing) == (1, ("/photos",))
    assert (await elsewhere.decision(1))["rating"] == 4
    assert list(elsewhere.settings.home.iterdir()) == [], "what was written aside is gone"
    servers.drop_database(url)


async def test_a_backup_of_a_newer_version_is_refused(archive: Archive, tmp_path: Path) -> None:
    await archive.connection.execute("UPDATE alembic_version SET version_num = '9999'")
    written = await backup.write(archive.connection, archive.settings, tmp_path)

    with pytest.raises(RequestError, match="newer fineshyt"):
        restore.opened(written.path)


@pytest.mark.parametrize("damage", ["cut", "flipped", "no zip"])
async def test_a_damaged_backup_is_refused_and_changes_nothing(
    archive: Archive, elsewhere: Archive, tmp_path: Path, damage: str
) -> None:
    await _photographs(archive)
    path = await _saved(archive, tmp_path)
    _damage(path, damage)
    await elsewhere.root("other")

    with pytest.raises(RequestError, match="damaged"):
        await restore.restore(elsewhere.connection, elsewhere.settings, restore.opened(path))

    assert await elsewhere.connection.fetchval("SELECT count(*) FROM library_roots") == 1
    with pytest.raises(RequestError, match="damaged"):
        await restore.prove(archive.settings, restore.opened(path))


def _damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "cut":
        del content[len(content) // 2 :]
    elif how == "no zip":
        content = bytearray(b"no backup at all")
    else:
        with ZipFile(path) as pack:
            entry = pack.getinfo("tables/embeddings")
        content[entry.header_offset + 120] ^= 0xFF
    path.write_bytes(content)


async def test_the_proof_finds_a_row_that_came_back_different(archive: Archive, tmp_path: Path) -> None:
    await _photographs(archive)
    path = await _saved(archive, tmp_path)
    pack = restore.opened(path)
    pack.tables["decisions"]["sha256"] = "0" * 64

    with pytest.raises(RequestError, match="decisions came back different"):
        await restore.prove(archive.settings, pack)

    left = await archive.connection.fetchval("SELECT count(*) FROM pg_database WHERE datname LIKE 'fineshyt_proof%'")
    assert left == 0, "the scratch database is removed whatever happens"


async def test_an_account_that_may_not_make_a_scratch_database_is_told_so(
    archive: Archive, settings: Settings, tmp_path: Path
) -> None:
    name = f"plain_{os.getpid()}"
    await archive.connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    await archive.connection.execute(f"GRANT ALL ON SCHEMA public TO {name}")
    await archive.connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
    path = await _saved(archive, tmp_path)
    address = settings.database_url.get_secret_value().partition("@")[2]
    theirs = settings.model_copy(update={"database_url": SecretStr(f"postgresql://{name}:x@{address}")})

    with pytest.raises(RequestError, match="may not make the scratch database") as refused:
        await restore.prove(theirs, restore.opened(path))

    assert refused.value.status == 403
    await archive.connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


async def test_the_oldest_go_and_nobody_elses(archive: Archive, elsewhere: Archive, tmp_path: Path) -> None:
    foreign = tmp_path / "fineshyt-holiday.zip"
    foreign.write_text("not ours")
    others = await _saved(elsewhere, tmp_path)
    mine = await _saved(archive, tmp_path)
    archive_id = mine.stem.rpartition("-")[2]
    older = [tmp_path / f"fineshyt-2020010{day}T000000Z-{archive_id}.zip" for day in (1, 2, 3)]
    for path in older:
        path.write_bytes(b"")
    mine.unlink()

    newest = await _saved(archive, tmp_path, keep=2)

    assert {path.name for path in tmp_path.glob("*.zip")} == {foreign.name, others.name, older[2].name, newest.name}
    assert newest.stat().st_mode & 0o077 == 0, "it says where photographs are"


async def test_a_preview_of_another_history_is_not_taken_for_this_ones(
    archive: Archive, elsewhere: Archive, tmp_path: Path
) -> None:
    ids = await _photographs(archive, 2)
    path = await _saved(archive, tmp_path)
    root = await elsewhere.root("other")
    assert await elsewhere.ready_photo(root, "stranger.jpg") == ids[0]
    _write_previews(elsewhere, ids[0], 1, "a stranger")

    restored = await restore.restore(elsewhere.connection, elsewhere.settings, restore.opened(path))

    assert not derivative_path(elsewhere.settings.derivatives_dir, ids[0], 1, "preview").exists()
    assert restored.previews_due == 2


async def test_no_number_and_no_generation_is_given_twice(archive: Archive, elsewhere: Archive, tmp_path: Path) -> None:
    ids = await _photographs(archive, 1)
    path = await _saved(archive, tmp_path)
    root = await elsewhere.root("other")
    there = [await elsewhere.ready_photo(root, f"{i}.jpg") for i in range(4)]
    await elsewhere.connection.execute("UPDATE jobs SET generation = 7 WHERE subject_id = $1", there[0])

    await restore.restore(elsewhere.connection, elsewhere.settings, restore.opened(path))

    assert (await elsewhere.job("convert", ids[0]))["generation"] > 7
    fresh = await elsewhere.ready_photo(archive.folder / "library", "new.jpg")
    assert fresh > max(there)


async def test_a_file_that_was_tampered_with_writes_nowhere_else(
    archive: Archive, elsewhere: Archive, tmp_path: Path
) -> None:
    path = await _saved(archive, tmp_path)
    with ZipFile(path, "a") as pack:
        pack.writestr("derivatives/../../evil.jpg", "evil")
        pack.writestr("derivatives/000000/../../../evil-1.jpg", "evil")

    restored = await restore.restore(elsewhere.connection, elsewhere.settings, restore.opened(path))

    assert restored.previews == 0
    assert not list(tmp_path.rglob("evil*"))


async def test_search_finds_restored_vectors(archive: Archive, elsewhere: Archive, tmp_path: Path) -> None:
    await _photographs(archive)
    path = await _saved(archive, tmp_path)

    await restore.restore(elsewhere.connection, elsewhere.settings, restore.opened(path))

    assert await elsewhere.connection.fetchval("SELECT count(*) FROM unindexed_vectors") == 3
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await elsewhere.connection.execute("DELETE FROM library_roots")
