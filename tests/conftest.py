"""Real servers for the tests that ask for them; everything else stays in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import TestServers

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


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
