"""One stack of real processes for the whole module; what a test killed is started again before the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.stack import Stack, running_stack
from tests.servers import PrivateServers


@pytest.fixture(scope="module")
def private_servers() -> Iterator[PrivateServers]:
    servers = PrivateServers()
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def module_stack(private_servers: PrivateServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(private_servers, Path(tmp_path_factory.mktemp("home"))) as stack:
        yield stack


@pytest.fixture
def stack(module_stack: Stack) -> Stack:
    for name, process in module_stack.processes.items():
        if process.poll() is not None:
            module_stack.start(name)
    return module_stack
