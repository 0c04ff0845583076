"""`make compose-test`: builds the images, starts everything, and treats it as a person and an accident would.

One story in order; each test takes up where the one before left off.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts import topology
from tests.chaos.photographs import make_photographs
from tests.deploy.running import PROJECT, Project, docker, engine_answers, wait_for
from tests.deploy.test_compose_file import LASTING

pytestmark = [
    pytest.mark.skipif("COMPOSE_TEST" not in os.environ, reason="make compose-test"),
    pytest.mark.timeout(3000),
    pytest.mark.usefixtures("timed"),
]

PHOTOGRAPHS = 120
STARS = 7


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    make_photographs(folder / "2024", PHOTOGRAPHS, seed=3, size=(2400, 1600))
    for path in (folder, *folder.parents):  # a container's user looks at it, as it would at a real library
        if path.stat().st_uid == os.geteuid() and path.is_relative_to("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    return folder


@pytest.fixture(scope="module")
def project(library: Path) -> Iterator[Project]:
    assert engine_answers(), "No Docker engine answers. Start it, or set DOCKER_HOST."
    made = Project(
        library, _free_port(), _free_port(), {"FINESHYT_ENCODER": "bundled", "FREE_DISK_GB": "1", "TORCH_THREADS": "1"}
    )
    made.compose("down", "--volumes", "--remove-orphans")
    yield made
    made.compose("down", "--volumes", "--remove-orphans")


@pytest.fixture
def timed() -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f" {time.monotonic() - started:.0f} s", end="")


def test_the_images_are_built_and_small(project: Project) -> None:
    project.compose("build", "web", "convert", "embed", seconds=2400)

    megabytes = {
        name: int(docker("image", "inspect", "-f", "{{.Size}}", f"fineshyt-{name}")) / 1e6
        for name in ("web", "consumers", "encoders")
    }
    print({name: round(size) for name, size in megabytes.items()})
    assert megabytes["web"] < 400
    assert megabytes["consumers"] < 2000
    assert megabytes["encoders"] < 2000


@pytest.mark.parametrize(
    ("image", "without"),
    [
        ("web", ["torch", "rawpy", "pyvips", "consumers", "pip"]),
        ("consumers", ["torch", "asyncpg", "sqlalchemy", "web", "pip"]),
        ("encoders", ["asyncpg", "sqlalchemy", "web", "pip"]),
    ],
)
def test_an_image_holds_no_other_room(image: str, without: list[str]) -> None:
    program = f"import importlib.util as u; print(*[n for n in {without!r} if u.find_spec(n)])"

    assert docker("run", "--rm", "--network=none", f"fineshyt-{image}", "python", "-c", program) == ""


def test_up_brings_everything_up(project: Project) -> None:
    project.compose("up", "--detach", seconds=300)

    for name in LASTING:
        wait_for(f"{name} is healthy", lambda name=name: project.healthy(name), 180)  # type: ignore[misc]
    assert project.request("/readyz")[0] == 200


def test_only_two_ports_are_open_and_only_on_loopback(project: Project) -> None:
    bindings = [
        (key, binding["HostIp"], int(binding["HostPort"]))
        for container in project.containers()
        for key, found in project.state(container)["NetworkSettings"]["Ports"].items()
        for binding in found or []
    ]

    assert sorted(bindings) == [
        ("15672/tcp", "127.0.0.1", project.management_port),
        ("4000/tcp", "127.0.0.1", project.port),
    ]


def test_the_management_page_asks_for_the_password_of_the_first_start(project: Project) -> None:
    for wrong in ("", "guest", "fineshyt"):
        assert project.request("/api/overview", port=project.management_port, password=wrong)[0] == 401
    assert project.manage("/api/overview")["rabbitmq_version"].startswith("4.")
    assert f'href="http://127.0.0.1:{project.management_port}/"' in project.request("/")[1]


def test_the_management_page_lists_queues_by_names_that_say_what_they_hold(project: Project) -> None:
    names = {queue["name"] for queue in project.manage("/api/queues")}

    reports = {name for name in names if re.fullmatch(r"reports\.(web|relay)\.[0-9a-f]{6}", name)}
    assert len(reports) == 2
    assert names - reports == {queue.name for queue in topology.QUEUES}


@pytest.mark.parametrize("name", ["web", "convert", "embed", "writer"])
def test_nobody_is_root_and_nobody_may_write_originals(project: Project, name: str) -> None:
    (container,) = project.containers(name)

    assert docker("exec", container, "id", "-u") == "1000"
    refused = docker("exec", container, "sh", "-c", "touch /photos/x 2>&1; touch /usr/x 2>&1; true")
    assert name == "embed" or "/photos/x': Read-only file system" in refused
    assert "/usr/x'" in refused


def _reached(container: str, host: str, port: int) -> str:
    program = f"""
