"""One stack of real processes for the whole module; what a test killed is started again before the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.stack import Stack
from tests.servers import PrivateServers


@pytest.fixture(scope="module")
def private_servers() -> Iterator[PrivateServers]:
    servers = PrivateServers()
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def running_stack(private_servers: PrivateServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(private_servers, Path(tmp_path_factory.mktemp("home")))
    stack.start_all()
    yield stack
    stack.stop_all()


@pytest.fixture
def stack(running_stack: Stack) -> Stack:
    for name, process in running_stack.processes.items():
        if process.poll() is not None:
            running_stack.start(name)
    return running_stack
