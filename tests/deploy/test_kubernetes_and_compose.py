"""The manifests run the same as docker-compose.yml: images, commands, folders, rights, settings, health."""

from __future__ import annotations

import re

import pytest

from contracts.settings import Settings
from tests.deploy.compose_file import REPOSITORY, seconds, services
from tests.deploy.compose_file import mounts as compose_mounts
from tests.deploy.kubernetes_file import (
    FOLDER,
    OURS,
    PODS,
    SERVERS,
    broker_settings,
    bytes_of,
    claims,
    containers,
    environment,
    main_container,
    mounts,
    setting,
    settings_file,
)
from web.security import allowed_hosts, refusal

ALIASES = {str(field.alias) for field in Settings.model_fields.values()}
SERVICES = services()


# --- the same as compose ----------------------------------------------------------------------------------------------


def test_there_is_one_workload_a_service() -> None:
    assert set(PODS) == set(SERVICES) - {"passwords", "migrate"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_one_of_ours_runs_the_same_image_and_command(name: str) -> None:
    container, service = main_container(OURS[name]), SERVICES[name]

    assert container["image"] == service["image"]
    assert container.get("args") == service.get("command")
    assert "command" not in container  # the image's entry point stays


@pytest.mark.parametrize("name", sorted(OURS))
def test_one_of_ours_sees_the_same_folders_with_the_same_rights(name: str) -> None:
    expected = {target: may for target, may in compose_mounts(SERVICES[name]).items() if not target.startswith("/run/")}

    assert mounts(OURS[name], main_container(OURS[name])) == expected | {"/tmp": True}


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_folder_is_the_same_for_all(name: str) -> None:
    """`/state` is one volume, `/models` another, and `/photos` is the library."""
    pod = PODS[name]
    behind = {
        m["mountPath"]: claims(pod)[m["name"]]
        for c in containers(pod)
        for m in c["volumeMounts"]
        if m["name"] in claims(pod)
    }

    assert behind.items() <= {"/state": "derivatives", "/models": "models", "/photos": "library"}.items()


@pytest.mark.parametrize("name", ["web", "writer"])
def test_the_database_is_brought_up_to_date_before_it_is_used(name: str) -> None:
    (migrate,) = OURS[name]["spec"]["initContainers"]

    assert migrate["args"] == SERVICES["migrate"]["command"]
    assert migrate["image"] == SERVICES["migrate"]["image"]


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_server_is_of_the_same_version(name: str) -> None:
    assert main_container(PODS[name])["image"] == SERVICES[name]["image"]


def test_postgres_runs_with_the_same_settings() -> None:
    container, service = main_container(PODS["postgres"]), SERVICES["postgres"]

    assert container["args"] == service["command"].split()
    assert service["environment"].items() <= environment(container).items()


def test_a_parallel_index_build_has_room_in_shared_memory() -> None:
    (memory,) = [v["emptyDir"] for v in PODS["postgres"]["spec"]["volumes"] if v["name"] == "shared-memory"]

    assert mounts(PODS["postgres"], main_container(PODS["postgres"]))["/dev/shm"]
    assert memory["medium"] == "Memory"
    assert bytes_of(memory["sizeLimit"]) == 2**30
    assert SERVICES["postgres"]["shm_size"] == "1gb"


def test_rabbitmq_runs_with_the_same_settings_and_more() -> None:
    single = broker_settings(REPOSITORY / "deploy" / "rabbitmq.conf")

    assert single.items() <= broker_settings().items()


@pytest.mark.parametrize("name", sorted(PODS))
def test_there_is_at_least_as_much_time_to_finish(name: str) -> None:
    assert PODS[name]["spec"]["terminationGracePeriodSeconds"] >= seconds(SERVICES[name]["stop_grace_period"])


@pytest.mark.parametrize("name", sorted(set(PODS) - {"web"}))
def test_it_is_ready_when_compose_calls_it_healthy(name: str) -> None:
    probe, service = main_container(PODS[name])["readinessProbe"], SERVICES[name]["healthcheck"]

    assert ["CMD", *probe["exec"]["command"]] == service["test"]
    assert probe["timeoutSeconds"] >= seconds(service["timeout"])


@pytest.mark.parametrize("probe", ["readinessProbe", "livenessProbe"])
def test_the_web_lets_its_probes_in(probe: str) -> None:
    container = main_container(PODS["web"])
    settings = Settings(FINESHYT_HOST=environment(container)["FINESHYT_HOST"])
    headers = {header["name"].lower(): header["value"] for header in container[probe]["httpGet"]["httpHeaders"]}

    assert refusal("GET", headers, allowed_hosts(settings)) is None
    assert refusal("GET", {"host": "10.1.2.3:4000"}, allowed_hosts(settings)) is not None


# --- settings ---------------------------------------------------------------------------------------------------------


def test_every_variable_of_ours_is_a_setting() -> None:
    given = {name for pod in OURS.values() for container in containers(pod) for name in environment(container)}
    commented = re.findall(r"^#([A-Z][A-Z0-9_]+)=", (FOLDER / "settings.env").read_text(), re.M)

    assert given | set(settings_file()) | set(commented) <= ALIASES


def test_the_folders_are_those_that_are_mounted() -> None:
    assert settings_file() == {"FINESHYT_HOME": "/state", "PHOTO_LIBRARY": "/photos"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_pod_of_ours_has_the_settings(name: str) -> None:
    for container in containers(OURS[name]):
        assert {"configMapRef": {"name": "settings"}} in container["envFrom"]


def test_a_decoder_has_a_processor_and_its_memory() -> None:
    container = main_container(PODS["convert"])
    slots = int(environment(container)["WORKER_SLOTS"] or 0)

    assert container["resources"]["requests"]["cpu"] == str(slots)
    assert bytes_of(container["resources"]["limits"]["memory"]) >= (slots * setting("CONVERT_MEMORY_MB") + 512) * 10**6


def test_a_network_has_as_many_threads_as_processors() -> None:
    container = main_container(PODS["embed"])

    assert container["resources"]["requests"]["cpu"] == environment(container)["TORCH_THREADS"]
