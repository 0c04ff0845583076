"""The command line as a person uses it, from `up` to `down`, on a native stack that leaves nothing running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.chaos.photographs import make_photographs
from web.native.ports import free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
PHOTOGRAPHS = 8


class Person:
    """Types commands; `home` and the settings are the same for all of them."""

    def __init__(self, folder: Path) -> None:
        self.library = folder / "library"
        self.home = folder / "home"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("FINESHYT", "LLM_", "CLIP_", "PHOTO_"))}
        self._environment = kept | {
            "PHOTO_LIBRARY": str(self.library), "FREE_DISK_GB": "0", "FINESHYT_ENCODER": "bundled",
            "LLM_BASE_URL": "http://127.0.0.1:9/v1/",
        }  # fmt: skip

    def types(self, *arguments: str, code: int = 0) -> str:
        done = self._run(*arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "web.cli", *arguments, "--home", str(self.home)],
            env=self._environment, capture_output=True, text=True, timeout=170, check=False,
        )  # fmt: skip

    def stops(self) -> None:
        """Ends what a failed test left running; "not running" is what a passed one answers."""
        done = self._run("down")
        assert done.returncode in (0, 2), done.stderr

    def asks(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.types(*arguments, "--json", code=code).splitlines()[-1])


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    person = Person(tmp_path)
    yield person
    person.stops()


def test_from_up_to_down(person: Person, tmp_path: Path) -> None:
    roll = person.library / "roll"
    make_photographs(roll, PHOTOGRAPHS, seed=9001)
    (roll / "broken.jpg").write_text("no picture")
    started = person.asks("up", "--detach", "--no-browser", f"--port={free_port()}")
    processes = _processes_of(person.home)
    assert processes

    person.types("import", str(roll), "--sample", "all", "--wait", code=3)  # the failed lane gained an entry
    state = person.asks("status")
    assert state["photos"]["ready"] == PHOTOGRAPHS
    assert state["photos"]["failed"] == 1

    items = httpx.get(f"{started['url']}/api/photos", params={"sort": "name"}).json()["items"]
    for item in items[:2]:
        httpx.put(f"{started['url']}/api/photos/{item['id']}/decision", json={"rating": 5}).raise_for_status()
    target = tmp_path / "export"
    person.types("export", "--target", str(target))
    exported = sorted(path.name for path in target.rglob("*.jpg"))
    assert len(exported) == 2
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*.jpg")}
    person.types("export", "--target", str(target))
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*.jpg")} == before, "a second run writes nothing"

    history = person.types("trace", str(items[0]["id"]))
    assert "convert" in history and "5 stars" in history
    found = person.types("doctor")
    assert "RabbitMQ answers" in found and "nothing answers at http://127.0.0.1:9" in found
    assert "0 set aside" in person.types("dead-letters", "list")
    assert "1" in person.types("retry-failed")
    person.types("reconcile")

    person.types("down")
    assert not [p for p in processes if psutil.pid_exists(p.pid) and p.is_running() and p.status() != "zombie"]
    for path in roll.iterdir():
        assert path.stat().st_size > 0, "originals are only read"


def _processes_of(home: Path) -> list[psutil.Process]:
    """What runs for this home: its folder is in their environment or on their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            if str(home) in words or process.environ().get("FINESHYT_HOME") == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found
