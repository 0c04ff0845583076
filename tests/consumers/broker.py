"""The other side of the broker, for tests that stand where relay and writer do."""

from __future__ import annotations

import json
import time
import uuid
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pika
from pika.exceptions import ChannelClosedByBroker

from consumers.runner import declare
from contracts import topology
from contracts.base import Stage
from contracts.claims import ClaimCheck
from contracts.results import ANSWER, Failure, Result

PATIENCE_S = 40.0
T = TypeVar("T")


def claim(stage: Stage, subject_id: int = 1, **changes: Any) -> ClaimCheck:
    """A claim with an id of its own."""
    given: dict[str, Any] = {"claim_id": str(uuid.uuid4()), "generation": 1, "attempt": 1, "photo_id": subject_id}
    return ClaimCheck(stage=stage, subject_id=subject_id, **(given | changes))


def until(found: Callable[[], T], what: str, seconds: float = PATIENCE_S) -> T:
    """Polls until `found` gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.03)
    raise AssertionError(f"{what} did not happen within {seconds:g} s")


class Broker:
    """One connection with confirms, and the management API."""

    def __init__(self, amqp_url: str, management_url: str) -> None:
        self._amqp_url, self._management_url = amqp_url, management_url
        self.vhost = amqp_url.rpartition("/")[2]
        self.connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()
        declare(self.channel)
        self._inboxes: dict[str, deque[tuple[Any, bytes]]] = {}

    def close(self) -> None:
        if self.connection.is_open:
            self.connection.close()

    def publish(self, *claims: ClaimCheck, urgent: bool = False) -> None:
        for one in claims:
            self.publish_raw(topology.queue_for(one.stage, urgent=urgent), one.to_bytes())

    def publish_raw(self, queue: str, body: bytes) -> None:
        self.channel.basic_publish(topology.CLAIMS, queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)

    def get(self, queue: str) -> tuple[Any, bytes] | None:
        """The next message of a queue: its properties and body. By a consumer, as the queues with a single one want."""
        if queue not in self._inboxes:
            inbox = self._inboxes[queue] = deque()
            channel = self.connection.channel()
            channel.basic_consume(queue, lambda c, m, p, body: inbox.append((p, body)), auto_ack=True)
        self.connection.process_data_events(0.05)
        return self._inboxes[queue].popleft() if self._inboxes[queue] else None

    def answer(self) -> Result | Failure:
        """The next answer in the results queue."""
        _, body = until(lambda: self.get(topology.RESULTS_QUEUE), "an answer")
        return ANSWER.validate_json(body)

    def answers(self, n: int) -> list[Result | Failure]:
        return [self.answer() for _ in range(n)]

    def no_answer_more(self, seconds: float = 0.5) -> bool:
        """Whether none comes for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.get(topology.RESULTS_QUEUE) is not None:
                return False
        return True

    def waiting(self, queue: str) -> int:
        """Messages that are ready in a queue."""
        return int(self.channel.queue_declare(queue, passive=True).method.message_count)

    def exists(self, queue: str) -> bool:
        channel = self.connection.channel()
        try:
            channel.queue_declare(queue, passive=True)
        except ChannelClosedByBroker:
            return False
        channel.close()
        return True

    def manage(self, method: str, path: str) -> Any:
        parts = urlsplit(self._management_url)
        request = Request(f"http://{parts.hostname}:{parts.port}{path}", method=method)
        token = b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        with urlopen(request, timeout=20) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def close_connections_of(self, stage: str) -> int:
        """As an operator would: through the management API. Returns how many it closed."""
        closed = 0
        for row in self.manage("GET", f"/api/vhosts/{quote(self.vhost, safe='')}/connections"):
            name = row.get("client_properties", {}).get("connection_name", "")
            if name.startswith(f"{stage} "):
                try:
                    self.manage("DELETE", f"/api/connections/{quote(row['name'], safe='')}")
                except HTTPError as error:
                    assert error.code == 404  # gone by itself meanwhile
                closed += 1
        return closed
