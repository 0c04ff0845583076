"""The one runner of all stages, and the only module that knows pika.

The connection's thread owns every AMQP call and answers heartbeats while work runs in slots of a thread pool. An
answer is published and confirmed by the broker before its claim is acknowledged. Work survives a reconnect: a claim
that comes back while it is still being worked on (or was answered, but not acknowledged) is adopted, not run again
beside its older self.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pika
import psutil
import structlog
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, UnroutableError
from pydantic import BaseModel, ValidationError

from consumers.errors import failure_of
from consumers.in_hand import InHand, Work
from consumers.stage import StageWorker
from consumers.tally import Tally
from contracts import headers, topology
from contracts.claims import ClaimCheck
from contracts.reports import WorkerReport
from contracts.results import Failure, FailureKind, Result
from contracts.settings import Settings

log = structlog.get_logger()
headers.leave_out_unreadable(pika.BasicProperties)

REPORT_EVERY_S = 2.0
HEARTBEAT_S = 30
_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 10.0
_PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")
_LOST = (AMQPError, OSError)


class Runner:
    """Takes claims of one stage until `stop`."""

    def __init__(self, worker: StageWorker, settings: Settings, *, heartbeat_s: int = HEARTBEAT_S) -> None:
        self._worker = worker
        self._settings = settings
        self._heartbeat_s = heartbeat_s
        self._name = _process_name()
        self._pool = ThreadPoolExecutor(worker.slots, thread_name_prefix=worker.name)
        self._in_hand = InHand()
        self._inbox: deque[Callable[[], None]] = deque()
        self._busy = 0
        self._done = 0
        self._tally = Tally()
        self._stop = threading.Event()
        self._connection: Any = None
        self._channel: Any = None
        self._consumers: list[str] = []
        self._next_report = 0.0
        self._process = psutil.Process()

    def stop(self) -> None:
        """Takes no further claims; finishes what runs, within the grace period. Callable from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Blocks until stopped; reconnects for as long as it takes."""
        delay = _FIRST_DELAY_S
        while not self._stop.is_set():
            try:
                self._connect()
                delay = _FIRST_DELAY_S
                self._serve()
            except _LOST as error:
                log.warning("connection_lost", error=f"{type(error).__name__}: {error}", stage=self._worker.name)
                self._forget_channel()
                self._do_steps()
                self._stop.wait(delay)
                delay = min(delay * 2, _LONGEST_DELAY_S)
        self._finish()

    @property
    def unfinished(self) -> int:
        """Slots that still work. After `run` their claims are back in the queue, and nobody waits for them."""
        return self._busy

    # --- connection ---------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        self._connection = connect(self._settings, self._heartbeat_s, self._worker.name)
        self._channel = self._connection.channel()
        declare(self._channel)
        self._channel.confirm_delivery()
        self._channel.add_on_cancel_callback(self._cancelled)
        self._channel.basic_qos(prefetch_count=self._prefetch())
        self._consumers = [
            self._channel.basic_consume(queue, self._take) for queue in topology.queues_of_consumer(self._worker.name)
        ]
        self._report()
        log.info("consumer_ready", stage=self._worker.name, slots=self._worker.slots, prefetch=self._prefetch())

    def _cancelled(self, _method: Any) -> None:
        """The broker ended a consumer of ours: somebody deleted its queue. Connecting anew declares it again."""
        raise ConnectionError("A queue of ours was deleted.")

    def _prefetch(self) -> int:
        """Claims that each queue of ours may have handed out. A stage with a `.now` queue can therefore hold as many
        again that nobody works on yet: an urgent claim that had to wait for an acknowledgement would not be first."""
        return self._settings.prefetch or self._worker.slots * self._worker.batch

    def _forget_channel(self) -> None:
        """Delivery tags die with their channel; the broker hands the claims out again. What runs goes on."""
        with suppress(Exception):
            self._connection.close()
        self._connection = self._channel = None
        self._in_hand.forget_tags()

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._do_steps()
            self._fill_slots()  # between events, so that a batch holds all that came meanwhile
            self._connection.process_data_events(time_limit=0.5)
            self._report_when_due()

    def _finish(self) -> None:
        """The grace period: no new claims, answers still go out, the rest goes back to the queue."""
        self._in_hand.forget_waiting()
        deadline = time.monotonic() + self._settings.grace_s
        try:
            if self._channel is not None:
                for tag in self._consumers:
                    self._channel.basic_cancel(tag)
                while self._busy and time.monotonic() < deadline:
                    self._connection.process_data_events(time_limit=0.1)
                    self._do_steps()
                    self._report_when_due()
                self._do_steps()
                self._report(stopping=True)
                self._connection.close()
        except _LOST as error:
            log.warning("connection_lost_while_stopping", error=str(error))
        finally:
            self._worker.close()
            self._pool.shutdown(wait=False, cancel_futures=True)
        log.info("consumer_stopped", stage=self._worker.name, unfinished=self._busy)

    # --- claims -------------------------------------------------------------------------------------------------------

    def _take(self, channel: BlockingChannel, method: Any, _properties: Any, body: bytes) -> None:
        try:
            claim = ClaimCheck.model_validate_json(body)
            if claim.stage not in (self._worker.name, *(("render",) if self._worker.name == "convert" else ())):
                raise ValueError(f"a claim of stage {claim.stage} in a queue of {self._worker.name}")
        except (ValidationError, ValueError) as error:
            self._park(channel, method, body, error)
            return
        known = self._in_hand.find(claim.claim_id)
        if known is not None:
            self._adopt(known, method.delivery_tag)
            return
        urgent = method.routing_key == topology.now_queue(self._worker.name)
        self._in_hand.add(claim, method.delivery_tag, urgent=urgent)

    def _adopt(self, work: Work, tag: int) -> None:
        """The same claim once more: after a reconnect its new delivery replaces the lost one; a copy is let go."""
        if work.tag is not None:
            self._channel.basic_ack(tag)
            return
        work.tag, work.orphaned = tag, None
        log.info("claim_adopted", claim_id=work.claim.claim_id)
        if work.answer is not None:
            self._hand_over(work)

    def _park(self, channel: BlockingChannel, method: Any, body: bytes, error: Exception) -> None:
        reason = " ".join(str(error).split())[:500]
        log.error("message_parked", stage=self._worker.name, reason=reason, size=len(body))
        told = {"x-parked-reason": reason, "x-parked-from": method.routing_key}
        properties = pika.BasicProperties(delivery_mode=2, headers=told)
        channel.basic_publish(topology.PARKED, "", body, properties, mandatory=True)
        channel.basic_ack(method.delivery_tag)

    def _fill_slots(self) -> None:
        while self._busy < self._worker.slots and not self._stop.is_set():
            claims = self._in_hand.next_batch(self._worker.batch)
            if not claims:
                return
            self._busy += 1
            self._pool.submit(self._work_on, claims)

    # --- in a slot ----------------------------------------------------------------------------------------------------

    def _work_on(self, claims: Sequence[ClaimCheck]) -> None:
        """Runs in a pool thread; everything that touches AMQP is handed to the connection's thread."""
        start = time.monotonic()
        open_claims = {claim.claim_id: claim for claim in claims}
        structlog.contextvars.clear_contextvars()
        if len(claims) == 1:
            only = claims[0]
            structlog.contextvars.bind_contextvars(
                stage=only.stage, claim_id=only.claim_id, photo_id=only.photo_id, attempt=only.attempt
            )
        else:  # whatever the batch logs concerns one of these
            structlog.contextvars.bind_contextvars(
                stage=self._worker.name, claim_ids=[c.claim_id for c in claims], photo_ids=[c.photo_id for c in claims]
            )
        try:
            for claim, outcome in self._worker.run(claims):
                self._answer(claim, outcome, time.monotonic() - start)
                open_claims.pop(claim.claim_id, None)
        except BaseException as error:  # a bug, or the interpreter ending: either way nobody waits for ever
            for claim in open_claims.values():
                self._answer(claim, error, time.monotonic() - start)
        finally:
            self._soon(self._slot_free)

    def _answer(self, claim: ClaimCheck, outcome: BaseModel | BaseException, seconds: float) -> None:
        answer: Result | Failure
        failed: FailureKind | None = None
        if isinstance(outcome, BaseException):
            answer = failure = failure_of(claim, outcome, self._name, seconds)
            failed = failure.failure
            log.warning("claim_failed", stage=claim.stage, claim_id=claim.claim_id, photo_id=claim.photo_id,
                        attempt=claim.attempt, kind=failure.failure, sentence=failure.sentence)  # fmt: skip
        else:
            answer = Result(
                claim_id=claim.claim_id, stage=claim.stage, subject_id=claim.subject_id, photo_id=claim.photo_id,
                generation=claim.generation, attempt=claim.attempt, worker=self._name, seconds=seconds,
                payload=outcome.model_dump(mode="json"),
            )  # fmt: skip
            log.debug("claim_done", stage=claim.stage, claim_id=claim.claim_id, photo_id=claim.photo_id,
                      attempt=claim.attempt, seconds=round(seconds, 3))  # fmt: skip
        body = answer.to_bytes()  # here, so that what cannot be written counts as this claim's bug

        def finished() -> None:
            self._tally.add(claim.stage, seconds, failed)
            work = self._in_hand.find(claim.claim_id)
            if work is not None:
                work.running, work.answer = False, body
                self._hand_over(work)

        self._soon(finished)

    def _soon(self, step: Callable[[], None]) -> None:
        """Has `step` done by the connection's thread; it outlives any connection."""
        self._inbox.append(step)
        connection = self._connection
        if connection is not None:
            with suppress(AMQPError):
                connection.add_callback_threadsafe(_wake)

    def _do_steps(self) -> None:
        while self._inbox:
            self._inbox.popleft()()

    def _slot_free(self) -> None:
        self._busy -= 1

    def _hand_over(self, work: Work) -> None:
        """Publishes, waits for the broker's confirm, acknowledges, forgets."""
        if work.answer is None or work.tag is None or self._channel is None:
            return  # the broker hands the claim out again, and the answer is given then
        try:
            self._publish(work.answer)
        except UnroutableError:
            declare(self._channel)  # somebody removed the queue
            self._publish(work.answer)
        self._channel.basic_ack(work.tag)
        self._in_hand.remove(work)
        self._done += 1

    def _publish(self, body: bytes) -> None:
        """Returns when the broker has it: the channel confirms."""
        self._channel.basic_publish(topology.RESULTS, topology.RESULTS_QUEUE, body, _PERSISTENT, mandatory=True)

    # --- reports ------------------------------------------------------------------------------------------------------

    def _report_when_due(self) -> None:
        if time.monotonic() >= self._next_report:
            self._report()

    def _report(self, *, stopping: bool = False) -> None:
        self._in_hand.forget_orphans()
        self._next_report = time.monotonic() + REPORT_EVERY_S
        report = WorkerReport(
            worker=self._name, stage=self._worker.name, host=socket.gethostname(), pid=os.getpid(),
            slots=self._worker.slots, in_hand=self._in_hand.reported(), encoder=self._worker.encoder,
            memory_mb=self._memory_mb(), done=self._done, stopping=stopping, up_s=self._tally.age_s,
            tallies=self._tally.by_stage(),
        )  # fmt: skip
        self._channel.basic_publish(topology.REPORTS, "", report.to_bytes())

    def _memory_mb(self) -> float:
        total = 0
        with suppress(psutil.Error):
            for process in (self._process, *self._process.children(recursive=True)):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        return total / 1e6


