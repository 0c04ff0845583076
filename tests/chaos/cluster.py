"""Three RabbitMQ nodes on one machine that form a cluster, and a Postgres beside them."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

from web.migrate import migrate
from web.native.ports import free_port
from web.native.postgres import Postgres
from web.native.rabbitmq import RabbitMQ

NODES = 3


class Node(RabbitMQ):
    """A node that shares its port mapper with its neighbours; a cluster finds its nodes through it."""

    def __init__(self, folder: Path, *, epmd: int, password: str, cookie: str) -> None:
        super().__init__(folder)
        self._epmd = epmd
        home = folder / "home"
        home.mkdir(parents=True)
        self.password_file.write_text(password)
        (home / ".erlang.cookie").write_text(cookie)
        (home / ".erlang.cookie").chmod(0o400)

    @property
    def ports(self) -> dict[str, int]:
        return super().ports | {"epmd": self._epmd}

    def join(self, other: RabbitMQ) -> None:
        for command in (("stop_app",), ("reset",), ("join_cluster", other.node), ("start_app",), ("await_startup",)):
            self._control(*command)


class Cluster:
    """What a `Stack` runs on: `amqp_url` names all nodes."""

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="fineshyt-")
        folder = Path(self._temporary.name)
        epmd, password, cookie = free_port(), secrets.token_urlsafe(24), secrets.token_hex(20)
        self.nodes = [
            Node(folder / f"rabbitmq{number}", epmd=epmd, password=password, cookie=cookie) for number in range(NODES)
        ]
        self.postgres = Postgres(folder / "postgres")

    def start(self) -> None:
        self.postgres.start()
        migrate(self.postgres.url())
        for node in self.nodes:
            node.start()
        for node in self.nodes[1:]:
            node.join(self.nodes[0])

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()
        if self.postgres.running():
            self.postgres.stop()
        self._temporary.cleanup()

    @property
    def database_url(self) -> str:
        return self.postgres.url()

    @property
    def amqp_url(self) -> str:
        return ",".join(node.amqp_url() for node in self.nodes)

    @property
    def management_url(self) -> str:
        return self.nodes[0].management_url

    def restart_postgres(self) -> None:
        self.postgres.kill()
        self.postgres.start()

    def restart_rabbitmq(self) -> None:
        """One node after the other, each killed; the cluster as a whole stays."""
        for node in self.nodes:
            node.kill()
            node.start()
