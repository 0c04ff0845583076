"""A whole fineshyt in processes of its own, that a test may kill one by one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from contracts.settings import Settings
from web import imports, roots
from web.database import Connection, connect

REPOSITORY = Path(__file__).resolve().parents[2]
WORK_STAGES = ("convert", "curate", "embed", "scan")


class Servers(Protocol):
    """A Postgres and a RabbitMQ of the test's own, that it may restart."""

    database_url: str
    amqp_url: str
    management_url: str

    def restart_postgres(self) -> None: ...
    def restart_rabbitmq(self) -> None: ...


@dataclass
class Stack:
    """Processes by name: `results`, `web`, and the stages. What dies stays dead until the test starts it again,
    unless `supervised`: then it is started again after half a second, as the supervisor would."""

    servers: Servers
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(FINESHYT_HOME=self.home, DATABASE_URL=self.servers.database_url, FREE_DISK_GB=0)

    def start(self, name: str, *command: str, **environment: str) -> None:
        """Starts `python -m ...` under `name`; without a command, the one it had before."""
        if command:
            self.commands[name] = [sys.executable, "-m", *command]
        log = self.home / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.processes[name] = subprocess.Popen(
                self.commands[name],
                cwd=REPOSITORY,
                env=self._environment() | environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("FINESHYT", "LLM_", "CLIP_"))}
        return kept | {
            "FINESHYT_HOME": str(self.home),
            "DATABASE_URL": self.servers.database_url,
            "AMQP_URL": self.servers.amqp_url,
            "RABBITMQ_MANAGEMENT_URL": self.servers.management_url,
            "FREE_DISK_GB": "0",
            "STUCK_AFTER_SECONDS": "4",
            "CONVERT_TIMEOUT_SECONDS": "5",
            "FINESHYT_ENCODER": "bundled",
            "LLM_BASE_URL": "http://127.0.0.1:9/v1/",
            "LOG_FORMAT": "json",
            **self.environment,
        }

    def start_all(self, stages: Sequence[str]) -> None:
        self.start("results", "web.results")
        for stage in stages:
            self.start(stage, "consumers", stage)

    def kill(self, name: str) -> None:
        """SIGKILL, to the process and to what it started."""
        process = self.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def logs(self, name: str) -> str:
        return (self.home / "logs" / f"{name}.log").read_text(errors="replace")

    # --- what the test sees -----------------------------------------------------------------------------------------

    async def import_folder(self, folder: Path) -> int:
        async with self.database() as connection:
            await roots.add_root(connection, str(folder))
            return await imports.start_import(connection, self.settings, str(folder), sample=None)

    def database(self) -> _Borrowed:
        return _Borrowed(self.servers.database_url)

    async def count(self, sql: str, *args: Any) -> int:
        async with self.database() as connection:
            return int(await connection.fetchval(sql, *args) or 0)

    async def ready(self, import_id: int) -> int:
        return await self.count("SELECT count(*) FROM photos WHERE import_id = $1 AND status = 'ready'", import_id)

    async def until(self, condition: Callable[[], Awaitable[Any]], seconds: float, what: str) -> None:
        """Polls until `condition`; fails with the last lines of every log."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if await condition():
                    return
            except OSError:
                pass  # the database is being restarted
            await asyncio.sleep(0.1)
        tails = "\n".join(f"--- {name}\n{self.logs(name)[-1500:]}" for name in self.processes)
        raise AssertionError(f"{what} did not happen within {seconds:g} s\n{tails}")

    async def settle(self, import_id: int, expected: int, seconds: float = 90.0) -> None:
        """Every photograph accounted for, and no work open in the stages that run."""

        async def settled() -> bool:
            open_jobs = await self.count(
                "SELECT count(*) FROM jobs WHERE stage IN ('scan', 'convert', 'embed') AND status IN ('due', 'queued')"
            )
            total = await self.count("SELECT count(*) FROM photos WHERE import_id = $1", import_id)
            finished = await self.count(
                "SELECT count(*) FROM imports WHERE id = $1 AND status IN ('done', 'stopped')", import_id
            )
            return open_jobs == 0 and total == expected and finished == 1

        await self.until(settled, seconds, f"{expected} photographs settled")

    async def assert_accounted(self, import_id: int, paths: list[Path]) -> None:
        """Each photograph ready, or failed with a reason; none twice, none missing, no job stuck; one vector each."""
        async with self.database() as connection:
            rows = await connection.fetch(
                """SELECT p.id, p.rel_path, p.status, p.failure_reason, g.status AS shown,
                          (SELECT count(*) FROM embeddings e WHERE e.photo_id = p.id) AS vectors
                   FROM photos p LEFT JOIN gallery g ON g.photo_id = p.id WHERE p.import_id = $1""",
                import_id,
            )
            stuck = await connection.fetch(
                """SELECT stage, subject_id, status FROM jobs WHERE status IN ('due', 'queued')
                   AND stage IN ('scan', 'convert', 'embed')"""
            )
        assert sorted(Path(row["rel_path"]).name for row in rows) == sorted(path.name for path in paths)
        assert stuck == []
        for row in rows:
            assert row["shown"] == row["status"]
            if row["status"] == "ready":
                assert row["vectors"] == 1, row["rel_path"]
            else:
                assert row["status"] == "failed"
                assert row["failure_reason"]


@contextmanager
def running_stack(
    servers: Servers,
    home: Path,
    environment: Mapping[str, str] | None = None,
    stages: Sequence[str] = ("scan", "convert", "embed"),
) -> Iterator[Stack]:
    """A writer and a consumer of each of `stages`, until it is left."""
    stack = Stack(servers, home, environment or {})
    stack.start_all(stages)
    try:
        yield stack
    finally:
        stack.stop_all()


class _Borrowed:
    """A connection for a look, closed afterwards: servers come and go here."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        self._connection = await connect(self._url)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()
