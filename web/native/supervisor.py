"""Starts everything natively, restarts what dies, and leaves nothing running.

Order: Postgres and RabbitMQ, migration, then web, the results writer and the consumers; the other way round at the end.
Each process has a group of its own and is told when this one dies; what a SIGKILL leaves behind all the same is ended
by the next start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from contracts.settings import Settings
from web.migrate import migrate
from web.native import process
from web.native.home import Home, Running
from web.native.postgres import Postgres
from web.native.process import StartError
from web.native.rabbitmq import RabbitMQ

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 60.0
WORKERS: dict[str, int] = {
    "scan": 1, "convert": 1, "curate": 1, "embed": 1, "taste": 1, "bursts": 1, "text": 1,
}  # fmt: skip
"""Consumer processes of each stage, unless `--workers STAGE=N` says otherwise."""


@dataclass
class Child:
    """A process that is kept alive."""

    name: str
    command: list[str]
    delay_s: float = FIRST_DELAY_S
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_again_at: float | None = None


@dataclass
class Supervisor:
    """`run` blocks until `stop` is called (a signal handler may)."""

    home: Home
    settings: Settings
    workers: Mapping[str, int] = field(default_factory=lambda: dict(WORKERS))
    say: Callable[[str], None] = lambda _: None
    children: list[Child] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _postgres: Postgres | None = None
    _rabbitmq: RabbitMQ | None = None

    def start(self) -> Running:
        """Starts servers and processes; returns when every process was started (not yet when it answers)."""
        process.end_leftovers(self.home.pids_file)
        self._start_servers()
        self.say("Bringing the database up to date")
        migrate(self._environment["DATABASE_URL"])
        self.children = [Child(name, command) for name, command in self._commands()]
        for child in self.children:
            self._start_child(child)
        running = self._running()
        self.home.write(running)
        self._remember()
        return running

    def run(self) -> None:
        """Watches the children until `stop`."""
        while not self._stopping.wait(0.2):
            for child in self.children:
                self._watch(child)
            self._watch_servers()

    def stop(self) -> None:
        self._stopping.set()

    def shut_down(self) -> None:
        """Consumers first, then the writer and web, then the servers."""
        grace = self.settings.grace_s + 5
        for child in self.children:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        for child in self.children:
            if child.process is not None:
                process.stop(child.process, seconds=grace)
        if self._rabbitmq is not None:
            self._rabbitmq.stop()
        if self._postgres is not None:
            self._postgres.stop()
        self.home.forget()
        self.home.pids_file.unlink(missing_ok=True)

    def wait_ready(self, url: str, seconds: float = 90.0) -> None:
        """Returns when `/readyz` answers 200. Raises StartError with the web log's end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopping.is_set():
            for child in self.children:
                self._watch(child)
            try:
                with urlopen(f"{url}/readyz", timeout=2) as answer:  # noqa: S310 - our own page on loopback
                    if answer.status == 200:
                        return
            except (URLError, OSError):
                pass
            time.sleep(0.1)
        if not self._stopping.is_set():
            log = self.home.logs / "web.log"
            raise StartError(f"The gallery did not answer within {seconds:g} s. {log} ends:\n{process.last_lines(log)}")

    # --- servers ------------------------------------------------------------------------------------------------------

    def _start_servers(self) -> None:
        environment = dict(os.environ)
        database = self.settings.database_url.get_secret_value()
        broker = self.settings.amqp_url.get_secret_value()
        management = self.settings.management_url.get_secret_value()
        if not database:
            self.say("Starting Postgres")
            self._postgres = self.home.postgres
            self._postgres.start()
            database = self._postgres.url()
        if not broker:
            self.say("Starting RabbitMQ")
            self._rabbitmq = self.home.rabbitmq
            self._rabbitmq.start()
            broker, management = self._rabbitmq.amqp_url(), self._rabbitmq.management_url
        self._environment = environment | {
            "FINESHYT_HOME": str(self.home.folder),
            "FINESHYT_PORT": str(self.settings.port),
            "DATABASE_URL": database,
            "AMQP_URL": broker,
            "RABBITMQ_MANAGEMENT_URL": management,
            "MALLOC_ARENA_MAX": "2",
            "PYTHONUNBUFFERED": "1",
        }

    def _watch_servers(self) -> None:
        """A server of ours that died is started again; every process reconnects by itself."""
        for server in (self._postgres, self._rabbitmq):
            if server is not None and not server.running() and not self._stopping.is_set():
                self.say(f"{type(server).__name__} stopped; starting it again")
                server.start()
                self._remember()

    # --- children -----------------------------------------------------------------------------------------------------

    def _commands(self) -> list[tuple[str, list[str]]]:
        python = sys.executable
        commands = [("web", [python, "-m", "web"]), ("results", [python, "-m", "web.results"])]
        for stage, n in self.workers.items():
            for number in range(1, n + 1):
                name = stage if n == 1 else f"{stage}-{number}"
                commands.append((name, [python, "-m", "consumers", stage]))
        return commands

    def _start_child(self, child: Child) -> None:
        child.process = process.start(
            child.command,
            log=self.home.logs / f"{child.name}.log",
            environment=self._environment,
            cwd=Path(__file__).resolve().parents[2],
        )
        child.started = time.monotonic()
        child.start_again_at = None

    def _watch(self, child: Child) -> None:
        now = time.monotonic()
        if child.start_again_at is not None:
            if now >= child.start_again_at and not self._stopping.is_set():
                self._start_child(child)
                self._remember()
            return
        if child.process is None or child.process.poll() is None:
            return
        if now - child.started >= HEALTHY_AFTER_S:
            child.delay_s = FIRST_DELAY_S
        self.say(f"{child.name} stopped with status {child.process.returncode}; again in {child.delay_s:g} s")
        child.start_again_at = now + child.delay_s
        child.delay_s = min(child.delay_s * 2, LONGEST_DELAY_S)

    def _pids(self) -> dict[str, int]:
        pids = {child.name: child.process.pid for child in self.children if child.process is not None}
        for name, server in (("postgres", self._postgres), ("rabbitmq", self._rabbitmq)):
            if server is not None and server.pid is not None:
                pids[name] = server.pid
        return pids

    def _remember(self) -> None:
        pids = {name: pid for name, pid in self._pids().items() if name not in ("postgres", "rabbitmq")}
        process.remember(self.home.pids_file, pids)

    def _running(self) -> Running:
        page = self._rabbitmq.management_page if self._rabbitmq is not None else ""
        return Running(
            url=f"http://127.0.0.1:{self.settings.port}",
            management_url=page,
            home=str(self.home.folder),
            port=self.settings.port,
            pids={"supervisor": os.getpid()} | self._pids(),
            database_url=self._environment["DATABASE_URL"],
            amqp_url=self._environment["AMQP_URL"],
            management_api=self._environment["RABBITMQ_MANAGEMENT_URL"],
        )


def stop_running(running: Running, seconds: float = 120.0) -> bool:
    """Asks the supervisor of `running` to end; returns whether it was there. Waits until it is gone."""
    pid = running.pids.get("supervisor", 0)
    try:
        os.kill(pid, signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        return False
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return True
