"""The real web process on a database of its own, with some photographs in it; one for all tests of a module."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from contracts.settings import Settings
from tests.chaos.conftest import private_servers  # noqa: F401 - a fixture here too
from tests.integration.archive import Archive
from tests.integration.messages import curated, embedded, failure, result, scanned
from tests.servers import TestServers
from web.database import connect
from web.native.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "nobody outside may read this"


@dataclass(frozen=True)
class Web:
    """`python -m web`, and what it knows: ids of photographs, the library's folder, a project."""

    client: httpx.Client
    process: subprocess.Popen[bytes]
    log: Path
    photos: list[int]
    library: Path

    @property
    def url(self) -> str:
        return str(self.client.base_url).rstrip("/")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def said(self) -> str:
        return self.log.read_text(errors="replace")


async def _fill(settings: Settings, folder: Path) -> tuple[list[int], Path]:
    """Eight photographs with vectors and facts, two of them alike, some rated; one that failed."""
    connection = await connect(settings.database_url.get_secret_value())
    archive = Archive(connection, settings, folder)
    root = await archive.root()
    photos = [await archive.ready_photo(root, f"2024/{n}.jpg", "alike" if n < 2 else None) for n in range(8)]
    for number, photo in enumerate(photos):
        facts = curated(suggested_tags=["fog", "harbour"])
        await archive.apply(result("embed", photo, embedded(number)), result("curate", photo, facts))
        await archive.rate(photo, number % 5 + 1 if number % 2 else None)
    row = await archive.start_import(root)
    [broken] = (await archive.register(row, scanned("broken.jpg"))).new
    await archive.apply(failure("convert", broken, "permanent"))
    await connection.close()
    return [*photos, broken], root


def _start(settings: Settings, folder: Path) -> tuple[str, subprocess.Popen[bytes], Path]:
    port, log = free_port(), folder / "web.log"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FINESHYT", "LLM_", "CLIP_", "PHOTO_"))}
    told = {
        "FINESHYT_HOME": str(settings.home), "DATABASE_URL": settings.database_url.get_secret_value(),
        "FINESHYT_PORT": str(port), "FREE_DISK_GB": "0", "LOG_FORMAT": "json",
    }  # fmt: skip
    with log.open("ab") as output:
        command = [sys.executable, "-m", "web"]
        process = subprocess.Popen(command, cwd=REPOSITORY, env=kept | told, stdout=output, stderr=output)
    return f"http://127.0.0.1:{port}", process, log


def _until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the web process does not answer\n{log.read_text()}")


@pytest.fixture(scope="module")
def web(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = Path(tmp_path_factory.mktemp("abuse"))
    database = servers.database()
    settings = Settings(FINESHYT_HOME=folder / "home", DATABASE_URL=database, FREE_DISK_GB=0)
    for place in (folder, settings.home, settings.derivatives_dir):
        place.mkdir(parents=True, exist_ok=True)
        (place / "secret.txt").write_text(SECRET)
    photos, library = asyncio.run(_fill(settings, folder))
    url, process, log = _start(settings, folder)
    try:
        _until_it_answers(url, process, log)
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            yield Web(client, process, log, photos, library)
        assert process.poll() is None, "the web process ended\n" + log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(20)
        servers.drop_database(database)
