"""What the consumers said last: who is alive, which claims are in hand, what was answered since we began."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from pydantic import ValidationError

from contracts import topology
from contracts.reports import BOUNDS_S, StageTally, WorkerReport

log = structlog.get_logger()
SILENT_AFTER_S = 10.0
"""A consumer reports every two seconds; one that was silent this long is not counted."""


_NOTHING = StageTally()


@dataclass
class Total:
    """Of one stage, all its consumers together, those that ended included. As in `contracts.reports.StageTally`."""

    done: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))

    def add(self, now: StageTally, before: StageTally) -> None:
        self.done += now.done - before.done
        self.seconds += now.seconds - before.seconds
        self.failed.update({kind: n - before.failed.get(kind, 0) for kind, n in now.failed.items()})
        self.within = [t + n - b for t, n, b in zip(self.within, now.within, before.within, strict=True)]


class ReportBoard:
    """The newest report of every consumer. `clock` is monotonic seconds.

    `totals` only grow, from zero when this process begins: what a consumer answered before is not counted.
    """

    def __init__(self, clock: object = time.monotonic) -> None:
        self._clock = clock if callable(clock) else time.monotonic
        self._reports: dict[tuple[str, str], tuple[float, WorkerReport]] = {}
        self._seen_claims: dict[str, float] = {}
        self._began = self._clock()
        self._counted: dict[tuple[str, str], tuple[float, dict[str, StageTally]]] = {}
        self.totals: dict[str, Total] = {}

    def add(self, report: WorkerReport) -> None:
        now = self._clock()
        key = (report.worker, report.stage)
        self._count(key, report, now)
        if report.stopping:
            self._reports.pop(key, None)
        else:
            self._reports[key] = (now, report)
        for claim in report.in_hand:
            self._seen_claims[claim.claim_id] = now

    def _count(self, key: tuple[str, str], report: WorkerReport, now: float) -> None:
        older = report.up_s > now - self._began
        held_up_s, before = self._counted.get(key, (0.0, report.tallies if older else {}))
        if report.up_s < held_up_s:  # the same host and number, another process: containers do that
            before = {}
        for stage, tally in report.tallies.items():
            self.totals.setdefault(stage, Total()).add(tally, before.get(stage, _NOTHING))
        self._counted[key] = report.up_s, report.tallies
        if report.stopping:
            del self._counted[key]

    def workers(self) -> list[WorkerReport]:
        """Reports of consumers that are alive."""
        oldest = self._clock() - SILENT_AFTER_S
        return [report for at, report in self._reports.values() if at >= oldest]

    def running(self) -> Counter[str]:
        """Claims in hand by stage; a `render` in the hands of a convert consumer counts as `render`."""
        return Counter(claim.stage for report in self.workers() for claim in report.in_hand)

    def seen_within(self, claim_ids: Iterable[str], seconds: float) -> set[str]:
        """Those of `claim_ids` that some consumer reported within `seconds`."""
        oldest = self._clock() - seconds
        self._seen_claims = {k: at for k, at in self._seen_claims.items() if at >= self._clock() - 600}
        return {claim for claim in claim_ids if self._seen_claims.get(claim, -1e18) >= oldest}


async def listen(connection: AbstractConnection, board: ReportBoard, listener: str) -> None:
    """Feeds `board` from a queue of this process's own, for as long as the connection lives.

    `listener`: what this process is called in the queue's name, which the management page shows.
    """
    channel = await connection.channel()
    exchange = await channel.declare_exchange(topology.REPORTS, "fanout", durable=False)
    queue = await channel.declare_queue(
        topology.reports_queue(listener), exclusive=True, auto_delete=True, arguments={"x-max-length": 1000}
    )
    await queue.bind(exchange)

    async def take(message: AbstractIncomingMessage) -> None:
        try:
            board.add(WorkerReport.model_validate_json(message.body))
        except ValidationError as error:
            log.warning("report_not_understood", error=str(error))

    await queue.consume(take, no_ack=True)
