"""The runner against a real RabbitMQ."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pika
import pytest

from consumers.runner import Runner
from contracts import topology
from contracts.reports import WorkerReport
from contracts.results import Failure, Result
from tests.consumers.broker import Broker, claim, until
from tests.consumers.conftest import Start
from tests.consumers.workers import Gated

pytestmark = pytest.mark.integration
REPOSITORY = Path(__file__).resolve().parents[2]


def open_gated(*args: Any, **options: Any) -> Gated:
    worker = Gated(*args, **options)
    worker.gate.set()
    return worker


def test_a_claim_is_answered_and_acknowledged(broker: Broker, start: Start) -> None:
    given = claim("convert", 7, generation=3, attempt=2)
    broker.publish(given)
    start(open_gated())
    answer = broker.answer()
    assert isinstance(answer, Result)
    assert (answer.claim_id, answer.generation, answer.attempt) == (given.claim_id, 3, 2)
    assert answer.payload == {"width": 3, "height": 2, "tiled": False}
    assert broker.waiting("convert") == 0


def test_an_answer_is_confirmed_before_its_claim_is_acknowledged(
    broker: Broker, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the broker refuses to keep costs nothing: its claim is there still, and is answered when it can be."""
    refused = threading.Event()
    publish = Runner._publish

    def refuse_once(self: Runner, body: bytes) -> None:
        if not refused.is_set():
            refused.set()
            raise pika.exceptions.NackError([])
        publish(self, body)

    monkeypatch.setattr(Runner, "_publish", refuse_once)
    given = claim("convert")
    broker.publish(given)
    worker = open_gated()
    start(worker)
    assert broker.answer().claim_id == given.claim_id
    assert refused.is_set()
    assert worker.taken == [[1]]  # the answer was kept; the work was not done again
    assert broker.no_answer_more()
    assert broker.waiting("convert") == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no message at all", "JSON"),
        (claim("convert").to_bytes().replace(b'"v":1', b'"v":2'), "v"),
        (claim("convert").to_bytes().replace(b'"attempt":1', b'"attempt":0'), "attempt"),
        (claim("embed").to_bytes(), "embed"),
        (b'{"v":1,"stage":"convert","surprise":true}', "surprise"),
        (b"\xff\xfe\x00", "JSON"),
    ],
)
def test_what_cannot_be_understood_is_parked_with_its_reason_and_blocks_nothing(
    broker: Broker, start: Start, body: bytes, words: str
) -> None:
    broker.publish_raw("convert", body)
    good = claim("convert")
    broker.publish(good)
    start(open_gated())
    assert broker.answer().claim_id == good.claim_id
    properties, parked = until(lambda: broker.get(topology.PARKED_QUEUE), "the message is parked")
    assert parked == body
    assert words in properties.headers["x-parked-reason"]
    assert properties.headers["x-parked-from"] == "convert"
    assert broker.waiting("convert") == 0


