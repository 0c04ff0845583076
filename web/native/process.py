"""Processes that we start: in a group of their own, dying with their parent, known again by pid and start time."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_LOG_KEPT_BYTES = 10_000_000


def _die_with_parent(number: int) -> Callable[[], None] | None:
    """Linux tells the child when its parent is gone, even after a SIGKILL; elsewhere the next start cleans up."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def start(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    cwd: Path | None = None,
    parent_death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Starts `command` with its output appended to `log` (set aside as `.1` above 10 MB)."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_KEPT_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_die_with_parent(parent_death_signal),  # noqa: PLW1509 - one prctl call, no Python locks
        )


def last_lines(log: Path, n: int = 15) -> str:
    """The end of a log, for an error message."""
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-n:])
    return ""


def stop(process: subprocess.Popen[bytes], *, signal_number: int = signal.SIGTERM, seconds: float = 30.0) -> None:
    """Asks, waits, and after `seconds` kills the whole group."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal_number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)


def remember(file: Path, pids: Mapping[str, int]) -> None:
    """Writes pids with their start times, so that a later start knows them from strangers with the same number."""
    known = {}
    for name, pid in pids.items():
        with suppress(psutil.Error):
            known[name] = {"pid": pid, "started": psutil.Process(pid).create_time()}
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps(known))
    partial.replace(file)


def end_leftovers(file: Path, *, seconds: float = 10.0) -> list[str]:
    """Ends what an earlier run left behind; returns the names. Strangers that took a pid over are left alone."""
    if not file.exists():
        return []
    ended = []
    for name, entry in json.loads(file.read_text() or "{}").items():
        with suppress(psutil.Error, ProcessLookupError):
            process = psutil.Process(entry["pid"])
            if abs(process.create_time() - entry["started"]) > 1:
                continue
            process.terminate()
            try:
                process.wait(seconds)
            except psutil.TimeoutExpired:
                os.killpg(entry["pid"], signal.SIGKILL)
            ended.append(name)
    file.unlink(missing_ok=True)
    return ended


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], *, seconds: float, log: Path, what: str
) -> None:
    """Returns when `ready`; raises StartError with the log's end when the process died or `seconds` went by."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            status = process.returncode
            end = last_lines(log)
            raise StartError(f"{what} stopped while starting, status {status}. Its log, {log}, ends:\n{end}")
        if ready():
            return
        time.sleep(0.05)
    raise StartError(f"{what} did not answer within {seconds:g} seconds. Its log, {log}, ends:\n{last_lines(log)}")


class StartError(RuntimeError):
    """Use this when a server of ours does not start; the message is for a person."""
