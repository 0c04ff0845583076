"""`make compose-test`: RabbitMQ's three nodes as the manifest starts them, in containers, and what becomes of them.

The command, the environment, the user, the configuration, the probe and the secrets are the manifest's own; a network's
aliases stand for the names that Kubernetes gives to pods. One story in order.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from consumers.runner import declare
from contracts import topology
from tests.deploy.kubernetes_file import FOLDER, PODS, WORKLOADS, environment, made_secrets, main_container
from tests.deploy.running import docker, engine_answers, wait_for

pytestmark = [
    pytest.mark.skipif("COMPOSE_TEST" not in os.environ, reason="make compose-test"),
    pytest.mark.timeout(600),
]

NETWORK = "fineshyt-test-nodes"
MESSAGES = 200
POD = main_container(PODS["rabbitmq"])
USER = PODS["rabbitmq"]["spec"]["securityContext"]


class Nodes:
    """Each with a disk of its own, which outlives its container."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.secrets = made_secrets()["broker"]["stringData"]
        secrets = folder / "secrets"
        secrets.mkdir()
        for name in ("password", "cookie"):
            (secrets / name).write_text(self.secrets[name])

    def container(self, number: int) -> str:
        return f"{NETWORK}-{number}"

    def node(self, number: int) -> str:
        return str(environment(POD)["RABBITMQ_NODENAME"]).replace("$(POD)", f"rabbitmq-{number}")

    def disk(self, number: int) -> Path:
        return self._folder / f"disk-{number}"

    def create(self, number: int) -> None:
        disk = self.disk(number)
        disk.mkdir()
        os.chown(disk, USER["runAsUser"], USER["runAsGroup"])
        given = {n: v for n, v in environment(POD).items() if v is not None} | {"RABBITMQ_NODENAME": self.node(number)}
        shell, *script = POD["command"]
        docker(
            "create", "--name", self.container(number), "--hostname", f"rabbitmq-{number}", "--network", NETWORK,
            "--network-alias", self.node(number).partition("@")[2], "--restart", "unless-stopped",
            "--user", f"{USER['runAsUser']}:{USER['runAsGroup']}", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--volume", f"{disk}:/var/lib/rabbitmq",
            "--volume", f"{self._folder / 'secrets'}:/run/fineshyt/broker:ro",
            "--volume", f"{FOLDER / 'rabbitmq.conf'}:/etc/rabbitmq/conf.d/90-fineshyt.conf:ro",
            *(part for name, value in given.items() for part in ("--env", f"{name}={value}")),
            "--entrypoint", shell, POD["image"], *script,
        )  # fmt: skip

    def run(self, number: int, *command: str) -> str:
        return docker("exec", self.container(number), *command)

    def ready(self, number: int) -> bool:
        probe = ["docker", "exec", self.container(number), *POD["readinessProbe"]["exec"]["command"]]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0

    def may_go(self, number: int) -> bool:
        """What is asked before a node is stopped, without the patience."""
        *shell, script = POD["lifecycle"]["preStop"]["exec"]["command"]
        asked = ["docker", "exec", self.container(number), *shell, script.removesuffix(" || true").replace("60", "10")]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def running(self, asked: int) -> set[str]:
        return set(json.loads(self.run(asked, "rabbitmqctl", "cluster_status", "--formatter", "json"))["running_nodes"])

    def members(self, asked: int, queue: str) -> int:
        found = json.loads(self.run(asked, "rabbitmqctl", "list_queues", "name", "members", "--formatter", "json"))
        return next(len(entry["members"]) for entry in found if entry["name"] == queue)

    def channel(self, number: int) -> pika.adapters.blocking_connection.BlockingChannel:
        address = docker(
            "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.container(number)
        )
        parameters = pika.URLParameters(self.secrets["AMQP_URL"])
        parameters.host = address
        return pika.BlockingConnection(parameters).channel()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    assert engine_answers(), "No Docker engine answers. Start it, or set DOCKER_HOST."
    made = Nodes(tmp_path_factory.mktemp("nodes"))
    every = [made.container(number) for number in range(WORKLOADS["rabbitmq"]["spec"]["replicas"])]
    docker("rm", "--force", "--volumes", *every, check=False)
    docker("network", "rm", NETWORK, check=False)
    docker("network", "create", NETWORK)
    yield made
    docker("rm", "--force", "--volumes", *every, check=False)
    docker("network", "rm", NETWORK)