def _process_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def connect(settings: Settings, heartbeat_s: int, stage: str) -> pika.BlockingConnection:
    """A connection to whichever node of `AMQP_URL` answers; the management page shows it by stage and process.

    Raises OSError or AMQPError when none does.
    """
    nodes = []
    for url in settings.amqp_urls:
        node = pika.URLParameters(url)
        node.heartbeat = heartbeat_s
        node.blocked_connection_timeout = None  # an alarm of the broker pauses us, it does not end us
        node.client_properties = {"connection_name": f"{stage} {_process_name()}"}
        nodes.append(node)
    if not nodes:
        raise ConnectionError("AMQP_URL is not set.")
    return pika.BlockingConnection(random.sample(nodes, len(nodes)))


def _wake() -> None:
    """Ends the connection thread's wait."""


def declare(channel: BlockingChannel) -> None:
    """Declares the whole topology; harmless when it is there."""
    for exchange in topology.EXCHANGES:
        channel.exchange_declare(exchange.name, exchange.type, durable=exchange.durable)
    for queue in topology.QUEUES:
        channel.queue_declare(queue.name, durable=queue.durable, arguments=dict(queue.arguments))
    for binding in topology.BINDINGS:
        channel.queue_bind(binding.queue, binding.exchange, binding.routing_key)
