"""Real servers for the tests that ask for them; everything else stays in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers import TestServers

if TYPE_CHECKING:
    from xdist.remote import Producer

    from tests.side_by_side import FileScheduling

# Threads of torch that wait would otherwise spin, and take the cores from what they wait for.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileScheduling:
    """Every worker has servers of its own."""
    from tests.side_by_side import FileScheduling

    return FileScheduling(config, log)


@pytest.fixture(scope="session")
def servers() -> Iterator[TestServers]:
    started = TestServers(ahead=True, fast=True)
    yield started
    started.stop()


@pytest.fixture
def database_url(servers: TestServers) -> Iterator[str]:
    """A fresh, migrated database of the test's own."""
    url = servers.database()
    yield url
    servers.drop_database(url)


@pytest.fixture
def vhost(servers: TestServers) -> Iterator[str]:
    name = servers.vhost()
    yield name
    servers.rabbitmq.drop_vhost(name)


@pytest.fixture
def amqp_url(servers: TestServers, vhost: str) -> str:
    """A fresh virtual host of the test's own."""
    return servers.rabbitmq.amqp_url(vhost)


@pytest.fixture
def management_url(servers: TestServers, vhost: str) -> str:
    """The management API, with credentials."""
    return servers.rabbitmq.management_url


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photographs beside the checkout; tests that need them are skipped where they are absent."""
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not here: it holds the real photographs that this test reads.")
    return DATA
