"""What the compose file promises: who is reached from where, who may write what, and what Compose 1.29 can read."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contracts import topology
from contracts.settings import Settings
from tests.deploy.compose_file import (
    COMPOSE,
    DOCKERFILE,
    GPU,
    REPOSITORY,
    mounts,
    networks,
    passed_on,
    raw,
    seconds,
    services,
    variables,
)
from web.security import allowed_hosts

ONCE = {"passwords", "migrate"}
SERVERS = {"postgres", "rabbitmq"}
STAGES = {*topology.WORK_STAGES, "text"}
READ_ORIGINALS = {"web", "writer", "scan", "convert"}
ALIASES = {str(field.alias) for field in Settings.model_fields.values()}
SETTINGS_OF_NATIVE_START = {
    "DATABASE_URL", "AMQP_URL",  # made by the images' entry point, from the passwords
    "FINESHYT_DERIVATIVES", "FINESHYT_TRANSIT",  # below FINESHYT_HOME, in one volume
    "PHOTO_LIBRARIES",  # the override file that compose-init makes
}  # fmt: skip
_EXAMPLE = (REPOSITORY / ".env.example").read_text().partition("# --- ")[2]
COMPOSE_ALONE = set(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", _EXAMPLE, re.M))

SERVICES = services()
OURS = {name: service for name, service in SERVICES.items() if name not in SERVERS}
LASTING = {name: service for name, service in SERVICES.items() if name not in ONCE}


def test_there_is_one_service_a_stage_and_the_rest_is_known() -> None:
    assert set(SERVICES) == STAGES | SERVERS | ONCE | {"web", "writer"}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_runs_its_consumer(stage: str) -> None:
    assert SERVICES[stage]["command"] == ["python", "-m", "consumers", stage]


# --- reach ------------------------------------------------------------------------------------------------------------


def test_only_the_page_and_the_management_page_are_published_and_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"web": ["127.0.0.1:4000:4000"], "rabbitmq": ["127.0.0.1:15672:15672"]}


def test_the_user_may_say_otherwise() -> None:
    said = services(FINESHYT_HOST="192.168.1.5", FINESHYT_PORT="80", RABBITMQ_MANAGEMENT_PORT="81")

    assert said["web"]["ports"] == ["192.168.1.5:80:4000"]
    assert said["rabbitmq"]["ports"] == ["192.168.1.5:81:15672"]
    assert said["web"]["environment"]["RABBITMQ_MANAGEMENT_URL"] == "http://192.168.1.5:81/"


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ({}, set()),
        ({"FINESHYT_HOST": "192.168.1.5"}, {"192.168.1.5"}),
        ({"FINESHYT_HOST": "0.0.0.0", "FINESHYT_ALLOWED_HOSTS": "nas.local,192.168.1.5"}, {"nas.local", "192.168.1.5"}),
    ],
)
def test_the_page_may_be_opened_at_the_address_that_it_is_published_at(said: dict[str, str], allowed: set[str]) -> None:
    given = services(COMPOSE, **said)["web"]["environment"]
    settings = Settings(**{name: given[name] for name in ("FINESHYT_HOST", "FINESHYT_ALLOWED_HOSTS")})

    assert allowed_hosts(settings) == {"localhost", "127.0.0.1", "[::1]"} | allowed


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_consumer_reaches_no_database_and_knows_no_password_of_it(stage: str) -> None:
    assert "database" not in networks(SERVICES[stage])
    assert "/run/fineshyt/database" not in mounts(SERVICES[stage])


@pytest.mark.parametrize("stage", ["scan", "convert", "taste", "bursts"])
def test_what_opens_foreign_files_or_computes_reaches_nothing_but_the_broker(stage: str) -> None:
    assert networks(SERVICES[stage]) == {"broker"}


def test_the_networks_of_the_servers_lead_nowhere() -> None:
    assert raw()["networks"] == {"database": {"internal": True}, "broker": {"internal": True}, "outside": {}}


@pytest.mark.parametrize("name", ["web", "curate"])
def test_a_language_model_on_the_host_is_reached(name: str) -> None:
    assert SERVICES[name]["extra_hosts"] == ["host.docker.internal:host-gateway"]
    assert "outside" in networks(SERVICES[name])
    assert SERVICES[name]["environment"]["LLM_BASE_URL"] == "http://host.docker.internal:11434/v1/"


# --- rights -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_originals_are_read_only_and_only_where_they_are_read(name: str) -> None:
    found = mounts(SERVICES[name])

    assert ("/photos" in found) == (name in READ_ORIGINALS)
    assert not found.get("/photos", False)


@pytest.mark.parametrize("name", sorted(OURS))
def test_ours_run_without_root_and_without_its_powers(name: str) -> None:
    service = OURS[name]

    assert service["user"] == "1000:1000"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service


@pytest.mark.parametrize("target", ["web", "consumers", "encoders"])
def test_an_image_of_ours_is_not_roots_by_default_either(target: str) -> None:
    stage = re.search(rf"^FROM runtime AS {target}$(.*?)(?=^FROM |\Z)", DOCKERFILE.read_text(), re.M | re.S)

    assert stage is not None
    assert re.findall(r"^USER (.*)$", stage[1], re.M) == ["1000:1000"]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_consumer_writes_only_to_volumes(stage: str) -> None:
    assert SERVICES[stage]["read_only"] is True
    writable = {target for target, may in mounts(SERVICES[stage]).items() if may}
    assert writable <= {"/state", "/models"}


def test_only_the_service_that_makes_passwords_may_write_them() -> None:
    may = {
        name for name, service in SERVICES.items() for t, w in mounts(service).items() if w and t.startswith("/run/")
    }

    assert may == {"passwords"}


def test_no_password_stands_in_the_file() -> None:
    assert {n: SERVICES["passwords"]["environment"][n] for n in ("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD")} == {
        "POSTGRES_PASSWORD": None,
        "RABBITMQ_PASSWORD": None,
    }
    with_password = [n for n, s in SERVICES.items() for key in s.get("environment", {}) if key.endswith("PASSWORD")]
    assert set(with_password) == {"passwords"}


# --- life -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LASTING))
def test_a_lasting_service_is_looked_after(name: str) -> None:
    service = LASTING[name]

    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])
    assert "stop_grace_period" in service


@pytest.mark.parametrize("name", sorted(ONCE))
def test_what_runs_once_is_not_started_again(name: str) -> None:
    assert SERVICES[name]["restart"] == "no"


@pytest.mark.parametrize("name", sorted(STAGES | {"writer"}))
def test_there_is_time_to_finish_what_is_in_hand(name: str) -> None:
    grace = Settings.model_fields["grace_s"].default

    assert seconds(SERVICES[name]["stop_grace_period"]) > grace


def test_the_start_has_an_order() -> None:
    def needs(name: str) -> dict[str, str]:
        return {other: how["condition"] for other, how in SERVICES[name].get("depends_on", {}).items()}

    done, healthy = "service_completed_successfully", "service_healthy"
    assert needs("postgres") == needs("rabbitmq") == {"passwords": done}
    assert needs("migrate") == {"passwords": done, "postgres": healthy}
    assert needs("web") == needs("writer") == {"migrate": done, "rabbitmq": healthy}
    for stage in STAGES:
        assert needs(stage) == {"passwords": done, "rabbitmq": healthy}


def test_a_parallel_index_build_has_room_in_shared_memory() -> None:
    memory = re.search(r"maintenance_work_mem=(\d+)GB", SERVICES["postgres"]["command"])

    assert memory is not None
    assert SERVICES["postgres"]["shm_size"] == f"{memory[1]}gb"


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_can_be_scaled(stage: str) -> None:
    assert not {"ports", "hostname", "container_name", "deploy"} & set(SERVICES[stage])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_logs_do_not_fill_the_disk(name: str) -> None:
    assert SERVICES[name]["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


# --- settings ---------------------------------------------------------------------------------------------------------


def test_every_setting_reaches_a_container_or_is_one_of_the_native_start() -> None:
    given = {key for service in OURS.values() for key in service["environment"]}

    assert given - {"POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"} == ALIASES - SETTINGS_OF_NATIVE_START


def test_defaults_of_settings_are_written_in_one_place_only() -> None:
    """What is not set stays unset in the container: the settings class has the default."""
    fixed = {key for key, value in raw()["x-settings"].items() if value is not None}

    assert fixed == {"LLM_BASE_URL", "PHOTO_LIBRARY", "FINESHYT_HOME"}


def test_the_example_file_lists_what_compose_reads_beside_the_settings() -> None:
    assert (variables() | variables(GPU) | passed_on()) - ALIASES == COMPOSE_ALONE


@pytest.mark.parametrize("name", sorted(COMPOSE_ALONE))
def test_the_page_on_compose_explains_it(name: str) -> None:
    assert f"`{name}`" in (REPOSITORY / "docs" / "compose.md").read_text()


# --- what an old compose and a builder without BuildKit can read ------------------------------------------------------


@pytest.mark.parametrize("path", [COMPOSE, GPU], ids=lambda path: path.name)
def test_nothing_that_compose_1_29_does_not_know(path: Path) -> None:
    content = raw(path)

    assert {key for key in content if not key.startswith("x-")} <= {"services", "networks", "volumes"}
    assert not [name for name, service in content["services"].items() if "container_name" in service]


def test_nothing_that_only_buildkit_knows() -> None:
    text = DOCKERFILE.read_text()

    assert not re.search(r"^# *syntax|--mount|--link|--chmod|<<", text, re.M)


def test_the_gpu_file_changes_what_runs_the_network() -> None:
    gpu: dict[str, Any] = raw(GPU)["services"]

    assert set(gpu) == {"embed", "text"}
    for service in gpu.values():
        assert service["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
        assert service["build"]["args"]["TORCH"] == "cuda"


def _installed(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("files", [[COMPOSE], [COMPOSE, GPU]], ids=["cpu", "gpu"])
@pytest.mark.parametrize("command", [["docker-compose"], ["docker", "compose"]], ids=" ".join)
def test_compose_itself_reads_it(command: list[str], files: list[Path], tmp_path: Path) -> None:
    if not _installed(command):
        pytest.skip(f"{' '.join(command)} is not installed here")
    arguments = [part for path in files for part in ("-f", str(path))]
    read = subprocess.run(
        [*command, *arguments, "config", "-q"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PHOTO_LIBRARY": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert read.returncode == 0, read.stderr
