"""A trained taste model is stored; the archive is scored with it after the commit."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.events import Event
from contracts.results import TastePayload
from contracts.settings import Settings
from web import scoring, transit
from web.database import Connection
from web.results.applied import Applied, Matched


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    for item in items:
        payload: TastePayload = item.result.typed
        version = await connection.fetchval(
            """INSERT INTO taste_models (encoder_id, dim, weights, bias, n_ratings, tentative, cv_rank_correlation,
                   cv_ungrouped, spread_factor, alpha)
               SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM encoders WHERE name = $1 RETURNING version""",
            payload.encoder, payload.dim, payload.weights, payload.bias, payload.n_ratings, payload.tentative,
            payload.cv_rank_correlation, payload.cv_ungrouped, payload.spread_factor, payload.alpha,
        )  # fmt: skip
        applied.events.append(Event(kind="taste", data={"version": version}))
        await scoring.request_scoring(connection)
        applied.unlink_after += transit.files_of(settings, "taste", item.result.generation)
