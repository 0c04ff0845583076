"""One batch of answers becomes one transaction.

A result of the job's current generation is applied once: matching it closes the job row, and what does not match
(older generation, already done, photo deleted) is dropped. Failures count an attempt only when their `attempt` is the
row's. What follows from an answer (next jobs, read model, events) is written in the same transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from contracts.base import Stage
from contracts.events import Event
from contracts.results import Failure, Result
from contracts.settings import Settings
from web import events, jobs, scoring, stages
from web.database import Connection
from web.results import bursts, convert, curate, embed, failures, render, scan, taste
from web.results.applied import Applied, Matched

_APPLY: dict[Stage, Callable[[Connection, Settings, Sequence[Matched], Applied], Awaitable[None]]] = {
    "scan": scan.apply,
    "convert": convert.apply,
    "render": render.apply,
    "curate": curate.apply,
    "embed": embed.apply,
    "taste": taste.apply,
    "bursts": bursts.apply,
}

_CLOSE = """
UPDATE jobs j SET
    status = CASE WHEN j.dirty THEN 'due' ELSE 'done' END,
    generation = j.generation + j.dirty::int,
    attempts = 0, dirty = false, available_at = now(), error = NULL, finished_at = now(),
    seconds = r.seconds, worker = r.worker
FROM unnest($1::text[], $2::bigint[], $3::int[], $4::real[], $5::text[])
    AS r (stage, subject_id, generation, seconds, worker)
WHERE j.stage = r.stage AND j.subject_id = r.subject_id AND j.generation = r.generation
    AND j.status IN ('due', 'queued')
    -- Said twice, for the index: a join with a function alone is planned as a look at every job there is.
    AND j.stage = ANY ($1) AND j.subject_id = ANY ($2)
RETURNING j.stage, j.subject_id, j.urgent, j.status, j.params
"""


async def apply_batch(
    connection: Connection,
    settings: Settings,
    answers: Sequence[Result | Failure],
    affinity: scoring.KeptAffinity | None = None,
) -> Applied:
    """Applies `answers` in one transaction; returns what is to be done after its commit.

    `affinity`: of tags, kept from batch to batch; summed for this batch alone where there is none.
    """
    applied = Applied()
    async with connection.transaction():
        results = [answer for answer in answers if isinstance(answer, Result)]
        matched = await _close_jobs(connection, results)
        for stage, items in _by_stage(matched).items():
            await _APPLY[stage](connection, settings, items, applied)
        await failures.apply(connection, settings, [a for a in answers if isinstance(a, Failure)], applied)
        applied.taken |= {item.result.claim_id for item in matched}
        await _finish(connection, applied, {item.result.stage for item in matched}, affinity)
    dropped = len(results) - len(matched)
    applied.dropped = dropped
    return applied


async def _close_jobs(connection: Connection, results: Sequence[Result]) -> list[Matched]:
    """Closes the job row of every result that counts. The first of two equal results in a batch wins."""
    first: dict[tuple[str, int], Result] = {}
    for result in results:
        held = first.get((result.stage, result.subject_id))
        if held is None or held.generation < result.generation:
            first[result.stage, result.subject_id] = result
    if not first:
        return []
    # One lock order everywhere (stage, subject) keeps the relay and the writer from waiting in a circle.
    ordered = [first[key] for key in sorted(first)]
    rows = await connection.fetch(
        _CLOSE,
        [r.stage for r in ordered],
        [r.subject_id for r in ordered],
        [r.generation for r in ordered],
        [r.seconds for r in ordered],
        [r.worker for r in ordered],
    )
    closed = {(row["stage"], row["subject_id"]): row for row in rows}
    if any(row["status"] == "due" for row in rows):
        await jobs.wake_relay(connection)
    return [
        Matched(result, row["urgent"], row["params"])
        for result in ordered
        if (row := closed.get((result.stage, result.subject_id))) is not None
    ]


def _by_stage(matched: Sequence[Matched]) -> dict[Stage, list[Matched]]:
    grouped: defaultdict[Stage, list[Matched]] = defaultdict(list)
    for item in matched:
        grouped[item.result.stage].append(item)
    return dict(grouped)


async def _finish(
    connection: Connection, applied: Applied, succeeded: set[Stage], affinity: scoring.KeptAffinity | None
) -> None:
    """The read model, scores where a vector or tags are new, breakers that a success closes, and last the events."""
    if applied.changed:
        await connection.execute("SELECT refresh_gallery($1)", sorted(applied.changed))
    if applied.to_score:
        summed = await affinity.get(connection) if affinity is not None else None
        await scoring.score_photos(connection, sorted(applied.to_score), summed)
    closed = await stages.close_breakers(connection, {str(stage) for stage in succeeded} - applied.paused)
    names = sorted(applied.paused | set(closed))
    if names:
        applied.events.append(Event(kind="stages", data={"names": names}))
    await events.publish(connection, applied.batched_events())
