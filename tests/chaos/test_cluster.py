"""A RabbitMQ cluster of three nodes: the loss of one loses nothing, and stops nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aio_pika
import httpx
import pytest

from contracts import topology
from contracts.settings import Settings
from tests.chaos.cluster import Cluster
from tests.chaos.photographs import make_photographs
from tests.chaos.stack import Stack
from web.broker import connect
from web.native.rabbitmq import USER

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

PHOTOGRAPHS = 200


@pytest.fixture(scope="module")
def private_servers() -> Iterator[Cluster]:
    """What the stack of these tests runs on."""
    servers = Cluster()
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()


@pytest.fixture
def cluster(private_servers: Cluster) -> Cluster:
    return private_servers


@pytest.mark.parametrize("lost", [0, 1, 2])
async def test_a_node_is_lost_while_photographs_are_in_flight(
    cluster: Cluster, stack: Stack, tmp_path: Path, lost: int
) -> None:
    """Every node in turn, so that the leader of each queue and the node of each connection is lost once."""
    folder = tmp_path / "library"
    paths = make_photographs(folder, PHOTOGRAPHS, seed=100 + lost)
    import_id = await stack.import_folder(folder)

    async def some() -> bool:
        return await stack.ready(import_id) >= 20

    await stack.until(some, 60, "20 photographs ready")
    node = cluster.nodes[lost]
    node.kill()
    try:
        await stack.settle(import_id, len(paths))
        await stack.assert_accounted(import_id, paths)
        assert await stack.count("SELECT count(*) FROM photos WHERE status = 'failed'") == 0
        await _ask_for_a_vector(cluster)
    finally:
        node.start()
        await stack.until(lambda: _on_every_node(cluster), 60, "every queue is on every node again")


async def _ask_for_a_vector(cluster: Cluster) -> None:
    """A query still reaches the queue that the `text` consumers read."""
    async with await connect(Settings(AMQP_URL=cluster.amqp_url)) as broker:
        channel = await broker.channel(on_return_raises=True)
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), topology.TEXT_QUEUE, mandatory=True)
        queue = await channel.get_queue(topology.TEXT_QUEUE, ensure=False)
        await (await queue.get(timeout=5)).ack()


async def _on_every_node(cluster: Cluster) -> bool:
    """Whether each queue has a copy on each node, and each copy runs."""
    nodes = {node.node for node in cluster.nodes}
    node = cluster.nodes[0]
    async with httpx.AsyncClient(auth=(USER, node.password)) as client:
        queues = (await client.get(f"{node.management_page}api/queues")).raise_for_status().json()
    online = {queue["name"]: set(queue.get("online", ())) for queue in queues}
    return all(online.get(queue.name) == nodes for queue in topology.QUEUES)
