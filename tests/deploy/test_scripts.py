"""The scripts around compose, run for real on folders of their own."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.compose_file import REPOSITORY, mounts, raw


def init(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH",)}
    return subprocess.run(
        [str(REPOSITORY / "scripts" / "compose-init")],
        env=kept | {"HOME": str(folder / "nobody"), "COMPOSE_FOLDER": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def settings(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return {n: v.strip("'") for n, _, v in (line.partition("=") for line in lines if not line.startswith("#"))}


@pytest.fixture
def drives(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "the archive", tmp_path / "DRIVE$2"]
    for path in paths:
        path.mkdir()
    return paths


def test_init_writes_private_settings_with_passwords_of_their_own(tmp_path: Path, drives: list[Path]) -> None:
    done = init(tmp_path, PHOTO_LIBRARY=str(drives[0]))

    assert done.returncode == 0, done.stderr
    made = settings(tmp_path)
    assert made["PHOTO_LIBRARY"] == str(drives[0])
    assert len(made["POSTGRES_PASSWORD"]) == len(made["RABBITMQ_PASSWORD"]) == 32
    assert made["POSTGRES_PASSWORD"] != made["RABBITMQ_PASSWORD"]
    assert made["FINESHYT_UID"] != "0"
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert not (tmp_path / "docker-compose.override.yml").exists()


def test_a_second_init_keeps_passwords_and_what_was_set_by_hand(tmp_path: Path, drives: list[Path]) -> None:
    init(tmp_path, PHOTO_LIBRARY=str(drives[0]))
    before = settings(tmp_path)
    with (tmp_path / ".env").open("a") as file:
        file.write("LLM_MODEL=gemma3\n")

    done = init(tmp_path, PHOTO_LIBRARY=str(drives[1]))

    assert done.returncode == 0, done.stderr
    assert settings(tmp_path) == before | {"LLM_MODEL": "gemma3", "PHOTO_LIBRARY": str(drives[1])}


def test_several_drives_keep_their_paths_read_only(tmp_path: Path, drives: list[Path]) -> None:
    done = init(tmp_path, PHOTO_LIBRARIES=":".join(map(str, drives)))

    assert done.returncode == 0, done.stderr
    override = yaml.safe_load((tmp_path / "docker-compose.override.yml").read_text())["services"]
    in_compose = [str(path).replace("$", "$$") for path in drives]
    assert set(override) == {"web", "writer", "scan", "convert"}
    for service in override.values():
        assert service["environment"] == {"PHOTO_LIBRARY": "", "PHOTO_LIBRARIES": ":".join(in_compose)}
        assert [m["source"] for m in service["volumes"]] == [m["target"] for m in service["volumes"]] == in_compose
        assert all(mount["read_only"] for mount in service["volumes"])
    assert settings(tmp_path)["PHOTO_LIBRARY"] == str(drives[0])


def test_the_override_goes_when_there_is_one_drive_again(tmp_path: Path, drives: list[Path]) -> None:
    init(tmp_path, PHOTO_LIBRARIES=":".join(map(str, drives)))

    init(tmp_path, PHOTO_LIBRARY=str(drives[1]))

    assert not (tmp_path / "docker-compose.override.yml").exists()
    assert "PHOTO_LIBRARIES" not in settings(tmp_path)


def test_an_override_of_the_persons_own_is_left_alone(tmp_path: Path, drives: list[Path]) -> None:
    own = tmp_path / "docker-compose.override.yml"
    own.write_text("services: {}\n")

    done = init(tmp_path, PHOTO_LIBRARIES=":".join(map(str, drives)))

    assert done.returncode == 1
    assert "is your own" in done.stderr
    assert own.read_text() == "services: {}\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [("Pictures", "not an absolute path"), ("/nowhere/at/all", "does not exist"), ("", "Say where")],
)
def test_a_folder_that_is_none_is_refused_with_a_sentence(tmp_path: Path, given: str, said: str) -> None:
    done = init(tmp_path, PHOTO_LIBRARY=given)

    assert done.returncode == 1
    assert said in done.stderr


def test_the_override_names_services_that_exist(tmp_path: Path, drives: list[Path]) -> None:
    init(tmp_path, PHOTO_LIBRARIES=":".join(map(str, drives)))
    override = yaml.safe_load((tmp_path / "docker-compose.override.yml").read_text())["services"]

    reading = {name for name, service in raw()["services"].items() if "/photos" in mounts(service)}
    assert set(override) == reading


# --- once it runs -----------------------------------------------------------------------------------------------------


def asking_compose(folder: Path, line: str) -> Path:
    """A stand-in that asks for the folder of photographs in every command, as compose does, and then runs `line`."""
    made = folder / "compose"
    made.write_text(f"#!/bin/sh\n: ${{PHOTO_LIBRARY:?Say where your photographs are}}\n{line}\n")
    made.chmod(0o755)
    return made


@pytest.mark.parametrize("target", ["compose-down", "compose-logs", "compose-build"])
@pytest.mark.parametrize("library", ["", "/my pictures"])
def test_what_starts_nothing_need_not_be_told_where_the_photographs_are(
    target: str, library: str, tmp_path: Path
) -> None:
    compose = asking_compose(tmp_path, 'echo "$PHOTO_LIBRARY"')
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | ({"PHOTO_LIBRARY": library} if library else {})

    done = subprocess.run(
        ["make", "--silent", target, f"COMPOSE={compose}"],
        cwd=REPOSITORY, env=given, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert not library or done.stdout.strip() == library


# --- reset ------------------------------------------------------------------------------------------------------------


def reset(answer: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "COMPOSE": str(asking_compose(folder, 'echo "$@"'))}
    script = str(REPOSITORY / "scripts" / "compose-reset")
    return subprocess.run([script], env=environment, input=answer, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("answer", ["", "y\n", "yes\n", "remove\n"])
def test_reset_removes_nothing_unless_told_in_full(answer: str, tmp_path: Path) -> None:
    done = reset(answer, tmp_path)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "Nothing was removed." in done.stderr


def test_reset_says_what_is_lost_and_then_removes_the_volumes(tmp_path: Path) -> None:
    done = reset("remove everything\n", tmp_path)

    assert "every star" in done.stderr
    assert done.stdout.split() == ["down", "--volumes", "--remove-orphans"]


# --- inside the images ------------------------------------------------------------------------------------------------


def connected(*ports: int) -> int:
    script = REPOSITORY / "deploy" / "bin" / "connected"
    return subprocess.run([str(script), *map(str, ports)], capture_output=True, check=False).returncode


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux's list of connections")
def test_a_worker_is_healthy_while_it_holds_every_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connected(port) != 0, "a server that listens is no connection of ours"
        with socket.create_connection(server.getsockname()):
            assert connected(port) == 0
            assert connected(port, 1) != 0
