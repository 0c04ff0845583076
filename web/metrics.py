"""What Prometheus is told: every stage's depth, age, rate, durations, failures and breaker; consumers; photographs.

Gauges are read from the rows. What grows (answers, failures, durations) comes from the consumers' reports, which every
web process counts for itself from its own start on: Prometheus knows counters that begin again at zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from contracts.base import STAGES
from contracts.reports import BOUNDS_S
from contracts.settings import Settings
from web import counters, disk
from web.database import Connection
from web.progress import tab_counts
from web.reports import ReportBoard, Total
from web.stages import is_paused, oldest_due

_NOTHING = Total()


class _Measured(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


async def measure(connection: Connection, board: ReportBoard, settings: Settings) -> CollectorRegistry:
    """Everything as of now."""
    registry = CollectorRegistry(auto_describe=False)
    found = [*await _archive(connection), *await _stages(connection), *_answers(board), *_workers(board)]
    registry.register(_Measured([*found, *await _keeping(connection, settings)]))
    return registry


def _gauge(name: str, says: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    gauge = GaugeMetricFamily(f"fineshyt_{name}", says, labels=labels)
    for values, n in rows:
        gauge.add_metric(values, n)
    return gauge


async def _archive(connection: Connection) -> list[Metric]:
    counted = await counters.counts(connection)
    photos = {(state,): n for state, n in counted.get("photos", {}).items()}
    jobs = {
        (scope.removeprefix("job:"), status): n
        for scope, states in counted.items()
        if scope.startswith("job:")
        for status, n in states.items()
    }
    tabs = {(tab,): n for tab, n in (await tab_counts(connection)).items()}
    return [
        _gauge("jobs", "Jobs by stage and status; due and queued are its depth.", ("stage", "status"), jobs.items()),
        _gauge("photos", "Photographs by state.", ("state",), photos.items()),
        _gauge("gallery", "Photographs in each tab of the gallery.", ("tab",), tabs.items()),
    ]


async def _stages(connection: Connection) -> list[Metric]:
    rows = await connection.fetch("SELECT * FROM stages")
    now = datetime.now(UTC)
    waiting = await oldest_due(connection)
    ages = {name: max(0.0, (now - waiting[name]).total_seconds()) if name in waiting else 0.0 for name in STAGES}
    failed = await connection.fetch(
        "SELECT stage, coalesce(error ->> 'kind', 'unknown') AS kind, count(*) AS n FROM jobs "
        "WHERE status = 'failed' GROUP BY 1, 2"
    )

    def each(value: Any) -> list[tuple[tuple[str, ...], float]]:
        return [((row["name"],), float(value(row))) for row in rows]

    return [
        _gauge("oldest_due_seconds", "Age of the oldest job that waits for its turn.", ("stage",),
               [((name,), age) for name, age in ages.items()]),
        _gauge("stage_paused", "1 while a stage is paused, by a person or its breaker.", ("stage",), each(is_paused)),
        _gauge("breaker_open", "1 while the breaker of a stage is open.", ("stage",),
               each(lambda row: row["breaker_reason"] is not None)),
        _gauge("breaker_trips", "Probes in a row that found it still unavailable.", ("stage",),
               each(lambda row: row["breaker_trips"])),
        _gauge("failed_jobs", "Jobs that were given up, by the kind of their failure.", ("stage", "failure"),
               [((row["stage"], row["kind"]), row["n"]) for row in failed]),
    ]  # fmt: skip


def _answers(board: ReportBoard) -> list[Metric]:
    done = CounterMetricFamily("fineshyt_claims_done", "Claims that were answered with a result.", labels=["stage"])
    failed = CounterMetricFamily(
        "fineshyt_claims_failed", "Claims that were answered with a failure, by its kind.", labels=["stage", "failure"]
    )
    took = HistogramMetricFamily("fineshyt_claim_seconds", "How long a result took.", labels=["stage"])
    for stage in STAGES:
        total = board.totals.get(stage, _NOTHING)
        done.add_metric([stage], total.done)
        bounds = (*map(str, BOUNDS_S), "+Inf")
        took.add_metric([stage], list(zip(bounds, accumulate(total.within), strict=True)), total.seconds)
        for kind in ("permanent", "transient", "unavailable", "bug"):
            failed.add_metric([stage, kind], total.failed[kind])
    return [done, failed, took]


def _workers(board: ReportBoard) -> list[Metric]:
    workers, running = board.workers(), board.running()
    by_stage = sorted({worker.stage for worker in workers})

    def summed(value: Any) -> list[tuple[tuple[str, ...], float]]:
        return [((stage,), sum(value(w) for w in workers if w.stage == stage)) for stage in by_stage]

    return [
        _gauge("workers", "Consumers that reported lately.", ("stage",), summed(lambda _: 1)),
        _gauge("worker_slots", "Their working slots.", ("stage",), summed(lambda worker: worker.slots)),
        _gauge("claims_in_hand", "Claims that consumers hold.", ("stage",),
               [((stage,), running[stage]) for stage in STAGES]),
        _gauge("worker_memory_bytes", "Memory of a consumer and its children.", ("stage", "worker"),
               [((worker.stage, worker.worker), worker.memory_mb * 1e6) for worker in workers]),
    ]  # fmt: skip


async def _keeping(connection: Connection, settings: Settings) -> list[Metric]:
    free = disk.free_gb(settings.derivatives_dir) * 1e9
    last = await connection.fetchval("SELECT value ->> 'at' FROM preferences WHERE key = 'last_backup'")
    made = [] if last is None else [((), datetime.fromisoformat(last).timestamp())]
    return [
        _gauge("free_disk_bytes", "Free space on the disk of the previews.", (), [((), free)]),
        _gauge("last_backup_timestamp_seconds", "When the last backup was made; absent before the first.", (), made),
    ]
