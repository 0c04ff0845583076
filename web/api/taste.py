"""Taste: how good the model is, the match threshold, and what to rate next."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from web import offers, scoring
from web.context import Db, Here, Json
from web.items import items
from web.status import status

router = APIRouter(prefix="/taste", tags=["taste"])


class Threshold(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: Annotated[int, Field(ge=0, le=100)] | Literal["auto"]


@router.get("")
async def taste(db: Db, here: Here) -> Json:
    """The model in force, the threshold, and how many photos match at each cut from 0 to 100."""
    known = (await status(db, here.board.running()))["taste"]
    setting = await db.fetchval("SELECT value #>> '{}' FROM preferences WHERE key = 'match_threshold'")
    return Json(
        known
        | {
            "threshold": setting,
            "cut": await scoring.match_cut(db),
            "matches_at": await scoring.preview_threshold(db),
        }
    )


@router.put("/threshold")
async def threshold(request: Threshold, db: Db) -> Json:
    """Sets the match threshold; MATCH follows at once."""
    cut = await scoring.set_threshold(db, str(request.value))
    return Json({"threshold": str(request.value), "cut": cut})


@router.get("/next")
async def next_to_rate(db: Db, size: Annotated[int, Query(ge=1, le=100)] = 20, seed: int | None = None) -> Json:
    """The unrated photos whose rating teaches most, in order. With the same `seed`, the same offer."""
    drawn = secrets.randbelow(2**31) if seed is None else seed
    ids = await offers.next_to_rate(db, size, drawn)
    return Json({"ids": ids, "items": await items(db, ids), "seed": drawn})
