"""Every exchange, queue and binding, declared once; pika and aio-pika adapters both read it.

Stage queues are quorum queues with a delivery limit: what kills its worker again and again is dead-lettered to
`dead` (at least once), which the results writer turns into a failure. What cannot be parsed goes to `parked`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Literal

CLAIMS = "fineshyt.claims"
"""Direct exchange; the routing key is the queue's name."""
RESULTS = "fineshyt.results"
"""Direct exchange for results and failures; routing key `results`."""
DEAD = "fineshyt.dead"
"""Fanout exchange: dead letters of the stage queues."""
PARKED = "fineshyt.parked"
"""Fanout exchange: messages that could not be parsed."""
REPORTS = "fineshyt.reports"
"""Fanout exchange, not durable: what consumers say about themselves. Each listener has a queue of its own."""

RESULTS_QUEUE = "results"
DEAD_QUEUE = "dead"
PARKED_QUEUE = "parked"
TEXT_QUEUE = "text.now"
"""Queries, which somebody waits for. On several nodes like every other: a queue that is declared, but whose one node is
away, would keep everybody from starting."""
RETIRED_QUEUES = ("text",)
"""Queues of earlier versions, removed where they are found."""

DELIVERY_LIMIT = 10
TEXT_TTL_MS = 5_000

WORK_STAGES = ("scan", "convert", "curate", "embed", "taste", "bursts")
"""Stages with a queue of their own and a `python -m consumers STAGE` process (besides `text`)."""
NOW_STAGES = ("convert", "curate", "embed")
"""Stages with a second queue, `<stage>.now`, served first, for what a person waits for."""


@dataclass(frozen=True)
class Exchange:
    name: str
    type: Literal["direct", "fanout"]
    durable: bool = True


@dataclass(frozen=True)
class Queue:
    name: str
    durable: bool = True
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Binding:
    exchange: str
    queue: str
    routing_key: str


def now_queue(stage: str) -> str:
    return f"{stage}.now"


def reports_queue(listener: str) -> str:
    """A name for a listener's own queue of reports. Never one that was used before: after a lost connection the broker
    may still keep the older queue."""
    return f"reports.{listener}.{token_hex(3)}"


def queue_for(stage: str, *, urgent: bool) -> str:
    """The queue of a claim. `render` is always urgent and is done by the convert consumers."""
    if stage == "render":
        return now_queue("convert")
    return now_queue(stage) if urgent and stage in NOW_STAGES else stage


def queues_of_consumer(stage: str) -> tuple[str, ...]:
    """The queues that `python -m consumers STAGE` reads, the urgent one first."""
    return (now_queue(stage), stage) if stage in NOW_STAGES else (stage,)


def _work_queue(name: str) -> Queue:
    return Queue(
        name,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )


def _kept_queue(name: str, **arguments: Any) -> Queue:
    return Queue(name, arguments={"x-queue-type": "quorum", **arguments})


EXCHANGES: tuple[Exchange, ...] = (
    Exchange(CLAIMS, "direct"),
    Exchange(RESULTS, "direct"),
    Exchange(DEAD, "fanout"),
    Exchange(PARKED, "fanout"),
    Exchange(REPORTS, "fanout", durable=False),
)

CLAIM_QUEUES: tuple[str, ...] = tuple(name for stage in WORK_STAGES for name in queues_of_consumer(stage))

QUEUES: tuple[Queue, ...] = (
    *(_work_queue(name) for name in CLAIM_QUEUES),
    _kept_queue(RESULTS_QUEUE, **{"x-single-active-consumer": True}),
    _kept_queue(DEAD_QUEUE, **{"x-single-active-consumer": True}),
    _kept_queue(PARKED_QUEUE),
    _kept_queue(TEXT_QUEUE, **{"x-message-ttl": TEXT_TTL_MS}),
)

BINDINGS: tuple[Binding, ...] = (
    *(Binding(CLAIMS, name, name) for name in CLAIM_QUEUES),
    Binding(CLAIMS, TEXT_QUEUE, TEXT_QUEUE),
    Binding(RESULTS, RESULTS_QUEUE, RESULTS_QUEUE),
    Binding(DEAD, DEAD_QUEUE, ""),
    Binding(PARKED, PARKED_QUEUE, ""),
)
