"""What a search for bursts would find with other parameters: the same stage, whose groups are counted and not kept."""

from __future__ import annotations

from typing import Any

from contracts.results import BurstsPayload
from web import jobs
from web.database import Connection

SUBJECT = 1
"""Of the preview's job; 0 is the search that counts."""
_KEY = "burst_preview"


def transit_label(subject_id: int) -> str:
    """Under which the matrices of a search travel: its own, for two of them may be under way."""
    return "burstspreview" if subject_id == SUBJECT else "bursts"


async def request(connection: Connection, params: dict[str, float]) -> None:
    """Runs with `params` (threshold, gap_s) at once, or once more when the present preview ends."""
    async with connection.transaction():
        await jobs.request_single(connection, "bursts", subject=SUBJECT, params=params)


async def store(connection: Connection, found: BurstsPayload) -> None:
    """Keeps the latest answer; it names the parameters that it was found with."""
    await connection.execute(
        "INSERT INTO preferences VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        _KEY, found.model_dump(),
    )  # fmt: skip


async def latest(connection: Connection) -> dict[str, Any]:
    """`found`: the latest answer or None. `running`: whether a preview is under way. `error`: why the last failed."""
    job = await connection.fetchrow(
        "SELECT status, error ->> 'sentence' AS error FROM jobs WHERE stage = 'bursts' AND subject_id = $1", SUBJECT
    )
    found = await connection.fetchval("SELECT value FROM preferences WHERE key = $1", _KEY)
    status = job["status"] if job else None
    return {
        "running": status in ("due", "queued"),
        "found": found,
        "error": (job["error"] or "The search failed; the log says why.") if job and status == "failed" else None,
    }
