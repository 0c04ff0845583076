"""RabbitMQ's three nodes on Kubernetes, and the stages that KEDA scales by their queues."""

from __future__ import annotations

import re
import subprocess

import pytest

from contracts import topology
from tests.deploy.compose_file import REPOSITORY
from tests.deploy.kubernetes_file import (
    NAMESPACE,
    OBJECTS,
    PODS,
    SCALED,
    STAGES,
    WORKLOADS,
    broker_settings,
    environment,
    main_container,
    of_kind,
    selects,
    setting,
)

# --- RabbitMQ's three nodes -------------------------------------------------------------------------------------------


def test_the_cluster_is_made_of_as_many_nodes_as_run() -> None:
    node = WORKLOADS["rabbitmq"]["spec"]
    settings = broker_settings()
    host = f"{{}}.{node['serviceName']}.{NAMESPACE}.svc.cluster.local"

    assert node["replicas"] == 3
    assert [v for k, v in settings.items() if k.startswith("cluster_formation.classic_config.nodes.")] == [
        f"rabbit@{host.format(f'rabbitmq-{number}')}" for number in range(3)
    ]
    assert environment(main_container(PODS["rabbitmq"]))["RABBITMQ_NODENAME"] == f"rabbit@{host.format('$(POD)')}"
    assert settings["cluster_formation.target_cluster_size_hint"] == "3"
    assert settings["quorum_queue.continuous_membership_reconciliation.target_group_size"] == "3"


def test_a_node_finds_the_others_before_it_is_ready() -> None:
    service = of_kind("Service", OBJECTS)[WORKLOADS["rabbitmq"]["spec"]["serviceName"]]["spec"]

    assert service["clusterIP"] == "None"
    assert service["publishNotReadyAddresses"] is True
    assert WORKLOADS["rabbitmq"]["spec"]["podManagementPolicy"] == "Parallel"


def test_a_majority_of_nodes_stays() -> None:
    budget = of_kind("PodDisruptionBudget", OBJECTS)["rabbitmq"]["spec"]
    (apart,) = PODS["rabbitmq"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]

    assert budget["maxUnavailable"] == 1
    assert selects(budget["selector"], PODS["rabbitmq"])
    assert selects(apart["labelSelector"], PODS["rabbitmq"])
    assert apart["topologyKey"] == "kubernetes.io/hostname"


def test_erlang_finds_a_cookie_that_only_its_owner_reads() -> None:
    shell, option, script = main_container(PODS["rabbitmq"])["command"]

    assert (shell, option) == ("sh", "-c")
    assert "install -m 600 /run/fineshyt/broker/cookie /var/lib/rabbitmq/.erlang.cookie" in script
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


# --- KEDA -------------------------------------------------------------------------------------------------------------


READ = {stage: topology.queues_of_consumer(stage) for stage in topology.WORK_STAGES} | {"text": (topology.TEXT_QUEUE,)}


def test_every_stage_is_scaled() -> None:
    targets = [found["spec"]["scaleTargetRef"]["name"] for found in of_kind("ScaledObject", SCALED).values()]

    assert sorted(targets) == sorted(STAGES)
    assert set(targets) <= set(of_kind("Deployment", OBJECTS))


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_is_scaled_by_the_queues_that_it_reads(stage: str) -> None:
    spec = of_kind("ScaledObject", SCALED)[stage]["spec"]

    assert spec["scaleTargetRef"] == {"name": stage}
    assert [trigger["metadata"]["queueName"] for trigger in spec["triggers"]] == list(READ[stage])
    assert {trigger["authenticationRef"]["name"] for trigger in spec["triggers"]} == set(
        of_kind("TriggerAuthentication", SCALED)
    )


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_full_window_brings_every_pod_and_somebody_is_always_there(stage: str) -> None:
    """A longer queue than the window is never seen."""
    spec = of_kind("ScaledObject", SCALED)[stage]["spec"]
    values = [int(trigger["metadata"]["value"]) for trigger in spec["triggers"]]

    assert spec["minReplicaCount"] == 1
    assert spec["maxReplicaCount"] * max(values) <= setting("DISPATCH_WINDOW")


@pytest.mark.parametrize("stage", ["taste", "bursts"])
def test_one_job_at_a_time_has_one_pod(stage: str) -> None:
    assert of_kind("ScaledObject", SCALED)[stage]["spec"]["maxReplicaCount"] == 1


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_applying_again_does_not_undo_scaling(stage: str) -> None:
    assert "replicas" not in WORKLOADS[stage]["spec"]


def test_the_page_says_why_each_number() -> None:
    rows = re.findall(r"^\| `(\w+)` \| 1 to (\d+) \|", (REPOSITORY / "docs" / "kubernetes.md").read_text(), re.M)
    most = {name: found["spec"]["maxReplicaCount"] for name, found in of_kind("ScaledObject", SCALED).items()}

    assert {stage: int(number) for stage, number in rows} == {s: n for s, n in most.items() if n > 1}
