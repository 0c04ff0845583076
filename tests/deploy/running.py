"""A compose project of a test's own: every command is the real one, and everything goes when the test ends."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tests.deploy.compose_file import REPOSITORY

PROJECT = "fineshyt-test"


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def wait_for(what: str, ready: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.5)


@dataclass
class Project:
    """One compose project on ports of its own."""

    library: Path
    port: int
    management_port: int
    environment: dict[str, str] = field(default_factory=dict)

    def compose(self, *arguments: str, seconds: float = 600) -> str:
        command = [*shlex.split(os.environ.get("COMPOSE", "docker compose")), "-p", PROJECT, "-f", "docker-compose.yml"]
        done = subprocess.run(
            [*command, *arguments],
            cwd=REPOSITORY,
            env=os.environ | self._settings() | self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, f"compose {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def _settings(self) -> dict[str, str]:
        return {
            "PHOTO_LIBRARY": str(self.library),
            "FINESHYT_PORT": str(self.port),
            "RABBITMQ_MANAGEMENT_PORT": str(self.management_port),
        }

    def containers(self, service: str = "") -> list[str]:
        return self.compose("ps", "-q", *filter(None, [service])).split()

    def state(self, container: str) -> dict[str, Any]:
        return dict(json.loads(docker("inspect", container))[0])

    def healthy(self, service: str, n: int = 1) -> bool:
        found = [self.state(container)["State"] for container in self.containers(service)]
        return len(found) == n and all(s.get("Health", {}).get("Status") == "healthy" for s in found)

    def crash(self, container: str) -> None:
        """SIGKILL for what the container runs: a crash, which the restart policy answers (`docker kill` is a wish)."""
        docker("exec", container, "sh", "-c", "kill -9 $(cat /proc/1/task/1/children)", check=False)

    def fineshyt(self, *arguments: str) -> str:
        return self.compose("exec", "-T", "web", "fineshyt", *arguments)

    # --- over HTTP ----------------------------------------------------------------------------------------------------

    def request(self, path: str, body: Any = None, *, method: str = "GET", port: int = 0, password: str = "") -> Any:
        """`(status, text)`; 0 when nothing answers."""
        headers = {"Content-Type": "application/json"}
        if password:
            headers["Authorization"] = "Basic " + b64encode(f"fineshyt:{password}".encode()).decode()
        request = Request(
            f"http://127.0.0.1:{port or self.port}{path}",
            method=method,
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (URLError, OSError):
            return 0, ""

    def manage(self, path: str) -> Any:
        password = self.compose("exec", "-T", "rabbitmq", "cat", "/run/fineshyt/broker/password")
        status, text = self.request(path, port=self.management_port, password=password)
        assert status == 200, text
        return json.loads(text)

    def done(self, stage: str) -> int:
        """Photographs that the stage is done with, as `fineshyt status` counts them."""
        return int(self.status()["stages"][stage]["done"])

    def status(self) -> dict[str, Any]:
        return dict(json.loads(docker("exec", self.containers("web")[0], "fineshyt", "status", "--json")))
