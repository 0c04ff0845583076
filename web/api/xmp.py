"""Friends with other programs: where XMP may be written, writing and reading it, and ratings of catalogues.

A request takes at most 1,000 photographs, so that it ends; a whole archive is for `fineshyt xmp`.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from web import catalogue_ratings, consents, round_trip, xmp_in, xmp_out
from web.consents import Kind
from web.context import Db, Here, Json
from web.roots import file_below_root

router = APIRouter(tags=["other programs"])
_Ids = Annotated[list[Annotated[int, Field(ge=1, le=2**63 - 1)]], Field(min_length=1, max_length=1000)]


class Consent(BaseModel):
    model_config = ConfigDict(extra="forbid")

    root_id: int = Field(ge=1, le=2**31 - 1)
    kind: Kind
    given: bool


class Write(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ids: _Ids
    programs: list[Literal["lightroom", "darktable"]] = Field(["lightroom", "darktable"], min_length=1, max_length=2)
    beside: bool = False
    embed: bool = False
    prefer: Literal["here"] | None = None
    dry_run: bool = False


class Read(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ids: _Ids
    accept: bool = False
    prefer: Literal["file"] | None = None
    action_id: uuid.UUID | None = None


class FolderPair(BaseModel):
    """A folder as the catalogue has it, and where it lies here."""

    model_config = ConfigDict(extra="forbid")

    there: str = Field(min_length=1, max_length=4096)
    here: str = Field(min_length=1, max_length=4096)


class CatalogueRatings(BaseModel):
    """`path` lies below a library root."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1, max_length=4096)
    folders: list[FolderPair] = Field(default=[], max_length=100)
    one_star: bool = False
    accept: bool = False
    action_id: uuid.UUID | None = None


@router.get("/xmp/consents")
async def list_consents(db: Db) -> Json:
    return Json({"items": await consents.listed(db)})


@router.put("/xmp/consents")
async def set_consent(request: Consent, db: Db) -> Json:
    """Gives or takes back the leave to write sidecars beside, or XMP inside, the originals of one root."""
    await (consents.give if request.given else consents.take_back)(db, request.root_id, request.kind)
    return Json({"items": await consents.listed(db)})


@router.post("/xmp/write")
async def write(request: Write, db: Db) -> Json:
    """Writes the decisions of these photos where the programs look; conflicts are listed and left alone."""
    wish = round_trip.Wish(
        frozenset(request.programs), request.beside, None, request.embed, request.prefer, request.ids,
        dry_run=request.dry_run,
    )  # fmt: skip
    return Json(_outcome(await xmp_out.write(db, wish)))


@router.post("/xmp/read")
async def read(request: Read, db: Db) -> Json:
    """What other programs changed in the files of these photos; taken over with `accept`."""
    wish = round_trip.Wish(prefer=request.prefer, ids=request.ids)
    return Json(_outcome(await xmp_in.read(db, wish, accept=request.accept, action_id=request.action_id)))


@router.post("/catalogues/ratings")
async def import_ratings(request: CatalogueRatings, db: Db, here: Here) -> Json:
    """Counts the ratings of a Lightroom catalogue or darktable's library; takes them over with `accept`."""
    path = await file_below_root(db, request.path)
    catalogue = await catalogue_ratings.load(here.settings, path)
    pairs = [(pair.there.replace("\\", "/"), pair.here) for pair in request.folders]
    if request.accept:
        counts = await catalogue_ratings.accept(
            db, catalogue, pairs, one_star=request.one_star, action_id=request.action_id
        )
    else:
        counts = await catalogue_ratings.preview(db, catalogue, pairs, one_star=request.one_star)
    return Json(_plain(asdict(counts)))


def _outcome(outcome: round_trip.Outcome) -> dict[str, Any]:
    return asdict(outcome)


def _plain(counts: dict[str, Any]) -> dict[str, Any]:
    """JSON's keys are texts."""
    return counts | {"rated": {str(stars): n for stars, n in counts["rated"].items()}}
