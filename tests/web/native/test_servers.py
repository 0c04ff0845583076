"""Our own Postgres and RabbitMQ: private, side by side, and back after a crash."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.servers import TestServers
from web.native import rabbitmq
from web.native.ports import remembered_ports
from web.native.postgres import Postgres, default_buffers_mb
from web.native.rabbitmq import RabbitMQ

pytestmark = pytest.mark.integration


def _ask(url: str, sql: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_two_databases_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    first, second = Postgres(tmp_path / "first"), Postgres(tmp_path / "second")
    first.start()
    second.start()
    try:
        assert first.port != second.port
        assert first.password != second.password
        first.stop()
        assert _ask(second.url(), "SELECT 1") == 1
    finally:
        first.stop()
        second.stop()


@pytest.mark.parametrize(("gigabytes", "megabytes"), [(1, 256), (16, 2048), (24, 3072), (256, 8192)])
def test_the_cache_is_a_share_of_the_memory(gigabytes: int, megabytes: int) -> None:
    assert default_buffers_mb(gigabytes << 30) == megabytes


def test_postgres_is_private_and_durable(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres", buffers_mb=160)
    postgres.start()
    try:
        assert _ask(postgres.url(), "SHOW listen_addresses") == "127.0.0.1"
        assert _ask(postgres.url(), "SHOW fsync") == "on"
        assert _ask(postgres.url(), "SHOW shared_buffers") == "160MB"
        assert _ask(postgres.url(), "SHOW password_encryption") == "scram-sha-256"
        assert _mode(tmp_path / "postgres" / "password") == 0o600
        assert _mode(tmp_path / "postgres") == 0o700
        with pytest.raises(asyncpg.InvalidPasswordError):
            _ask(postgres.url().replace(postgres.password, "guess"), "SELECT 1")
    finally:
        postgres.stop()


def test_a_killed_postgres_starts_again_with_its_rows(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres")
    postgres.start()
    _ask(postgres.url(), "CREATE TABLE kept AS SELECT 42 AS n")
    postgres.kill()
    postgres.start()
    try:
        assert _ask(postgres.url(), "SELECT n FROM kept") == 42
    finally:
        postgres.stop()


def test_a_postgres_that_was_left_running_is_taken_over(tmp_path: Path) -> None:
    left = Postgres(tmp_path / "postgres")
    left.start()
    next_start = Postgres(tmp_path / "postgres")
    next_start.start()
    try:
        assert _ask(next_start.url(), "SELECT 1") == 1
    finally:
        next_start.stop()
        left.stop()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root changes to another user")
def test_root_without_user_namespaces_runs_postgres_as_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container, and with a home below a folder that only root may enter."""
    which = shutil.which
    monkeypatch.setattr("shutil.which", lambda name: None if name == "unshare" else which(name))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    postgres = Postgres(closed / "postgres")
    postgres.start()
    try:
        assert (postgres.data / "PG_VERSION").stat().st_uid != 0
        assert _ask(postgres.url(), "SELECT 1") == 1
    finally:
        postgres.stop()


def test_a_node_is_private_and_has_virtual_hosts_of_its_own(servers: TestServers) -> None:
    servers.start_rabbitmq()
    node = servers.rabbitmq

    node.make_vhost("mine")
    node.drop_vhost("mine")

    assert _mode(node.password_file) == 0o600
    assert _mode(node.folder / "home" / ".erlang.cookie") == 0o400
    configuration = (node.folder / "rabbitmq.conf").read_text()
    assert "127.0.0.1" in configuration
    assert "0.0.0.0" not in configuration


def test_two_nodes_have_names_and_ports_of_their_own(tmp_path: Path, servers: TestServers) -> None:
    servers.start_rabbitmq()
    other = RabbitMQ(tmp_path / "rabbitmq")
    other.start()
    try:
        assert other.node != servers.rabbitmq.node
        assert not set(other.ports.values()) & set(servers.rabbitmq.ports.values())
        other.make_vhost("other")
    finally:
        other.stop()
    servers.rabbitmq.make_vhost("still-there")
    servers.rabbitmq.drop_vhost("still-there")


def test_a_node_that_was_killed_leaves_no_port_mapper_behind(tmp_path: Path) -> None:
    node = RabbitMQ(tmp_path / "rabbitmq")
    node.start()
    try:
        node.kill()
        node.start()
        assert len(_port_mappers(tmp_path)) == 1
    finally:
        node.stop()
    assert _port_mappers(tmp_path) == []


def _port_mappers(home: Path) -> list[psutil.Process]:
    """Those that a node in `home` started."""
    found = []
    for mapper in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if mapper.info["name"] == "epmd" and mapper.environ().get("HOME", "").startswith(str(home)):
                found.append(mapper)
    return found


def test_looking_ports_up_writes_nothing_so_that_readers_never_meet_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    chosen = remembered_ports(file, ("postgres",))
    written = file.stat().st_mtime_ns

    again = remembered_ports(file, ("postgres",), in_use=True)

    assert again == chosen
    assert file.stat().st_mtime_ns == written
    assert list(tmp_path.iterdir()) == [file]


def test_rabbitmq_of_homebrew_is_found_with_its_erlang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sbin, (prefix, nothing) = tmp_path / "brew" / "opt" / "rabbitmq" / "sbin", (tmp_path / "brew", tmp_path / "nothing")
    sbin.mkdir(parents=True)
    (sbin / "rabbitmq-server").touch()
    monkeypatch.setattr(rabbitmq, "_PLACES", (nothing,))
    monkeypatch.setattr(rabbitmq, "_HOMEBREW", (nothing, prefix))

    assert rabbitmq.installation() == (sbin, prefix)
    assert str(prefix / "bin") in RabbitMQ(tmp_path / "node")._environment()["PATH"].split(os.pathsep)
