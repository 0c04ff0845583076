"""Processes that we start, and those that an earlier run left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from web.native import process
from web.native.home import AlreadyRunningError, Home, Running

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin"}


def test_leftovers_are_ended_and_strangers_with_the_same_pid_are_not(tmp_path: Path) -> None:
    left = process.start(SLEEP, log=tmp_path / "a.log", environment=_environment())
    stranger = process.start(SLEEP, log=tmp_path / "b.log", environment=_environment())
    file = tmp_path / "pids.json"
    process.remember(file, {"left": left.pid, "stranger": stranger.pid})
    known = json.loads(file.read_text())
    known["stranger"]["started"] -= 1000
    file.write_text(json.dumps(known))

    reaped = subprocess.Popen(["sleep", "0"])
    reaped.wait()
    ended = _end_in_background(file, left)

    assert ended == ["left"]
    assert stranger.poll() is None
    process.stop(stranger)


def _end_in_background(file: Path, left: subprocess.Popen[bytes]) -> list[str]:
    """The leftover is our own child here, so somebody has to reap it."""
    import threading

    reaper = threading.Thread(target=left.wait)
    reaper.start()
    ended = process.end_leftovers(file)
    reaper.join()
    return ended


def test_a_child_dies_with_its_parent_even_after_a_sigkill(tmp_path: Path) -> None:
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]);"
        "from pathlib import Path; from web.native import process;"
        "child = process.start([sys.executable, '-c', 'import time; time.sleep(60)'], log=Path(sys.argv[2]),"
        " environment={'PATH': '/usr/bin:/bin'}); print(child.pid, flush=True); time.sleep(60)"
    )
    repository = Path(__file__).resolve().parents[3]
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(repository), str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())

    parent.kill()
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and _alive(child):
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_process_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    stubborn = process.start(
        [sys.executable, "-c", f"import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); {SLEEP[2]}"],
        log=tmp_path / "log",
        environment=_environment(),
    )  # fmt: skip
    while not (tmp_path / "log").read_text():
        time.sleep(0.02)

    process.stop(stubborn, seconds=0.3)

    assert stubborn.returncode == -signal.SIGKILL


def test_a_server_that_dies_while_starting_is_quoted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    dying = process.start(
        [sys.executable, "-c", "print('port is taken'); raise SystemExit(3)"], log=log, environment=_environment()
    )

    with pytest.raises(process.StartError, match="port is taken"):
        process.wait_until(lambda: False, dying, seconds=20, log=log, what="The server")


def test_a_second_up_for_one_home_is_refused_with_the_address(tmp_path: Path) -> None:
    first, second = Home(tmp_path), Home(tmp_path)
    first.lock()
    first.write(Running(url="http://127.0.0.1:4000", management_url="", home=str(tmp_path), port=4000, pids={}))

    with pytest.raises(AlreadyRunningError, match=r"http://127\.0\.0\.1:4000"):
        second.lock()

    first.unlock()
    second.lock()
    second.unlock()


def test_what_runs_is_written_for_this_user_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.write(Running(url="u", management_url="", home=str(tmp_path), port=1, pids={"web": 1}, database_url="secret"))

    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600
    running = home.running()
    assert running is not None
    assert home.settings(running).database_url.get_secret_value() == "secret"
