"""The log of failed attempts: filter, page, clear."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from web.context import Db, Json

router = APIRouter(prefix="/logs", tags=["logs"])


class LogQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    worker: str | None = Field(default=None, max_length=50)
    status: Literal["retrying", "failed", "paused", "skipped"] | None = None
    q: str | None = Field(default=None, max_length=200)
    """Part of the file's path or of the reason."""
    minutes: float | None = Field(default=None, gt=0)
    """Only what is younger."""
    before: int | None = None
    limit: int = Field(default=100, ge=1, le=500)


_ROWS = """
SELECT id, at, worker, file, photo_id, reason, status, attempt, max_attempts, detail FROM error_logs
WHERE ($1::text IS NULL OR worker = $1) AND ($2::text IS NULL OR status = $2)
  AND ($3::text IS NULL OR strpos(lower(coalesce(file, '') || ' ' || reason), lower($3)) > 0)
  AND ($4::float8 IS NULL OR at > now() - make_interval(secs => 60 * $4)) AND ($5::bigint IS NULL OR id < $5)
ORDER BY id DESC LIMIT $6
"""


@router.get("")
async def rows(db: Db, query: Annotated[LogQuery, Query()]) -> Json:
    """Newest first."""
    found: list[dict[str, Any]] = [
        dict(row)
        for row in await db.fetch(_ROWS, query.worker, query.status, query.q, query.minutes, query.before, query.limit)
    ]
    following = found[-1]["id"] if len(found) == query.limit else None
    return Json({"items": found, "next_before": following})


@router.get("/count")
async def count(db: Db) -> Json:
    """How many lines clearing the log would forget."""
    return Json({"count": await db.fetchval("SELECT count(*) FROM error_logs")})


@router.delete("")
async def clear(db: Db) -> Json:
    """Forgets the log. What failed stays in the failed lane."""
    gone = await db.execute("DELETE FROM error_logs")
    return Json({"deleted": int(gone.rpartition(" ")[2])})
