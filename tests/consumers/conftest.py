"""A broker seen from the other side, runners in threads, and previews of real photographs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumers.runner import HEARTBEAT_S, Runner
from consumers.stage import StageWorker
from contracts.settings import Settings
from tests.consumers.broker import Broker
from tests.previews import make_previews

Start = Callable[..., Runner]


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Points at the test's broker where the test has one."""
    url = request.getfixturevalue("amqp_url") if "amqp_url" in request.fixturenames else ""
    return Settings(FINESHYT_HOME=tmp_path / "home", AMQP_URL=url, TORCH_THREADS=2, CLIP_DEVICE="cpu")


@pytest.fixture
def broker(amqp_url: str, management_url: str) -> Iterator[Broker]:
    opened = Broker(amqp_url, management_url)
    yield opened
    opened.close()


@pytest.fixture
def start(settings: Settings, broker: Broker) -> Iterator[Start]:
    """Starts a runner in a thread; all are stopped at the end."""
    running: list[tuple[Runner, threading.Thread, StageWorker]] = []

    def start_runner(worker: StageWorker, *, heartbeat_s: int = HEARTBEAT_S, grace_s: float = 30.0) -> Runner:
        runner = Runner(worker, settings.model_copy(update={"grace_s": grace_s}), heartbeat_s=heartbeat_s)
        thread = threading.Thread(target=runner.run)
        thread.start()
        running.append((runner, thread, worker))
        return runner

    yield start_runner
    for runner, _, worker in running:
        gate = getattr(worker, "gate", None)
        if gate is not None:
            gate.set()
        runner.stop()
    for _, thread, _ in running:
        thread.join(40)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def previews(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """1440 px previews of six photographs."""
    return make_previews(sorted((shared_data / "photos").glob("*.jpg"))[:6], tmp_path_factory.mktemp("previews"))
