"""The doctor finds what is wrong and says how to mend it; leftovers among the derivatives go, and only they."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import aio_pika
import pytest
from typer.testing import CliRunner, Result

from contracts import topology
from contracts.settings import Settings
from tests.integration.archive import Archive
from web import doctor, leftovers
from web.cli import _register_all, app
from web.derivatives import derivative_path, tiles_path
from web.doctor import Finding
from web.reconcile import reconcile

pytestmark = pytest.mark.integration

_register_all()


@pytest.fixture
async def archive(database: object, tmp_path: Path, settings: Settings) -> Archive:
    return Archive(database, settings, tmp_path)


async def examined(archive: Archive, **changes: object) -> dict[str, Finding]:
    settings = archive.settings.model_copy(update={"llm_base_url": "http://127.0.0.1:9/v1/", **changes})
    return {f.what: f for f in await doctor.examine(archive.connection, settings)}


def written(path: Path, *, hours_ago: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"jpeg")
    then = time.time() - hours_ago * 3600
    os.utime(path, (then, then))
    return path


async def test_what_nobody_needs_goes_and_everything_else_stays(archive: Archive) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    busy = await archive.ready_photo(await archive.root(), "b.jpg")
    await archive.connection.execute(
        "UPDATE jobs SET status = 'queued', generation = 2 WHERE stage = 'convert' AND subject_id = $1", busy
    )
    folder = archive.settings.derivatives_dir
    kept = [
        written(derivative_path(folder, photo, 1, "preview"), hours_ago=9),
        written(derivative_path(folder, photo, 1, "render"), hours_ago=9),
        written(derivative_path(folder, photo, 2, "thumb")),
        written(derivative_path(folder, busy, 2, "preview"), hours_ago=9),
        written(folder / "000000" / ".1-2.jpg.xyz.part"),
        written(folder / "notes" / "7-1.jpg", hours_ago=9),
    ]
    gone = [
        written(derivative_path(folder, 12345, 1, "preview")),
        written(derivative_path(folder, photo, 7, "preview"), hours_ago=9),
        written(folder / "000000" / ".1-1.jpg.abc.part", hours_ago=2),
        written(tiles_path(folder, 12345, 1) / "0" / "0_0.jpg").parents[1],
    ]

    found = await examined(archive)
    mended = await reconcile(archive.connection, archive.settings)

    assert found["orphaned derivatives"].say.startswith(f"{len(gone)} files")
    assert "--mend" in found["orphaned derivatives"].mend
    assert mended["leftovers_removed"] == len(gone)
    assert not [path for path in gone if path.exists()]
    assert [path for path in kept if path.exists()] == kept
    assert (await examined(archive))["orphaned derivatives"].ok


async def test_a_file_that_cannot_be_removed_is_no_reason_to_stop(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = archive.settings.derivatives_dir
    stuck, other = (written(derivative_path(folder, n, 1, "preview")) for n in (111, 222))
    remove = leftovers.remove_derivative

    def refuse(path: Path) -> None:
        if path == stuck:
            raise PermissionError(path)
        remove(path)

    monkeypatch.setattr(leftovers, "remove_derivative", refuse)

    assert await leftovers.remove_leftovers(archive.connection, archive.settings) == 1
    assert stuck.exists() and not other.exists()


async def test_without_servers_the_rest_is_examined(settings: Settings) -> None:
    found = {f.what: f for f in await doctor.examine(None, settings)}

    assert not found["database"].ok and "Restart fineshyt" in found["database"].mend
    assert not found["broker"].ok
    assert found["versions"].ok and found["disk"].ok and found["permissions"].ok


async def test_an_older_shape_of_the_database_is_a_fault(archive: Archive) -> None:
    assert (await examined(archive))["database"].ok
    await archive.connection.execute("UPDATE alembic_version SET version_num = '0001'")

    found = (await examined(archive))["database"]

    assert not found.ok and "0001" in found.say and "migrates" in found.mend


async def ignore(_: object) -> None:
    pass


async def test_a_stage_without_a_worker_is_named(archive: Archive, amqp_url: str) -> None:
    broker = await aio_pika.connect(amqp_url)
    async with broker:
        channel = await broker.channel()
        for name in (*topology.WORK_STAGES, topology.TEXT_QUEUE, topology.RESULTS_QUEUE):
            queue = await channel.declare_queue(name)
            if name != "convert":
                await queue.consume(ignore)
        settings = archive.settings.model_copy(update={"amqp_url": type(archive.settings.amqp_url)(amqp_url)})

        found = {f.what: f for f in await doctor.examine(archive.connection, settings)}

    assert found["broker"].ok and re.search(r"version [34]\.", found["broker"].say)
    assert not found["workers"].ok and found["workers"].say == "Nobody works on: convert."


async def test_previews_inside_the_library_would_be_imported(archive: Archive) -> None:
    root = await archive.root()
    inside, hidden = root / "previews", root / ".fineshyt"

    assert not (await examined(archive, derivatives=inside))[str(root)].ok
    assert (await examined(archive, derivatives=hidden))[str(root)].ok


async def test_a_full_disk_and_open_passwords_are_faults(archive: Archive) -> None:
    running = written(archive.settings.home / "run.json")
    running.chmod(0o644)

    found = await examined(archive, free_disk_gb=10**6)

    assert not found["disk"].ok and found["disk"].mend
    assert not found["secrets"].ok and f"chmod 600 {running}" in found["secrets"].mend


async def test_every_fault_says_how_to_mend_it(archive: Archive) -> None:
    root = await archive.root()
    await archive.ready_photo(root, "a.jpg")
    root.rename(archive.folder / "unplugged")
    written(derivative_path(archive.settings.derivatives_dir, 12345, 1, "preview"))

    faults = [f for f in (await examined(archive, free_disk_gb=10**6)).values() if not f.ok]

    assert len(faults) >= 4
    assert [f.what for f in faults if not f.mend] == []


@contextmanager
def language_model(status: int, body: object) -> Iterator[str]:
    """An endpoint that lists its models."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "models", "ok", "words"),
    [
        (200, ["llava:latest", "other"], True, ""),
        (200, ["qwen"], False, "ollama pull llava"),
        (401, [], False, "LLM_API_KEY"),
        (404, [], True, ""),
    ],
)
async def test_a_model_that_is_not_there_and_a_wrong_key_are_told_apart(
    archive: Archive, status: int, models: list[str], ok: bool, words: str
) -> None:
    with language_model(status, {"data": [{"id": name} for name in models]}) as url:
        found = (await examined(archive, llm_base_url=url))["language model"]

    assert (found.ok, words in found.mend) == (ok, True)


def typed(settings: Settings, *arguments: str, database: bool = True) -> Result:
    url = settings.database_url.get_secret_value() if database else ""
    environment = {"DATABASE_URL": url, "AMQP_URL": "", "FREE_DISK_GB": "0", "LLM_BASE_URL": "http://127.0.0.1:9/v1/"}
    return CliRunner(env=environment).invoke(app, ["doctor", "--home", str(settings.home), *arguments])


def test_the_command_mends_and_its_exit_code_tells(settings: Settings) -> None:
    orphan = written(derivative_path(settings.derivatives_dir, 12345, 1, "preview"))

    looked, mended = typed(settings, "--json"), typed(settings, "--mend", "--json")

    before, after = ({f["what"]: f for f in json.loads(done.stdout)} for done in (looked, mended))
    assert not before["orphaned derivatives"]["ok"] and after["orphaned derivatives"]["ok"]
    assert not orphan.exists()
    assert (looked.exit_code, mended.exit_code) == (1, 1), "there is no broker"


def test_where_nothing_runs_it_still_looks_and_exits_with_2(settings: Settings) -> None:
    done = typed(settings, database=False)

    assert done.exit_code == 2
    assert "BAD  database" in done.output and "ok   versions" in done.output
