"""The supervisor keeps its children alive, and leaves none behind."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from contracts.settings import Settings
from web.native.home import Home
from web.native.supervisor import Child, Supervisor


class Trivial(Supervisor):
    """Children that only sleep; no servers."""

    def _start_servers(self) -> None:
        self._environment = {"PATH": "/usr/bin:/bin", "DATABASE_URL": "", "AMQP_URL": "", "RABBITMQ_MANAGEMENT_URL": ""}

    def _commands(self) -> list[tuple[str, list[str]]]:
        return [("one", [sys.executable, "-c", "import time; time.sleep(600)"])]


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr("web.native.supervisor.migrate", lambda _: None)
    monkeypatch.setattr("web.native.supervisor.FIRST_DELAY_S", 0.1)
    made = Trivial(Home(tmp_path), Settings(FINESHYT_HOME=tmp_path, SHUTDOWN_GRACE_SECONDS=2))
    yield made
    made.stop()
    made.shut_down()


def _until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def _only_child(supervisor: Supervisor) -> Child:
    [child] = supervisor.children
    assert child.process is not None
    return child


def test_what_dies_is_started_again_after_a_growing_delay(supervisor: Supervisor) -> None:
    supervisor.start()
    threading.Thread(target=supervisor.run, daemon=True).start()
    child = _only_child(supervisor)
    first = child.process
    assert first is not None
    before = child.delay_s

    first.kill()

    _until(lambda: child.process is not first)
    assert child.delay_s == 2 * before
    supervisor.stop()


def test_nothing_is_left_running_and_nothing_said_to_run(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start()
    process = _only_child(supervisor).process
    assert process is not None
    assert Home(tmp_path).running() is not None

    supervisor.shut_down()

    assert not psutil.pid_exists(process.pid)
    assert Home(tmp_path).running() is None
