"""What whoever runs it sees, of a real stack at work: metrics, the dashboard made of them, one claim in all logs."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.photographs import make_photographs
from tests.chaos.stack import Stack
from web.native.ports import free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
GRAFANA = Path(__file__).resolve().parents[2] / "deploy" / "grafana"


@dataclass
class _Servers:
    database_url: str
    amqp_url: str
    management_url: str

    def restart_postgres(self) -> None: ...
    def restart_rabbitmq(self) -> None: ...


@dataclass(frozen=True)
class Operated:
    """A stack that has converted three photographs and refused one file."""

    stack: Stack
    url: str

    async def metrics(self) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"{self.url}/metrics")).text
        found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
        return found

    def lines(self, process: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stack.logs(process).splitlines() if line.startswith("{")]


@pytest.fixture
async def operated(database_url: str, amqp_url: str, management_url: str, tmp_path: Path) -> AsyncIterator[Operated]:
    port = free_port()
    stack = Stack(
        _Servers(database_url, amqp_url, management_url), tmp_path / "home",
        {"LOG_LEVEL": "debug", "FINESHYT_PORT": str(port), "PIXEL_CAP": "1000000000"},
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    roll = tmp_path / "roll"
    make_photographs(roll, 3, seed=5)
    (roll / "broken.jpg").write_text("no picture")
    try:
        stack.start("web", "web")
        await stack.until(lambda: _answers(url), 60, "the page")
        stack.start("results", "web.results")
        for stage in ("scan", "convert"):
            stack.start(stage, "consumers", stage)
        import_id = await stack.import_folder(roll)

        async def settled() -> bool:
            return await stack.count("SELECT count(*) FROM photos WHERE status <> 'waiting'") == 4

        await stack.until(settled, 90, f"import {import_id}")
        yield Operated(stack, url)
    finally:
        stack.stop_all()


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(f"{url}/readyz")).status_code == 200
        except httpx.TransportError:
            return False


async def test_metrics_dashboard_and_logs_tell_what_happened(operated: Operated) -> None:
    await _metrics_say_what_was_done(operated)
    _the_dashboard_asks_for_nothing_else(await operated.metrics())
    _one_claim_is_followed_from_process_to_process(operated)


async def _metrics_say_what_was_done(operated: Operated) -> None:
    convert = frozenset({("stage", "convert")})

    async def counted() -> bool:
        told = await operated.metrics()
        return told["fineshyt_claims_done_total"][convert] == 3

    await operated.stack.until(counted, 20, "a report of what was done")
    told = await operated.metrics()
    refused = frozenset({("stage", "convert"), ("failure", "permanent")})
    assert told["fineshyt_claims_failed_total"][refused] == 1
    assert told["fineshyt_failed_jobs"][refused] == 1
    assert told["fineshyt_claim_seconds_count"][convert] == 3
    assert told["fineshyt_claim_seconds_bucket"][convert | {("le", "+Inf")}] == 3
    assert 0 < told["fineshyt_claim_seconds_sum"][convert] < 60
    assert told["fineshyt_jobs"][frozenset({("stage", "embed"), ("status", "queued")})] == 3
    assert told["fineshyt_workers"][convert] == 1
    assert told["fineshyt_free_disk_bytes"][frozenset()] > 0
    assert "fineshyt_last_backup_timestamp_seconds" not in told


def _the_dashboard_asks_for_nothing_else(told: dict[str, Any]) -> None:
    dashboard = json.loads((GRAFANA / "fineshyt.json").read_text())
    asked = {target["expr"] for panel in dashboard["panels"] for target in panel["targets"]}
    asked.add((GRAFANA / "alerts.yml").read_text())
    named = {name for expression in asked for name in re.findall(r"\bfineshyt_\w+", expression)}

    assert len(named) > 10
    assert named - told.keys() == {"fineshyt_last_backup_timestamp_seconds"}, "which comes with the first backup"


def _one_claim_is_followed_from_process_to_process(operated: Operated) -> None:
    failed = next(line for line in operated.lines("convert") if line["event"] == "claim_failed")
    claim = failed["claim_id"]
    told = {
        line["event"]: line
        for process in ("results", "convert")
        for line in operated.lines(process)
        if line.get("claim_id") == claim
    }

    assert told.keys() == {"claim_published", "claim_failed", "answer_applied"}
    assert len({line["photo_id"] for line in told.values()}) == 1 and failed["photo_id"]
    assert {(line["stage"], line["attempt"]) for line in told.values()} == {("convert", 1)}
    assert told["answer_applied"]["counted"] is True
    done = [line["claim_id"] for line in operated.lines("convert") if line["event"] == "claim_done"]
    applied = [line["claim_id"] for line in operated.lines("results") if line["event"] == "answer_applied"]
    assert len(done) == 3 and set(done) <= set(applied)
