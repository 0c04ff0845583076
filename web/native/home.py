"""A home: the folder that holds all state of one fineshyt, and what is known of the one that runs in it."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from contracts.settings import Settings
from web.native.postgres import Postgres
from web.native.rabbitmq import RabbitMQ


class AlreadyRunningError(RuntimeError):
    """Use this when another `up` holds the home."""


@dataclass(frozen=True)
class Running:
    """What `up` wrote about itself: `$FINESHYT_HOME/run.json`."""

    url: str
    management_url: str
    home: str
    port: int
    pids: dict[str, int]
    database_url: str = ""
    amqp_url: str = ""
    management_api: str = ""


class Home:
    """Paths below a home, and the lock that keeps a second `up` out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self._lock: IO[str] | None = None

    @property
    def postgres(self) -> Postgres:
        return Postgres(self.folder / "postgres")

    @property
    def rabbitmq(self) -> RabbitMQ:
        return RabbitMQ(self.folder / "rabbitmq")

    @property
    def _run_file(self) -> Path:
        return self.folder / "run.json"

    @property
    def pids_file(self) -> Path:
        return self.folder / "pids.json"

    def lock(self) -> None:
        """Raises AlreadyRunningError when another `up` serves this home."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = (self.folder / "up.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise AlreadyRunningError(
                f"fineshyt already runs for {self.folder}. Open {self._known_url()}, or stop it with `fineshyt down`."
            ) from None
        self._lock = file

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _known_url(self) -> str:
        running = self.running()
        return running.url if running is not None else "its page"

    def write(self, running: Running) -> None:
        """Readable by this user alone: the connection strings carry passwords."""
        partial = self._run_file.with_suffix(".part")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump(asdict(running), file)
        partial.replace(self._run_file)

    def forget(self) -> None:
        self._run_file.unlink(missing_ok=True)

    def running(self) -> Running | None:
        """What runs here now, or None."""
        try:
            return Running(**json.loads(self._run_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def settings(self, running: Running) -> Settings:
        """Settings that reach the servers of what runs here."""
        return Settings(
            FINESHYT_HOME=self.folder,
            FINESHYT_PORT=running.port,
            DATABASE_URL=running.database_url,
            AMQP_URL=running.amqp_url,
            RABBITMQ_MANAGEMENT_URL=running.management_api,
        )