def test_a_node_alone_makes_no_cluster_of_its_own(nodes: Nodes) -> None:
    for number in range(3):
        nodes.create(number)
    docker("start", nodes.container(0))

    with pytest.raises(AssertionError):
        wait_for("it is ready", lambda: nodes.ready(0), 60)


def test_two_make_one_cluster(nodes: Nodes) -> None:
    docker("start", nodes.container(1))

    for number in (0, 1):
        wait_for(f"node {number} is ready", lambda n=number: nodes.ready(n), 180)  # type: ignore[misc]
    assert nodes.running(0) == {nodes.node(0), nodes.node(1)}


def test_the_only_user_has_the_secrets_password(nodes: Nodes) -> None:
    (only,) = json.loads(nodes.run(1, "rabbitmqctl", "list_users", "--formatter", "json"))

    assert only["user"] == "fineshyt"
    nodes.run(0, "rabbitmqctl", "authenticate_user", "fineshyt", nodes.secrets["password"])


def test_queues_that_were_declared_before_a_node_came_grow_onto_it(nodes: Nodes) -> None:
    channel = nodes.channel(0)
    declare(channel)
    channel.connection.close()
    assert nodes.members(0, "convert") == 2

    docker("start", nodes.container(2))

    wait_for("node 2 is ready", lambda: nodes.ready(2), 180)
    assert nodes.running(0) == {nodes.node(number) for number in range(3)}
    for queue in topology.QUEUES:
        wait_for(f"{queue.name} is on three nodes", lambda q=queue.name: nodes.members(0, q) == 3, 180)  # type: ignore[misc]


def test_a_node_may_go_while_the_queues_can_do_without_it(nodes: Nodes) -> None:
    assert nodes.may_go(2)


def test_what_was_confirmed_outlives_a_node(nodes: Nodes) -> None:
    channel = nodes.channel(1)
    channel.confirm_delivery()
    for number in range(MESSAGES):
        channel.basic_publish(
            topology.CLAIMS, "convert", str(number).encode(), pika.BasicProperties(delivery_mode=2), mandatory=True
        )
    channel.connection.close()

    docker("kill", nodes.container(1))

    wait_for("all are there", lambda: _waiting(nodes, 0) == MESSAGES, 60)
    assert not nodes.may_go(2)


def test_a_minority_stops_serving_and_goes_on_when_it_is_none(nodes: Nodes) -> None:
    docker("kill", nodes.container(2))
    wait_for("node 0 pauses", lambda: not nodes.ready(0), 120)

    docker("start", nodes.container(1), nodes.container(2))

    for number in range(3):
        wait_for(f"node {number} is ready", lambda n=number: nodes.ready(n), 180)  # type: ignore[misc]
    wait_for("nothing was lost", lambda: _waiting(nodes, 0) == MESSAGES, 60)


def test_a_node_whose_disk_is_lost_joins_anew(nodes: Nodes) -> None:
    docker("rm", "--force", "--volumes", nodes.container(0))
    shutil.rmtree(nodes.disk(0))
    nodes.run(1, "rabbitmqctl", "forget_cluster_node", nodes.node(0))

    nodes.create(0)
    docker("start", nodes.container(0))

    wait_for("node 0 is ready", lambda: nodes.ready(0), 180)
    assert nodes.running(1) == {nodes.node(number) for number in range(3)}
    wait_for("convert is on three nodes", lambda: nodes.members(1, "convert") == 3, 180)
    assert _waiting(nodes, 0) == MESSAGES


def _waiting(nodes: Nodes, number: int) -> int:
    try:
        channel = nodes.channel(number)
    except pika.exceptions.AMQPError:
        return -1
    try:
        return int(channel.queue_declare("convert", passive=True).method.message_count)
    except pika.exceptions.AMQPError:
        return -1
    finally:
        if channel.connection.is_open:
            channel.connection.close()
