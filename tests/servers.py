"""One real Postgres and one real RabbitMQ for a whole test session, started when the first test asks."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import asyncpg

from web.migrate import migrate
from web.native.postgres import USER, Postgres
from web.native.rabbitmq import RabbitMQ

_NUMBERS = itertools.count(1)
_FAST = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()")
"""What a killed process loses is the same; only a machine that loses power would lose more."""


class TestServers:
    """Servers in a folder of their own; `database()` and `vhost()` give a test something nobody else sees.

    With `ahead`, the next test's database is made, and the last one's removed, while a test runs. With `fast`, Postgres
    does not wait for the disk: a database is made and removed in a tenth of the time.
    """

    __test__ = False

    def __init__(self, folder: Path | None = None, *, ahead: bool = False, fast: bool = False) -> None:
        self._fast = fast
        self._ahead = ThreadPoolExecutor(1) if ahead else None
        self._next: Future[str] | None = None
        self._migrated_once = False
        self._temporary = tempfile.TemporaryDirectory(prefix="fineshyt-") if folder is None else None
        self.folder = folder or Path(self._temporary.name)  # type: ignore[union-attr]
        self.postgres = Postgres(self.folder / "postgres", buffers_mb=256 if fast else None)
        self.rabbitmq = RabbitMQ(self.folder / "rabbitmq")

    # --- Postgres -----------------------------------------------------------------------------------------------------

    def start_postgres(self) -> None:
        if not self.postgres.running():
            self.postgres.start()
            for setting in (*_FAST, self._quick_password()) if self._fast else ():
                asyncio.run(self._execute(setting))

    def _quick_password(self) -> str:
        """The same password, hashed once and not 4,096 times: a test makes half a dozen connections."""
        return f"SET scram_iterations = 1; ALTER ROLE {USER} PASSWORD '{self.postgres.password}'"

    def database(self) -> str:
        """The URL of a fresh, migrated database."""
        self.start_postgres()
        if self._ahead is None:
            return self._migrated()
        ready = self._next or self._ahead.submit(self._migrated)
        url = ready.result()
        self._next = self._ahead.submit(self._migrated)
        return url

    def _migrated(self) -> str:
        # Copied as files, not through the write-ahead log: a checkpoint costs next to nothing without fsync.
        strategy = "STRATEGY FILE_COPY" if self._fast else ""
        return self._new_database(f"TEMPLATE {self._template()} {strategy}")

    def empty_database(self) -> str:
        """The URL of a fresh database that no migration has seen."""
        self.start_postgres()
        return self._new_database()

    def _new_database(self, options: str = "") -> str:
        name = f"test_{os.getpid()}_{next(_NUMBERS)}"
        asyncio.run(self._execute(f"CREATE DATABASE {name} {options}"))
        return self.postgres.url(name)

    def drop_database(self, url: str) -> None:
        if self._ahead is not None:
            self._ahead.submit(self._drop, url)
        else:
            self._drop(url)

    def _drop(self, url: str) -> None:
        asyncio.run(self._execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)"))

    def _template(self) -> str:
        name = "migrated"
        if not self._migrated_once:
            asyncio.run(self._execute(f"CREATE DATABASE {name}"))
            migrate(self.postgres.url(name))
            self._migrated_once = True
        return name

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self.postgres.url("postgres"))
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    # --- RabbitMQ -----------------------------------------------------------------------------------------------------

    def start_rabbitmq(self) -> None:
        if not self.rabbitmq.running():
            self.rabbitmq.start()

    def vhost(self) -> str:
        """The name of a fresh virtual host."""
        self.start_rabbitmq()
        name = f"test-{os.getpid()}-{next(_NUMBERS)}"
        self.rabbitmq.make_vhost(name)
        return name

    def stop(self) -> None:
        if self._ahead is not None:
            self._ahead.shutdown()
        if self.rabbitmq.folder.exists():  # one that was killed has left its port mapper
            self.rabbitmq.stop()
        if self.postgres.running():
            self.postgres.stop()
        if self._temporary is not None:
            self._temporary.cleanup()


class PrivateServers(TestServers):
    """Servers for one module alone, that its tests may restart and kill."""

    __test__ = False

    def start(self) -> None:
        self.start_postgres()
        self.start_rabbitmq()
        migrate(self.postgres.url())

    @property
    def database_url(self) -> str:
        return self.postgres.url()

    @property
    def amqp_url(self) -> str:
        return self.rabbitmq.amqp_url()

    @property
    def management_url(self) -> str:
        return self.rabbitmq.management_url

    def restart_postgres(self) -> None:
        """A crash, not a polite stop."""
        self.postgres.kill()
        self.postgres.start()

    def restart_rabbitmq(self) -> None:
        self.rabbitmq.kill()
        self.rabbitmq.start()
