"""The results writer: drains the results queue in batches, commits, then acknowledges.

The broker gives the queue to one consumer at a time (single active consumer), so a second process is a hot standby.
Deliveries of a connection that was lost are forgotten here: the broker hands them out again. While Postgres is away
nothing is acknowledged and nothing is handed back; the batch waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
import pika
import structlog
from pydantic import ValidationError

from contracts import topology
from contracts.claims import ClaimCheck
from contracts.results import ANSWER, ErrorEnvelope, Failure, Result
from contracts.settings import Settings
from web.broker import connect as connect_broker
from web.bulk import BulkChannel, Delivered
from web.database import Connection, connect
from web.derivatives import remove_derivative
from web.relay.broker import declare
from web.results.applied import Applied
from web.results.batch import apply_batch
from web.scoring import KeptAffinity
from web.waiting import happens_within

log = structlog.get_logger()

BATCH = 500
LINGER_S = 0.05
"""How long a batch waits for more answers."""
_PREFETCH = 2 * BATCH
_DATABASE_AWAY = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError, TimeoutError,
                  asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError)  # fmt: skip
# aiormq, which declares the queues, says RuntimeError of a channel that was closed, and cancels what waits on one.
_BROKER_AWAY = (OSError, aio_pika.exceptions.AMQPError, pika.exceptions.AMQPError, RuntimeError, asyncio.CancelledError)
_TRY_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


@dataclass(frozen=True)
class Delivery:
    message: Delivered
    answer: Result | Failure


@dataclass(frozen=True)
class Unreadable:
    message: Delivered
    reason: str


class Writer:
    """Consumes until `stop`."""

    def __init__(self, settings: Settings, stop: asyncio.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._database: Connection | None = None
        self._affinity = KeptAffinity()

    async def run(self) -> None:
        delay = 0.5
        while not self._stop.is_set():
            try:
                await _declare(self._settings)
                channel = await BulkChannel.open(*self._settings.amqp_urls, prefetch=_PREFETCH)
                try:
                    delay = 0.5
                    await self._consume(channel)
                finally:
                    await channel.close()
            except _BROKER_AWAY as error:
                if isinstance(error, asyncio.CancelledError) and self._stop.is_set():
                    raise
                log.warning("writer_lost_broker", error=f"{type(error).__name__}: {error}")
                await self._sleep(delay)
                delay = min(delay * 2, 10.0)
        if self._database is not None:
            await self._database.close()

    async def _sleep(self, seconds: float) -> None:
        await happens_within(self._stop, seconds)

    async def _consume(self, channel: BulkChannel) -> None:
        inbox: asyncio.Queue[Delivery | Unreadable | None] = asyncio.Queue()
        channel.when_lost(lambda: inbox.put_nowait(None))
        for name in (topology.RESULTS_QUEUE, topology.DEAD_QUEUE):
            # Read on arrival: the next batch is parsed while Postgres works on this one.
            channel.consume(name, lambda message: inbox.put_nowait(_read(message)))
        log.info("writer_consumes")
        while not self._stop.is_set():
            batch = await self._collect(inbox)
            if batch is None:
                raise ConnectionError("The connection to RabbitMQ was closed.")
            if batch:
                await self._take(channel, batch)

    async def _collect(self, inbox: asyncio.Queue[Delivery | Unreadable | None]) -> list[Delivery | Unreadable] | None:
        """A full batch, or what came within the linger; None when the connection is gone."""
        batch: list[Delivery | Unreadable] = []
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 1.0
        while len(batch) < BATCH:
            try:
                if inbox.empty():
                    message = await asyncio.wait_for(inbox.get(), max(0.0, deadline - loop.time()))
                else:
                    message = inbox.get_nowait()
            except TimeoutError:
                break
            if message is None:
                return None
            if not batch:
                deadline = loop.time() + LINGER_S
            batch.append(message)
        return batch

    async def _take(self, channel: BulkChannel, batch: Sequence[Delivery | Unreadable]) -> None:
        for item in batch:
            if isinstance(item, Unreadable):
                await park(channel, item.message, item.reason)
        await self._apply(channel, [item for item in batch if isinstance(item, Delivery)])
        # Everything delivered up to the last of the batch is in it: one acknowledgement for all.
        channel.acknowledge(batch[-1].message.tag)

    async def _apply(self, channel: BulkChannel, deliveries: Sequence[Delivery]) -> None:
        """One transaction; if an answer in it breaks, one by one, and the broken one is parked."""
        if not deliveries:
            return
        try:
            applied = await self._commit([d.answer for d in deliveries])
        except Exception as error:
            if len(deliveries) == 1:
                await self._give_up(channel, deliveries[0], error)
                return
            log.warning("batch_taken_apart", error=f"{type(error).__name__}: {error}", answers=len(deliveries))
            for delivery in deliveries:
                await self._apply(channel, [delivery])
            return
        for path in applied.unlink_after:
            await asyncio.to_thread(_remove, path)
        bound = log.bind()  # the lazy logger would be bound anew for each answer
        for delivery in deliveries:
            bound.debug("answer_applied", **_about(delivery), counted=delivery.answer.claim_id in applied.taken)
        log.debug("batch_applied", answers=len(deliveries), dropped=applied.dropped)

    async def _commit(self, answers: Sequence[Result | Failure]) -> Applied:
        """Applies until it is committed; waits for as long as Postgres is away."""
        delay = 0.2
        while True:
            try:
                if self._database is None or self._database.is_closed():
                    self._database = await connect(self._settings.database_url.get_secret_value())
                return await apply_batch(self._database, self._settings, answers, self._affinity)
            except _TRY_AGAIN:
                continue
            except _DATABASE_AWAY as error:
                log.warning("writer_waits_for_database", error=f"{type(error).__name__}: {error}")
                if self._database is not None:
                    self._database.terminate()
                    self._database = None
                if self._stop.is_set():
                    raise asyncio.CancelledError from error
                await self._sleep(delay)
                delay = min(delay * 2, 5.0)

    async def _give_up(self, channel: BulkChannel, delivery: Delivery, error: Exception) -> None:
        """An answer that cannot be applied: parked, and its job fails with a reason instead of waiting for ever."""
        log.exception("answer_not_applied", **_about(delivery), subject_id=delivery.answer.subject_id)
        await park(channel, delivery.message, f"not applied: {type(error).__name__}: {error}")
        failure = _not_applied(delivery.answer, error)
        try:
            await self._commit([failure])
        except Exception:
            log.exception("failure_not_applied", **_about(delivery), subject_id=failure.subject_id)


def _about(delivery: Delivery) -> dict[str, Any]:
    """What a log line says of an answer, so that its claim can be followed from process to process."""
    answer = delivery.answer
    return {
        "stage": answer.stage, "claim_id": answer.claim_id, "photo_id": answer.photo_id, "kind": answer.kind,
        "attempt": answer.attempt,
    }  # fmt: skip


async def _declare(settings: Settings) -> None:
    broker = await connect_broker(settings)
    async with broker:
        await declare(await broker.channel())


def _read(message: Delivered) -> Delivery | Unreadable:
    """What cannot be understood is parked with its reason, and blocks nothing."""
    try:
        dead = message.queue == topology.DEAD_QUEUE
        delivery = Delivery(message, _poisoned(message) if dead else ANSWER.validate_json(message.body))
    except ValidationError as error:
        return Unreadable(message, f"not understood: {error.errors(include_input=False)[:3]}")
    if isinstance(delivery.answer, Result):
        with suppress(ValidationError):  # then applying it fails, and its job with it
            _ = delivery.answer.typed
    return delivery


def _remove(path: Path) -> None:
    """What cannot be removed takes space and does no other harm."""
    with suppress(OSError):
        remove_derivative(path)


async def park(channel: BulkChannel, message: Delivered, reason: str) -> None:
    """Copies a message to `parked` with the reason in a header."""
    log.error("message_parked", reason=reason, size=len(message.body))
    properties = pika.BasicProperties(
        delivery_mode=pika.DeliveryMode.Persistent.value,
        headers={"x-parked-reason": reason[:1000], "x-parked-from": message.routing_key},
    )
    await channel.publish(topology.PARKED, [("", message.body, properties)])


def _poisoned(message: Delivered) -> Failure:
    """A dead letter: a claim that its workers never survived, or could not take."""
    claim = ClaimCheck.model_validate_json(message.body)
    name = (claim.file_path or "This piece of work").rpartition("/")[2]
    return Failure(
        claim_id=claim.claim_id, stage=claim.stage, subject_id=claim.subject_id, photo_id=claim.photo_id,
        generation=claim.generation, attempt=claim.attempt, worker="dead-letters", failure="poison",
        sentence=f"{name} stopped its worker {topology.DELIVERY_LIMIT} times in a row and was set aside. "
        "Look at the file with another program, then press Retry.",
        error=ErrorEnvelope(op=claim.stage, error_type="Poison", message="delivery limit reached",
                            context={"file_path": claim.file_path}),
    )  # fmt: skip


def _not_applied(answer: Result | Failure, error: Exception) -> Failure:
    """In our own words, which can be stored. A failure counts as what it was, so that what may pass is tried again."""
    kept = answer.model_dump(include={"claim_id", "stage", "subject_id", "photo_id", "generation", "attempt"})
    return Failure(
        **kept,
        worker="writer",
        failure=answer.failure if isinstance(answer, Failure) else "permanent",
        sentence="The answer of this stage could not be stored. This is our mistake; please report it with the log.",
        error=ErrorEnvelope(op=answer.stage, error_type=type(error).__name__, message=str(error)[:500]),
    )