import socket
try:
    socket.create_connection(({host!r}, {port}), 3)
    print("reached")
except ConnectionRefusedError:
    print("refused by the host")
except OSError as error:
    print("no way", error)
"""
    return docker("exec", container, "python", "-c", program)


def _addresses(project: Project, service: str) -> list[str]:
    (container,) = project.containers(service)
    return [network["IPAddress"] for network in project.state(container)["NetworkSettings"]["Networks"].values()]


def test_a_decoder_reaches_the_broker_and_nothing_else(project: Project) -> None:
    (convert,) = project.containers("convert")
    own = _addresses(project, "convert")[0].rpartition(".")[0]
    elsewhere = [a for name in ("web", "postgres") for a in _addresses(project, name) if a.rpartition(".")[0] != own]

    assert _reached(convert, "rabbitmq", 5672) == "reached"
    assert _reached(convert, "postgres", 5432).startswith("no way")
    assert len(elsewhere) == 3
    assert all(_reached(convert, a, port).startswith("no way") for a in elsewhere for port in (4000, 5432))


def test_curate_reaches_the_host(project: Project) -> None:
    """Where no language model listens, it is the host itself that refuses."""
    (curate,) = project.containers("curate")

    assert _reached(curate, "host.docker.internal", 9) == "refused by the host"


def test_embed_scales_to_three_with_no_other_change(project: Project) -> None:
    project.compose("up", "--detach", "--no-recreate", "--scale", "embed=3", seconds=300)

    wait_for("three workers of embed", lambda: project.healthy("embed", 3), 120)
    wait_for("the broker knows all three", lambda: project.manage("/api/queues/%2F/embed").get("consumers") == 3, 30)


def test_nothing_is_lost_when_workers_are_killed(project: Project, library: Path) -> None:
    before = _digests(library)
    victims = [project.containers("convert")[0], *project.containers("embed")[:2]]

    project.fineshyt("import", "/photos", "--sample", "all")
    wait_for("work is under way", lambda: 5 < project.done("embed") < PHOTOGRAPHS, 120)
    for container in victims:
        project.crash(container)

    for stage in ("convert", "embed"):
        wait_for(f"{stage} is done", lambda s=stage: project.done(s) == PHOTOGRAPHS, 900)  # type: ignore[misc]
    status = project.status()
    assert status["photos"]["ready"] == status["photos"]["total"] == PHOTOGRAPHS
    assert [status["stages"][s]["failed"] for s in ("scan", "convert", "embed")] == [0, 0, 0]
    assert all(project.state(container)["RestartCount"] >= 1 for container in victims)
    wait_for("the killed are healthy again", lambda: project.healthy("embed", 3) and project.healthy("convert"), 60)
    assert _digests(library) == before


def _rate(project: Project, n: int) -> list[int]:
    _, text = project.request(f"/api/photos?filter=all&sort=name&limit={n}")
    ids = [item["id"] for item in json.loads(text)["items"]]
    for photo_id in ids:
        status, text = project.request(f"/api/photos/{photo_id}/decision", {"rating": 5}, method="PUT")
        assert status == 200, text
    return ids


def _run_with(project: Project, target: Path, *command: str) -> None:
    """As `make compose-export` and `make compose-backup` do: with a folder of the person's at `/target`."""
    target.mkdir()
    target.chmod(0o777)
    project.compose("run", "--rm", "--no-deps", "-v", f"{target}:/target", "web", "fineshyt", *command, "/target")


def test_what_was_rated_is_exported(project: Project, tmp_path: Path) -> None:
    target = tmp_path / "export"
    assert len(_rate(project, STARS)) == STARS

    _run_with(project, target, "export", "--target")

    assert len(list(target.glob("*.jpg"))) == STARS
    assert len(json.loads((target / "photos.json").read_text())) == STARS


def test_a_backup_is_proved_and_lies_in_the_persons_folder(project: Project, tmp_path: Path) -> None:
    _run_with(project, tmp_path / "backups", "backup", "--to")

    assert len(list((tmp_path / "backups").glob("*.zip"))) == 1


def test_down_and_up_again_loses_nothing(project: Project) -> None:
    project.compose("down", seconds=300)
    assert project.request("/healthz")[0] == 0

    project.compose("up", "--detach", seconds=300)

    wait_for("the page answers", lambda: project.request("/readyz")[0] == 200, 120)
    rated: dict[str, Any] = json.loads(project.request("/api/photos?filter=rated&limit=50")[1])
    assert rated["total"] == STARS


def test_taken_down_with_its_volumes_it_leaves_nothing(project: Project) -> None:
    project.compose("down", "--volumes", seconds=300)

    label = f"label=com.docker.compose.project={PROJECT}"
    for kind in (["ps", "-a"], ["volume", "ls"], ["network", "ls"]):
        assert docker(*kind, "-q", "--filter", label) == ""
