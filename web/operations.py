"""For whoever runs it: is it alive, is it ready, what does it count."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from web import counters
from web.context import Db, Here, Json
from web.database import Connection
from web.progress import tab_counts
from web.relay.relay import LEADER_LOCK
from web.reports import ReportBoard
from web.stages import is_paused

router = APIRouter(tags=["operations"])


@functools.cache
def newest_revision() -> str | None:
    """The migration that this code was written for."""
    return ScriptDirectory(str(Path(__file__).parent / "migrations")).get_current_head()


@router.get("/healthz")
async def healthz() -> Json:
    """This process answers."""
    return Json({"status": "ok"})


@router.get("/readyz")
async def readyz(here: Here) -> Json:
    """200 when the pages can be served: the database answers and has this version's shape."""
    state: dict[str, Any] = {"database": False, "migrated": False, "writer": False}
    try:
        async with here.pool.acquire(timeout=5) as connection:
            state |= await _look(connection)
    except Exception as error:
        state["reason"] = f"The database cannot be reached: {type(error).__name__}."
    ready = bool(state["database"] and state["migrated"])
    return Json(state | {"ready": ready, "broker": here.text_tower.attached}, 200 if ready else 503)


async def _look(connection: Connection) -> dict[str, Any]:
    made = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
    revision = await connection.fetchval("SELECT version_num FROM alembic_version") if made else None
    writer = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND granted AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database()))",
        LEADER_LOCK,
    )
    return {"database": True, "migrated": revision == newest_revision(), "writer": writer}


@router.get("/metrics")
async def metrics(db: Db, here: Here) -> Response:
    """Counters in Prometheus' text format."""
    registry = CollectorRegistry()
    await _count(db, here.board, registry)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _count(connection: Connection, board: ReportBoard, registry: CollectorRegistry) -> None:
    jobs = Gauge("fineshyt_jobs", "Jobs by stage and status.", ["stage", "status"], registry=registry)
    photos = Gauge("fineshyt_photos", "Photographs by state.", ["state"], registry=registry)
    tabs = Gauge("fineshyt_gallery", "Photographs in each tab of the gallery.", ["tab"], registry=registry)
    paused = Gauge("fineshyt_stage_paused", "1 while a stage is paused.", ["stage"], registry=registry)
    for scope, counted in (await counters.counts(connection)).items():
        for key, n in counted.items():
            if scope.startswith("job:"):
                jobs.labels(scope.removeprefix("job:"), key).set(n)
            elif scope == "photos":
                photos.labels(key).set(n)
    for tab, n in (await tab_counts(connection)).items():
        tabs.labels(tab).set(n)
    for row in await connection.fetch("SELECT name, person_paused, breaker_reason FROM stages"):
        paused.labels(row["name"]).set(int(is_paused(row)))
    _count_workers(board, registry)


def _count_workers(board: ReportBoard, registry: CollectorRegistry) -> None:
    workers = Gauge("fineshyt_workers", "Consumers that reported lately.", ["stage"], registry=registry)
    slots = Gauge("fineshyt_worker_slots", "Their working slots.", ["stage"], registry=registry)
    hand = Gauge("fineshyt_claims_in_hand", "Claims that consumers hold.", ["stage"], registry=registry)
    memory = Gauge("fineshyt_worker_memory_bytes", "Memory of a consumer.", ["stage", "worker"], registry=registry)
    for report in board.workers():
        workers.labels(report.stage).inc()
        slots.labels(report.stage).inc(report.slots)
        memory.labels(report.stage, report.worker).set(report.memory_mb * 1e6)
    for stage, n in board.running().items():
        hand.labels(stage).set(n)
