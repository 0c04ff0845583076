"""Watched roots on real folders: what comes, moves, grows and goes away."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from contracts.settings import Settings
from tests.integration.archive import Archive
from tests.integration.messages import converted, result
from web import imports, watch
from web.database import Connection
from web.errors import RequestError

pytestmark = [pytest.mark.integration, pytest.mark.slow]


class Watched(Archive):
    """An archive with one watched root; `look` twice is what a copy that has ended needs."""

    async def begin(self) -> Path:
        root = await self.root()
        self.watcher = watch.Watcher(self.connection, self.settings)
        await watch.watch(self.connection, 1)
        await self.watcher.look()
        return root

    async def settle(self) -> None:
        await self.watcher.look()
        await self.watcher.look()

    async def paths(self) -> dict[str, int]:
        return {row["rel_path"]: row["id"] for row in await self.connection.fetch("SELECT id, rel_path FROM photos")}

    async def convert(self, photo: int, pixels: str) -> None:
        await self.apply(result("convert", photo, converted(pixels)))

    async def imports(self) -> list[dict[str, Any]]:
        return await imports.recent_imports(self.connection)

    async def reason(self) -> str | None:
        return (await watch.watched(self.connection))[0]["reason"]


@pytest.fixture
async def archive(database: Connection, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(watch, "QUIET_S", 0.0)
    return Watched(database, settings, tmp_path)


def put(path: Path, content: bytes = b"picture") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


async def test_what_is_there_comes_first_and_then_what_comes(archive: Watched) -> None:
    put(await archive.root() / "2019" / "a.tif")
    root = await archive.begin()
    first = (await archive.imports())[0]
    assert (first["path"], first["sample"], first["status"]) == (str(root), None, "scanning")
    assert await archive.connection.fetchval("SELECT count(*) FROM jobs WHERE stage = 'scan' AND status = 'due'") == 1

    put(root / "2019" / "b.tif")
    put(root / "2020" / "oslo" / "b.CR2")
    put(root / "2020" / "oslo" / "b.JPG")
    put(root / "2020" / "oslo" / "notes.txt")
    put(root / "c.jpg")
    await archive.settle()

    assert set(await archive.paths()) == {"2019/a.tif", "2019/b.tif", "2020/oslo/b.CR2", "c.jpg"}
    assert [(i["path"], i["photos_selected"]) for i in await archive.imports()] == [(str(root), 4), (str(root), 0)]
    job = await archive.job("convert", (await archive.paths())["2020/oslo/b.CR2"])
    assert job["status"] == "due"


async def test_looking_without_changes_leaves_no_trace(archive: Watched) -> None:
    root = await archive.begin()
    put(root / "a.tif")
    await archive.settle()

    await archive.settle()
    put(root / "notes.txt")
    await archive.settle()

    assert len(await archive.imports()) == 2


async def test_a_file_that_still_grows_is_waited_for(archive: Watched) -> None:
    root = await archive.begin()
    for n in range(1, 4):
        put(root / "a.tif", b"x" * n)
        await archive.watcher.look()
        assert await archive.paths() == {}

    await archive.watcher.look()

    assert set(await archive.paths()) == {"a.tif"}
    size = await archive.connection.fetchval("SELECT file_size FROM photos")
    assert size == 3


async def test_a_folder_that_is_settled_does_not_hide_one_below_that_is_not(archive: Watched) -> None:
    root = await archive.begin()
    for n in range(1, 4):
        put(root / "sub" / "a.tif", b"x" * n)
        await archive.watcher.look()

    await archive.settle()

    assert set(await archive.paths()) == {"sub/a.tif"}


async def test_a_folder_is_not_settled_within_the_steps_of_its_clock(
    archive: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "QUIET_S", 30.0)
    root = await archive.begin()
    put(root / "a.tif")
    await archive.settle()
    assert await archive.paths() == {}

    os.utime(root, ns=(0, 1_500_000_000_000_000_000))
    await archive.settle()

    assert set(await archive.paths()) == {"a.tif"}


@pytest.mark.parametrize(
    ("old", "new"), [("a.tif", "sub/a.tif"), ("sub/a.tif", "sub/b.tif"), ("sub/a.tif", "x/y/a.tif")]
)
async def test_a_moved_or_renamed_file_keeps_its_decisions(archive: Watched, old: str, new: str) -> None:
    root = await archive.begin()
    put(root / old)
    await archive.settle()
    photo = (await archive.paths())[old]
    await archive.convert(photo, "pixels")
    await archive.rate(photo, 5)

    (root / new).parent.mkdir(parents=True, exist_ok=True)
    (root / old).rename(root / new)
    await archive.settle()
    await archive.convert((await archive.paths())[new], "pixels")

    assert await archive.paths() == {new: photo}
    assert (await archive.decision(photo))["rating"] == 5


async def test_a_renamed_folder_is_followed(archive: Watched) -> None:
    root = await archive.begin()
    for name in ("a.tif", "b.tif"):
        put(root / "2019" / name)
    await archive.settle()
    before = await archive.paths()
    for path, photo in before.items():
        await archive.convert(photo, path[-5:])
        await archive.rate(photo, 4)

    (root / "2019").rename(root / "Oslo")
    await archive.settle()
    for path, photo in (await archive.paths()).items():
        if path.startswith("Oslo"):
            await archive.convert(photo, path[-5:])

    assert await archive.paths() == {path.replace("2019", "Oslo"): photo for path, photo in before.items()}
    known = await archive.connection.fetch("SELECT rel_path FROM watched_folders ORDER BY 1")
    assert [row["rel_path"] for row in known] == ["", "Oslo"]


async def test_a_drive_that_is_away_or_empty_is_waited_for_and_nothing_is_deleted(archive: Watched) -> None:
    root = await archive.begin()
    put(root / "2019" / "a.tif")
    await archive.settle()
    before = await archive.paths()

    root.rename(archive.folder / "unplugged")
    await archive.settle()
    assert "Is the drive connected?" in (await archive.reason() or "")
    root.mkdir()
    await archive.settle()
    assert "Is the drive mounted?" in (await archive.reason() or "")
    assert await archive.paths() == before
    assert await archive.connection.fetchval("SELECT count(*) FROM watched_folders") == 2

    root.rmdir()
    (archive.folder / "unplugged").rename(root)
    put(root / "2019" / "new.tif")
    await archive.settle()
    assert await archive.reason() is None
    assert set(await archive.paths()) == {"2019/a.tif", "2019/new.tif"}
    missing = await archive.connection.fetchval("SELECT count(*) FROM photos WHERE missing_since IS NOT NULL")
    assert missing == 0


async def test_another_drive_at_the_same_place_is_not_taken_in(
    archive: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = await archive.begin()
    put(root / "a.tif")
    await archive.settle()
    await archive.connection.execute("UPDATE library_roots SET marker = 'archive:/'")
    monkeypatch.setattr("web.roots.marker_of", lambda path: "card:/")
    put(root / "b.tif")

    await archive.settle()

    assert "Another drive is mounted" in (await archive.reason() or "")
    assert set(await archive.paths()) == {"a.tif"}


async def test_a_folder_that_is_deleted_deletes_no_photo(archive: Watched) -> None:
    root = await archive.begin()
    put(root / "2019" / "a.tif")
    put(root / "b.tif")
    await archive.settle()
    photo = (await archive.paths())["2019/a.tif"]
    await archive.rate(photo, 5)

    shutil.rmtree(root / "2019")
    await archive.settle()

    assert set(await archive.paths()) == {"2019/a.tif", "b.tif"}
    assert (await archive.decision(photo))["rating"] == 5


async def test_what_was_thrown_away_does_not_come_back(archive: Watched) -> None:
    root = await archive.begin()
    put(root / "a.tif")
    await archive.settle()
    await archive.connection.execute("UPDATE photos SET discarded_at = now()")

    put(root / "b.tif")
    await archive.settle()

    discarded = await archive.connection.fetchval("SELECT rel_path FROM photos WHERE discarded_at IS NOT NULL")
    assert discarded == "a.tif"


async def test_what_happened_while_nothing_ran_is_found(archive: Watched) -> None:
    root = await archive.begin()
    put(root / "a.tif")
    await archive.settle()
    put(root / "b.tif")

    archive.watcher = watch.Watcher(archive.connection, archive.settings)
    await archive.settle()

    assert set(await archive.paths()) == {"a.tif", "b.tif"}


async def test_no_longer_watched(archive: Watched) -> None:
    root = await archive.begin()
    put(root / "a.tif")
    await archive.settle()

    await watch.unwatch(archive.connection, 1)
    put(root / "b.tif")
    await archive.settle()

    assert set(await archive.paths()) == {"a.tif"}
    for work in (watch.watch, watch.unwatch):
        with pytest.raises(RequestError, match="There is no root 99"):
            await work(archive.connection, 99)


async def test_the_loop_looks_by_itself_and_one_at_a_time(archive: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL_S", 0.05)
    monkeypatch.setattr(watch, "_BUSY_SHARE", 0)
    root = await archive.begin()
    put(root / "a.tif")
    stop = asyncio.Event()
    loops = [asyncio.create_task(watch.run_watch(archive.settings, stop)) for _ in range(2)]

    for _ in range(200):
        if await archive.paths():
            break
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*loops)

    assert set(await archive.paths()) == {"a.tif"}
    assert len(await archive.imports()) == 2
