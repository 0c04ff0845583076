"""The state of the whole, as `fineshyt status --json` prints it (BEHAVIOUR.md, section 12)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from contracts.base import STAGES
from web import counters, imports, scoring
from web.database import Connection
from web.encoders import active_encoder
from web.stages import is_paused, next_probe, oldest_due, pause_reason, paused_by


async def status(connection: Connection, running: Mapping[str, int]) -> dict[str, Any]:
    """`running`: claims in the consumers' hands by stage, from their reports."""
    counted = await counters.counts(connection)
    rows = {row["name"]: row for row in await connection.fetch("SELECT * FROM stages")}
    waiting = await oldest_due(connection)
    return {
        "photos": await _photos(counted),
        "stages": {
            name: _stage(name, counted, rows[name], running.get(name, 0)) | {"oldest_due": _iso(waiting.get(name))}
            for name in STAGES
        },
        "imports": await imports.recent_imports(connection),
        "encoder": await _encoder(connection),
        "taste": await _taste(connection),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


async def _photos(counted: dict[str, dict[str, int]]) -> dict[str, int]:
    photos, tabs = counted.get("photos", {}), counted.get("tab", {})
    return {
        "total": photos.get("ready", 0) + photos.get("failed", 0) + photos.get("waiting", 0),
        "ready": photos.get("ready", 0),
        "failed": tabs.get("failed", 0),
        "rejected": tabs.get("rejected", 0),
        "waiting": photos.get("waiting", 0),
        "discarded": photos.get("discarded", 0),
    }


def _stage(name: str, counted: dict[str, dict[str, int]], row: Any, running: int) -> dict[str, Any]:
    jobs = counted.get(f"job:{name}", {})
    queued = jobs.get("queued", 0)
    in_hand = min(running, queued)
    return {
        "due": jobs.get("due", 0),
        "queued": queued - in_hand,
        "running": in_hand,
        "done": jobs.get("done", 0),
        "failed": jobs.get("failed", 0),
        "paused": is_paused(row),
        "reason": pause_reason(row),
        "paused_by": paused_by(row),
        "until": next_probe(row),
    }


async def _encoder(connection: Connection) -> dict[str, Any] | None:
    encoder = await active_encoder(connection)
    if encoder is None:
        return None
    building = await connection.fetchval("SELECT name FROM encoders WHERE status = 'building' ORDER BY id DESC LIMIT 1")
    return {"name": encoder.name, "dim": encoder.dim, "building": building}


async def _taste(connection: Connection) -> dict[str, Any]:
    ratings = await connection.fetchval("SELECT count(*) FROM decisions WHERE rating IS NOT NULL")
    row = await connection.fetchrow(
        f"""SELECT m.version, m.n_ratings, m.tentative, m.cv_rank_correlation, m.cv_ungrouped, m.chance, m.curve,
                   m.judged_ratings, m.scored_at, m.created_at {scoring.IN_FORCE}"""
    )
    model = None
    if row is not None:
        model = dict(row) | {
            "scored_at": row["scored_at"].isoformat() if row["scored_at"] else None,
            "created_at": row["created_at"].isoformat(),
        }
    return {"ratings": ratings, "model": model}
