"""`fineshyt backup` and `fineshyt restore` as they are typed, on a real archive: sentences, JSON, exit codes."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import aio_pika
import pytest
from typer.testing import CliRunner, Result

from contracts import topology
from contracts.settings import Settings
from tests.integration.archive import Archive
from web.cli import _register_all, app
from web.database import connect
from web.relay.broker import declare

pytestmark = [pytest.mark.integration, pytest.mark.slow]
_register_all()

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, amqp_url: str, tmp_path: Path) -> Run:
    environment = {
        "DATABASE_URL": database_url, "AMQP_URL": amqp_url, "FINESHYT_HOME": str(tmp_path / "home"), "COLUMNS": "300",
    }  # fmt: skip

    def typed(*arguments: str | Path) -> Result:
        return CliRunner(env=environment).invoke(app, [str(a) for a in arguments])

    return typed


@pytest.fixture
def rated(database_url: str, tmp_path: Path) -> None:
    """An archive with one photograph of four stars."""

    async def given() -> None:
        connection = await connect(database_url)
        settings = Settings(FINESHYT_HOME=tmp_path / "home", DATABASE_URL=database_url, FREE_DISK_GB=0)
        archive = Archive(connection, settings, tmp_path)
        await archive.rate(await archive.ready_photo(await archive.root(), "a.jpg"), 4)
        await connection.close()

    asyncio.run(given())


def _asked(database_url: str, sql: str) -> object:
    async def ask() -> object:
        connection = await connect(database_url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_saved_proved_and_never_put_over_an_archive_unasked(
    run: Run, rated: None, database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    saved = json.loads(run("backup", "--json", "--keep", "1").stdout)
    again = run("backup", "--keep", "1", "--to", tmp_path / "home" / "backups")

    assert (saved["photos"], saved["decisions"], saved["proved"]) == (1, 1, True)
    assert "every table came back the same" in again.stdout
    assert f"removed {saved['path']}" in again.stdout
    [file] = (tmp_path / "home" / "backups").iterdir()

    _asked(database_url, "UPDATE decisions SET rating = 1")
    refused = run("restore", file)
    assert refused.exit_code == 1
    assert "This archive has 1 photographs already, and nothing was changed" in refused.output
    assert _asked(database_url, "SELECT rating FROM decisions") == 1

    _publish(amqp_url, "convert")
    replaced = json.loads(run("restore", file, "--replace", "--json").stdout)
    assert _asked(database_url, "SELECT rating FROM decisions") == 4
    assert _waiting(amqp_url, "convert") == 0, "no claim of the archive that was here is worked on"
    assert run("restore", replaced["saved_before"], "--replace").exit_code == 0
    assert _asked(database_url, "SELECT rating FROM decisions") == 1, "what was replaced can be had back"


def test_while_something_is_at_work_nothing_is_replaced(run: Run, rated: None, amqp_url: str, tmp_path: Path) -> None:
    saved = json.loads(run("backup", "--json", "--no-proof").stdout)

    async def keep(_: object) -> None: ...

    async def consume_meanwhile() -> Result:
        connection = await aio_pika.connect(amqp_url)
        async with connection:
            channel = await connection.channel()
            await declare(channel)
            await (await channel.get_queue("embed")).consume(keep)
            return await asyncio.to_thread(run, "restore", saved["path"], "--replace")

    refused = asyncio.run(consume_meanwhile())

    assert refused.exit_code == 1
    assert "at work on this archive. Stop it first" in refused.output
    assert len(list((tmp_path / "home" / "backups").iterdir())) == 1


def test_what_is_no_backup_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "holiday.zip").write_text("no backup")

    refused = run("restore", tmp_path / "holiday.zip")

    assert refused.exit_code == 1
    assert "is not a backup of fineshyt, or it is damaged" in refused.output
    assert run("restore", tmp_path / "nothing.zip").exit_code == 2


def test_the_line_for_cron_is_one_that_runs(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    printed = run("backup", "--schedule", "cron", "--keep", "7", "--to", folder).stdout.splitlines()[-1]

    minute, hour, *days, command = printed.split(maxsplit=5)
    assert (minute, hour, days) == ("30", "3", ["*", "*", "*"])
    words = shlex.split(command.removesuffix("> /dev/null"))
    assert words[words.index("--to") + 1] == str(folder)
    done = subprocess.run([*words, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Save the archive" in done.stdout


def test_the_units_for_systemd_are_understood_by_it(run: Run, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not here: it checks the units")
    printed = run("backup", "--schedule", "systemd", "--keep", "7", "--to", tmp_path / "with space").stdout
    for part in printed.split("# ~/.config/systemd/user/")[1:]:
        name, _, text = part.partition("\n")
        (tmp_path / name).write_text(text)
    for unit in ("service", "timer"):
        done = subprocess.run(
            [verify, "verify", str(tmp_path / f"fineshyt-backup.{unit}")], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def _publish(amqp_url: str, queue: str) -> None:
    async def publish() -> None:
        connection = await aio_pika.connect(amqp_url)
        async with connection:
            channel = await connection.channel()
            await declare(channel)
            await (await channel.get_exchange(topology.CLAIMS)).publish(aio_pika.Message(b"stale"), queue)

    asyncio.run(publish())


def _waiting(amqp_url: str, queue: str) -> int:
    async def look() -> int:
        connection = await aio_pika.connect(amqp_url)
        async with connection:
            declared = await (await connection.channel()).declare_queue(queue, passive=True)
            return int(declared.declaration_result.message_count or 0)

    return asyncio.run(look())