def test_a_header_that_cannot_be_read_costs_nothing(
    broker: Broker, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time after the year 9999 ends a consumer of pika alone, and so every consumer that the claim comes to next."""
    odd, good = claim("convert", 1), claim("convert", 2)
    with monkeypatch.context() as patched:
        patched.setattr("pika.data.calendar.timegm", lambda _: 2**62)
        properties = pika.BasicProperties(delivery_mode=2, headers={"odd": datetime.now(UTC)})
        broker.channel.basic_publish(topology.CLAIMS, "convert", odd.to_bytes(), properties, mandatory=True)
    broker.publish(good)
    start(open_gated())
    assert sorted(answer.subject_id for answer in broker.answers(2)) == [1, 2]


def test_renderings_are_done_by_convert(broker: Broker, start: Start) -> None:
    broker.publish(claim("render"))
    start(open_gated())
    assert broker.answer().stage == "render"


def test_what_a_person_waits_for_is_served_first(broker: Broker, start: Start) -> None:
    worker = Gated()
    broker.publish(claim("convert", 1), claim("convert", 2))
    start(worker)
    until(lambda: worker.taken, "the first claim is worked on")
    broker.publish(claim("convert", 9), urgent=True)
    until(lambda: broker.waiting("convert.now") == 0, "the urgent claim was delivered")
    time.sleep(0.3)
    worker.gate.set()
    assert [answer.subject_id for answer in broker.answers(3)] == [1, 9, 2]


@pytest.mark.parametrize(("slots", "batch"), [(1, 1), (2, 1), (2, 4)])
def test_a_consumer_holds_one_claim_a_slot_or_one_batch(broker: Broker, start: Start, slots: int, batch: int) -> None:
    """So that a crash is charged to nobody who was not being worked on."""
    worker = Gated("embed", slots=slots, batch=batch)
    broker.publish(*(claim("embed", n) for n in range(20)))
    start(worker)
    until(lambda: broker.waiting("embed") == 20 - slots * batch, "the consumer is full")
    time.sleep(0.5)
    assert broker.waiting("embed") == 20 - slots * batch
    worker.gate.set()
    assert sorted(answer.subject_id for answer in broker.answers(20)) == list(range(20))
    assert max(len(taken) for taken in worker.taken) <= batch


def test_a_batch_holds_what_waits(broker: Broker, start: Start) -> None:
    worker = Gated("embed", slots=1, batch=8)
    broker.publish(*(claim("embed", n) for n in range(40)))
    start(worker)
    until(lambda: broker.waiting("embed") == 32, "the consumer is full")
    worker.gate.set()
    broker.answers(40)
    assert len(worker.taken) <= 12  # 5 full ones, and what trickles in between; one by one it would be 40


def test_a_claim_that_comes_back_is_adopted_and_not_run_beside_its_older_self(broker: Broker, start: Start) -> None:
    worker = Gated()
    given = claim("convert", 5)
    broker.publish(given)
    start(worker)
    until(lambda: worker.taken, "the claim is worked on")
    until(lambda: broker.close_connections_of("convert"), "the connection was closed")
    reports = Reports(broker)
    until(lambda: reports.newest() and reports.newest().in_hand, "the consumer is back, and the claim with it")
    worker.gate.set()
    assert broker.answer().claim_id == given.claim_id
    until(lambda: not reports.newest().in_hand, "the claim is acknowledged")
    assert worker.taken == [[5]]
    assert broker.waiting("convert") == 0
    assert broker.no_answer_more()


def test_work_that_ends_while_the_broker_is_away_is_answered_when_it_is_back(broker: Broker, start: Start) -> None:
    worker = Gated()
    given = claim("convert", 5)
    broker.publish(given)
    start(worker)
    until(lambda: worker.taken, "the claim is worked on")
    until(lambda: broker.close_connections_of("convert"), "the connection was closed")
    worker.gate.set()
    assert broker.answer().claim_id == given.claim_id
    assert worker.taken == [[5]]


def test_heartbeats_are_answered_while_a_job_blocks(broker: Broker, start: Start) -> None:
    """The broker closes a connection that misses two heartbeats."""
    worker = Gated()
    broker.publish(claim("convert", 1))
    start(worker, heartbeat_s=2)
    until(lambda: worker.taken, "the claim is worked on")
    time.sleep(6)
    worker.gate.set()
    broker.answer()
    assert worker.taken == [[1]]
    broker.publish(claim("convert", 2))
    assert broker.answer().subject_id == 2
    assert broker.waiting("convert") == 0


def test_a_bug_becomes_a_failure_with_its_traceback_out_of_sight(broker: Broker, start: Start) -> None:
    broker.publish(claim("convert", 1, file_path="/photos/IMG_1.CR2"), claim("convert", 2))
    start(open_gated(outcome=KeyError("no such thing")))
    first, second = broker.answers(2)
    assert isinstance(first, Failure)
    assert isinstance(second, Failure)
    assert first.failure == "bug"
    assert first.sentence.startswith("IMG_1.CR2 ")
    assert "Traceback" not in first.sentence
    assert "no such thing" in first.error.context["traceback"]
    assert "workers.py" in first.error.context["traceback"]


def test_the_results_queue_is_declared_again_when_somebody_removed_it(broker: Broker, start: Start) -> None:
    worker = Gated()
    given = claim("convert")
    broker.publish(given)
    start(worker)
    until(lambda: worker.taken, "the claim is worked on")
    broker.channel.queue_delete(topology.RESULTS_QUEUE)
    worker.gate.set()
    until(lambda: broker.exists(topology.RESULTS_QUEUE), "the queue is there again")
    assert broker.answer().claim_id == given.claim_id


def test_a_work_queue_that_somebody_removed_is_declared_and_read_again(broker: Broker, start: Start) -> None:
    start(open_gated())
    broker.publish(claim("convert", 1))
    broker.answer()
    broker.channel.queue_delete("convert")
    until(lambda: _published(broker), "the queue is there again")
    assert broker.answer().subject_id == 2


def _published(broker: Broker) -> bool:
    try:
        broker.publish(claim("convert", 2))
    except pika.exceptions.UnroutableError:
        return False
    return True


class Reports:
    """What the consumers say about themselves, from now on."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._queue = broker.channel.queue_declare("", exclusive=True).method.queue
        broker.channel.queue_bind(self._queue, topology.REPORTS)
        self.all: list[WorkerReport] = []

    def read(self) -> list[WorkerReport]:
        while (found := self._broker.get(self._queue)) is not None:
            self.all.append(WorkerReport.model_validate_json(found[1]))
        return self.all

    def newest(self) -> WorkerReport | None:
        read = self.read()
        return read[-1] if read else None


def test_reports_tell_what_is_in_hand_and_that_the_consumer_stops(broker: Broker, start: Start) -> None:
    reports = Reports(broker)
    worker = Gated("embed", slots=1, batch=2)
    given = [claim("embed", n) for n in range(2)]
    broker.publish(*given)
    runner = start(worker)
    held = until(lambda: next((r for r in reports.read() if len(r.in_hand) == 2), None), "both claims in a report")
    assert {c.claim_id for c in held.in_hand} == {c.claim_id for c in given}
    assert (held.stage, held.slots, held.encoder, held.pid) == ("embed", 1, "an-encoder", os.getpid())
    assert held.memory_mb > 1
    assert not held.stopping
    worker.gate.set()
    broker.answers(2)
    done = until(lambda: next((r for r in reports.read() if r.done == 2), None), "a report of work that is done")
    assert done.in_hand == ()
    runner.stop()
    until(lambda: reports.read()[-1].stopping, "a last report")
    assert sum(r.stopping for r in reports.all) == 1
    assert worker.closed


def test_stopping_finishes_what_runs_and_leaves_the_rest(broker: Broker, start: Start) -> None:
    worker = Gated()
    broker.publish(*(claim("convert", n) for n in range(3)))
    runner = start(worker)
    until(lambda: worker.taken, "the first claim is worked on")
    runner.stop()
    time.sleep(0.8)
    worker.gate.set()
    assert broker.answer().subject_id == 0
    until(lambda: broker.waiting("convert") == 2, "the rest is back in the queue")
    assert broker.no_answer_more()
    assert worker.taken == [[0]]


@contextmanager
def _process(amqp_url: str, seconds: float, grace_s: float = 30) -> Iterator[subprocess.Popen[bytes]]:
    """A consumer whose every job takes `seconds`, once its first has begun."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.consumers.workers", str(seconds)],
        cwd=REPOSITORY,
        env=os.environ | {"AMQP_URL": amqp_url, "SHUTDOWN_GRACE_SECONDS": str(grace_s), "LOG_FORMAT": "json"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            yield process
        finally:
            process.kill()


def test_sigterm_lets_the_running_job_finish(broker: Broker, amqp_url: str) -> None:
    broker.publish(claim("convert", 1), claim("convert", 2))
    with _process(amqp_url, seconds=2) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert broker.answer().subject_id == 1
    assert broker.no_answer_more()
    assert broker.waiting("convert") == 1


def test_a_job_that_outlasts_the_grace_goes_back_to_the_queue(broker: Broker, amqp_url: str) -> None:
    broker.publish(claim("convert", 1))
    with _process(amqp_url, seconds=120, grace_s=1) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    until(lambda: broker.waiting("convert") == 1, "the claim is back")
    assert broker.no_answer_more()


def test_a_claim_that_kills_its_worker_again_and_again_is_set_aside(broker: Broker, amqp_url: str) -> None:
    """Taken and dropped by channels that die, until the delivery limit; then it lies in `dead`, once."""
    given = claim("convert", 5)
    broker.publish(given)
    taken, dead = 0, None
    while taken < topology.DELIVERY_LIMIT + 5:
        connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
        channel = connection.channel()
        method, _, _ = channel.basic_get("convert")
        connection.close()
        if method is not None:
            taken += 1
        elif (dead := broker.get(topology.DEAD_QUEUE)) is not None:
            break
        else:
            time.sleep(0.05)
    assert dead is not None
    _, body = dead
    assert body == given.to_bytes()
    assert topology.DELIVERY_LIMIT <= taken <= topology.DELIVERY_LIMIT + 1
    assert broker.waiting("convert") == 0
    assert broker.get(topology.DEAD_QUEUE) is None


def test_the_same_claim_twice_is_worked_on_once_while_it_is_in_hand(broker: Broker, start: Start) -> None:
    worker = Gated(slots=2)
    given = claim("convert", 5)
    broker.publish(given, given)
    start(worker)
    until(lambda: worker.taken, "the claim is worked on")
    until(lambda: broker.waiting("convert") == 0, "both copies were delivered")
    time.sleep(0.3)
    worker.gate.set()
    broker.answer()
    assert worker.taken == [[5]]


def test_no_thread_is_left_behind(broker: Broker, start: Start) -> None:
    before = threading.active_count()
    runner = start(open_gated())
    broker.publish(claim("convert"))
    broker.answer()
    runner.stop()
    until(lambda: threading.active_count() <= before, "the threads are gone")
