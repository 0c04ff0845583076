"""Who reaches whom on Kubernetes, who may do what, and who knows which password."""

from __future__ import annotations

import re

import pytest

from contracts.settings import Settings
from tests.deploy.compose_file import networks, services
from tests.deploy.kubernetes_file import (
    FOLDER,
    NAMESPACE,
    OBJECTS,
    OURS,
    PODS,
    SCALED,
    SERVERS,
    STAGES,
    Network,
    bytes_of,
    containers,
    environment,
    made_secrets,
    main_container,
    of_kind,
    secret_keys,
    selects,
)

SERVICES = services()
SECRETS = made_secrets()


# --- reach ------------------------------------------------------------------------------------------------------------


NETWORK = Network(list(of_kind("NetworkPolicy", OBJECTS).values()), NAMESPACE)


@pytest.mark.parametrize("name", sorted(OURS))
def test_one_of_ours_reaches_what_its_networks_in_compose_lead_to(name: str) -> None:
    pod, expected = OURS[name], networks(SERVICES[name])

    assert NETWORK.allows(pod, PODS["postgres"], 5432) == ("database" in expected)
    assert NETWORK.allows(pod, PODS["rabbitmq"], 5672) == ("broker" in expected)
    assert NETWORK.leads_outside(pod) == ("outside" in expected)


@pytest.mark.parametrize("name", sorted(OURS))
def test_nobody_reaches_one_of_ours(name: str) -> None:
    assert not [source for source, pod in PODS.items() if NETWORK.allows(pod, PODS[name], 4000)]


@pytest.mark.parametrize("name", sorted(PODS))
@pytest.mark.parametrize("port", [4369, 15672, 25672])
def test_only_a_node_of_rabbitmq_reaches_the_others(name: str, port: int) -> None:
    among_themselves = name == "rabbitmq" and port != 15672

    assert NETWORK.allows(PODS[name], PODS["rabbitmq"], port) == among_themselves


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_server_does_not_get_out(name: str) -> None:
    assert not NETWORK.leads_outside(PODS[name])


def test_keda_reaches_the_broker_and_nothing_else() -> None:
    (policy,) = of_kind("NetworkPolicy", SCALED).values()

    assert [name for name, pod in PODS.items() if selects(policy["spec"]["podSelector"], pod)] == ["rabbitmq"]
    ((rule),) = policy["spec"]["ingress"]
    assert [entry["port"] for entry in rule["ports"]] == [5672]


def test_nothing_is_published() -> None:
    assert not of_kind("Ingress", OBJECTS)
    assert {s["spec"].get("type", "ClusterIP") for s in of_kind("Service", OBJECTS).values()} == {"ClusterIP"}


# --- rights -----------------------------------------------------------------------------------------------------------


def test_the_namespace_takes_restricted_pods_only() -> None:
    labels = of_kind("Namespace", OBJECTS)[NAMESPACE]["metadata"]["labels"]

    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_pod_runs_without_root_and_without_its_powers(name: str) -> None:
    spec = PODS[name]["spec"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == (999 if name in SERVERS else 1000)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    for container in containers(PODS[name]):
        bounds = container["securityContext"]
        assert bounds["allowPrivilegeEscalation"] is False
        assert bounds["capabilities"] == {"drop": ["ALL"]}
        assert bounds.get("readOnlyRootFilesystem", False) is (name not in SERVERS)


@pytest.mark.parametrize("name", sorted(PODS))
def test_no_service_puts_variables_into_a_pod(name: str) -> None:
    """A Service `rabbitmq` would set RABBITMQ_PORT, which RabbitMQ reads."""
    assert PODS[name]["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_container_says_what_it_needs_and_may_have(name: str) -> None:
    for container in containers(PODS[name]):
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        asked, most = (container["resources"][key]["memory"] for key in ("requests", "limits"))
        assert bytes_of(asked) <= bytes_of(most)


def test_originals_cannot_be_written_whatever_mounts_them() -> None:
    (volume,) = of_kind("PersistentVolume", OBJECTS).values()

    assert volume["spec"]["nfs"]["readOnly"] is True
    assert "ro" in volume["spec"]["mountOptions"]
    assert volume["spec"]["accessModes"] == ["ReadOnlyMany"]
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_consumer_is_given_the_brokers_address_alone(stage: str) -> None:
    assert secret_keys(PODS[stage]) == {("broker", "AMQP_URL")}


def test_every_secret_that_is_named_is_made() -> None:
    made = {(name, key) for name, secret in SECRETS.items() for key in secret["stringData"]}
    named = {key for pod in PODS.values() for key in secret_keys(pod)}
    (access,) = of_kind("TriggerAuthentication", SCALED).values()

    named |= {(reference["name"], reference["key"]) for reference in access["spec"]["secretTargetRef"]}
    assert named == made


def test_the_addresses_hold_the_servers_own_passwords() -> None:
    database, broker = (SECRETS[name]["stringData"] for name in ("database", "broker"))

    assert database["DATABASE_URL"] == f"postgresql://fineshyt:{database['password']}@postgres:5432/fineshyt"
    assert broker["AMQP_URL"] == f"amqp://fineshyt:{broker['password']}@rabbitmq.{NAMESPACE}.svc:5672/%2F"
    assert len(Settings(AMQP_URL=broker["AMQP_URL"]).amqp_urls) == 1
    assert {"postgres", "rabbitmq"} <= set(of_kind("Service", OBJECTS))
    for user in (
        environment(main_container(PODS["postgres"]))["POSTGRES_USER"],
        environment(main_container(PODS["rabbitmq"]))["RABBITMQ_DEFAULT_USER"],
    ):
        assert user == "fineshyt"


def test_no_two_secrets_are_alike_and_none_needs_quoting() -> None:
    drawn = [
        made_secrets()[name]["stringData"][key]
        for name, key in (("database", "password"), ("broker", "password"), ("broker", "cookie"))
        for _ in range(3)
    ]

    assert len(set(drawn)) == 9
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", secret) for secret in drawn)


def test_secrets_lie_in_their_namespace_and_do_not_change() -> None:
    for secret in [*SECRETS.values(), *made_secrets(NAMESPACE="other").values()]:
        assert secret["immutable"] is True
    assert {secret["metadata"]["namespace"] for secret in SECRETS.values()} == {NAMESPACE}
    assert made_secrets(NAMESPACE="other")["broker"]["stringData"]["AMQP_URL"].endswith("@rabbitmq.other.svc:5672/%2F")


def test_no_password_stands_in_a_manifest() -> None:
    assert not of_kind("Secret", OBJECTS)
    given = {name: value for pod in PODS.values() for c in containers(pod) for name, value in environment(c).items()}
    assert {name for name, value in given.items() if value is not None and re.search("PASS|COOKIE|KEY", name)} == {
        "POSTGRES_PASSWORD_FILE"
    }
    assert not re.search(r"://[^/\s]*:[^/\s]*@", "".join(p.read_text() for p in FOLDER.rglob("*.yaml")))
