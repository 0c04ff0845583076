"""For whoever runs it: is it alive, is it ready, what does it count."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from web.context import Db, Here, Json
from web.database import Connection
from web.metrics import measure
from web.relay.relay import LEADER_LOCK

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
    """Stages, consumers, photographs and disk in Prometheus' text format (`docs/operations.md`)."""
    measured = await measure(db, here.board, here.settings)
    return Response(generate_latest(measured), media_type=CONTENT_TYPE_LATEST)
