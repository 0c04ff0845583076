"""Failures: count the attempt, schedule the next or close the job, open the breaker, write the log.

The consumer says what kind of failure it was; when to try again is decided here and nowhere else.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from contracts.base import PHOTO_STAGES
from contracts.results import Failure
from contracts.settings import Settings
from web import roots, stages
from web.database import Connection
from web.results.applied import Applied

FIRST_RETRY_S = 2.0
LONGEST_RETRY_S = 600.0
SAME_REFUSALS = 5
"""As many identical 400 answers in a row say that the request is wrong, not the photographs."""

_OUTAGE_RETRY_S = 20.0


def backoff_s(attempt: int, rng: random.Random) -> float:
    """Seconds before attempt `attempt + 1`: 2 s doubling, at most ten minutes, with full jitter above the half."""
    longest: float = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** (attempt - 1))
    return longest * rng.uniform(0.5, 1.0)


async def apply(connection: Connection, settings: Settings, failures: Sequence[Failure], applied: Applied) -> None:
    for failure in failures:
        row = await connection.fetchrow(
            """SELECT * FROM jobs WHERE stage = $1 AND subject_id = $2 AND generation = $3
                   AND status IN ('due', 'queued') FOR UPDATE""",
            failure.stage, failure.subject_id, failure.generation,
        )  # fmt: skip
        if row is None or row["attempts"] != failure.attempt - 1:
            continue
        applied.taken.add(failure.claim_id)
        if failure.failure == "unavailable":
            await _put_off(connection, failure, applied)
        elif failure.failure in ("permanent", "poison") or failure.attempt >= settings.max_attempts:
            await _close(connection, settings, failure, applied)
        else:
            await _schedule(connection, settings, failure, applied)


async def _put_off(connection: Connection, failure: Failure, applied: Applied) -> None:
    """Nobody's fault: no attempt is counted. A root that cannot be read holds up its own photos only."""
    await connection.execute(
        """UPDATE jobs SET status = 'due', claim_id = NULL, queued_at = NULL,
               available_at = now() + make_interval(secs => $3) WHERE stage = $1 AND subject_id = $2""",
        failure.stage, failure.subject_id, 0.0,
    )  # fmt: skip
    if failure.stage in ("scan", "convert", "render") and await _root_is_offline(connection, failure):
        await connection.execute(
            "UPDATE jobs SET available_at = now() + make_interval(secs => $3) WHERE stage = $1 AND subject_id = $2",
            failure.stage, failure.subject_id, _OUTAGE_RETRY_S,
        )  # fmt: skip
        return
    if failure.stage not in applied.paused:
        await stages.open_breaker(connection, failure.stage, failure.sentence, retry_after_s=failure.retry_after_s)
        await _log(connection, failure, "paused", applied, settings_attempts=None)
    applied.paused.add(failure.stage)


async def _root_is_offline(connection: Connection, failure: Failure) -> bool:
    offline = await roots.note_offline(connection)
    if not offline:
        return False
    if failure.stage == "scan":
        root = await connection.fetchval(
            "SELECT i.root_id FROM imports i JOIN import_folders f ON f.import_id = i.id WHERE f.id = $1",
            failure.subject_id,
        )
    else:
        root = await connection.fetchval("SELECT root_id FROM photos WHERE id = $1", failure.subject_id)
    return root in offline


async def _schedule(connection: Connection, settings: Settings, failure: Failure, applied: Applied) -> None:
    delay = failure.retry_after_s
    if delay is None:
        delay = backoff_s(failure.attempt, random.Random())  # noqa: S311 - jitter
    await connection.execute(
        """UPDATE jobs SET status = 'due', attempts = $3, claim_id = NULL, queued_at = NULL, error = $4,
               available_at = now() + make_interval(secs => $5) WHERE stage = $1 AND subject_id = $2""",
        failure.stage, failure.subject_id, failure.attempt, _error(failure), delay,
    )  # fmt: skip
    await _log(connection, failure, "retrying", applied, settings_attempts=settings.max_attempts)


async def _close(connection: Connection, settings: Settings, failure: Failure, applied: Applied) -> None:
    """The job ends here. A failed scan closes its folder, so that its import still ends."""
    await connection.execute(
        """UPDATE jobs SET status = CASE WHEN dirty THEN 'due' ELSE 'failed' END, generation = generation + dirty::int,
               dirty = false, attempts = CASE WHEN dirty THEN 0 ELSE $3 END, error = $4, finished_at = now(),
               worker = $5, claim_id = NULL WHERE stage = $1 AND subject_id = $2""",
        failure.stage, failure.subject_id, failure.attempt, _error(failure), failure.worker,
    )  # fmt: skip
    if failure.stage == "convert":
        await connection.execute(
            """UPDATE photos SET status = CASE WHEN derivative_generation IS NULL THEN 'failed' ELSE status END,
                   failure_reason = $2, failure_detail = $3 WHERE id = $1""",
            failure.subject_id, failure.sentence, _error(failure),
        )  # fmt: skip
    elif failure.stage == "scan":
        await _close_folder(connection, failure)
    if failure.stage in PHOTO_STAGES and failure.photo_id is not None:
        applied.touch(failure.stage, {failure.subject_id})
    await _count_refusal(connection, failure, applied)
    await _log(connection, failure, "failed", applied, settings_attempts=settings.max_attempts)


async def _close_folder(connection: Connection, failure: Failure) -> None:
    await connection.execute(
        """UPDATE imports SET folders_done = folders_done + 1, paths_skipped = paths_skipped + 1
           WHERE id = (SELECT import_id FROM import_folders WHERE id = $1) AND status = 'scanning'""",
        failure.subject_id,
    )


async def _count_refusal(connection: Connection, failure: Failure, applied: Applied) -> None:
    """Identical 400s in a row pause the stage with their reason."""
    upstream = failure.error.upstream or {}
    if upstream.get("status_code") != 400:
        return
    # What the server said: our own message names the photo, and no two of them are alike.
    said = str(upstream.get("message") or upstream.get("code") or "HTTP 400")
    same = await connection.fetchval(
        """UPDATE stages SET same_errors = CASE WHEN same_error = $2 THEN same_errors + 1 ELSE 1 END, same_error = $2
           WHERE name = $1 RETURNING same_errors""",
        failure.stage, said,
    )  # fmt: skip
    if same >= SAME_REFUSALS:
        reason = f"{SAME_REFUSALS} requests in a row were refused in the same way: {said}"
        await stages.open_breaker(connection, failure.stage, reason)
        applied.paused.add(failure.stage)


def _error(failure: Failure) -> dict[str, Any]:
    return {"sentence": failure.sentence, "kind": failure.failure} | failure.error.model_dump(mode="json")


async def _log(
    connection: Connection, failure: Failure, status: str, applied: Applied, *, settings_attempts: int | None
) -> None:
    file = failure.error.context.get("file_path") or await connection.fetchval(
        "SELECT rel_path FROM photos WHERE id = $1", failure.photo_id
    )
    log_id = await connection.fetchval(
        """INSERT INTO error_logs (worker, file, photo_id, reason, status, attempt, max_attempts, detail)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
        failure.stage, file, failure.photo_id, failure.sentence, status, failure.attempt, settings_attempts,
        failure.error.model_dump(mode="json"),
    )  # fmt: skip
    applied.log_ids.append(log_id)
