"""Taste: how good the model is, the match threshold, and what to rate next."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from web import reasons, scoring, taste_report
from web.api.shapes import PhotoId
from web.context import Db, Here, Json
from web.decisions import in_one_transaction
from web.items import items
from web.offers import next_to_rate as offers_of
from web.status import status

router = APIRouter(prefix="/taste", tags=["taste"])


class Threshold(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: Annotated[int, Field(ge=0, le=100)] | Literal["auto"]


@router.get("")
async def taste(db: Db, here: Here) -> Json:
    """The model in force and how far it can be trusted, the threshold and what each cut from 0 to 100 would show, the
    guesses that were kept, and where model and person disagree most."""
    return Json(await taste_report.report(db, (await status(db, here.board.running()))["taste"]))


@router.put("/threshold")
async def threshold(request: Threshold, db: Db) -> Json:
    """Sets the match threshold; MATCH follows at once."""
    cut = await in_one_transaction(db, lambda: scoring.set_threshold(db, str(request.value)))
    return Json({"threshold": str(request.value), "cut": cut})


@router.get("/next")
async def next_to_rate(
    db: Db,
    size: Annotated[int, Query(ge=1, le=100)] = 10,
    seed: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
) -> Json:
    """The unrated photos whose rating teaches most, in order. With the same `seed`, the same offer. `random`: ids of
    those that were drawn at random, one in five."""
    drawn = secrets.randbelow(2**31) if seed is None else seed
    offers = await offers_of(db, size, drawn)
    ids = [offer.photo_id for offer in offers]
    at_random = [offer.photo_id for offer in offers if offer.random]
    return Json({"ids": ids, "items": await items(db, ids), "random": at_random, "seed": drawn})


@router.get("/why/{photo_id}")
async def why(photo_id: PhotoId, db: Db, here: Here) -> Json:
    """Why this photo has its score: `mean` + the points of each of the `parts` (rated photos that lend most to it) +
    those of the `others` are the `sum`, of 100; `score` is the sum as a whole number from 0 to 100. `in_words`: the
    same sum by words, where the encoder has a text tower: `mean` + the points of its `parts` + its `rest`."""
    return Json(await reasons.why(db, here.words, photo_id))
