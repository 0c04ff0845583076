"""Copies and versions: list them, look for them, reject copies. Splitting and keeping are decisions (`apart`,
`copy_kept`) like any other."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from web import duplicates, version_search
from web.api.shapes import Action, PhotoId, outcome_json
from web.context import Db, Json

router = APIRouter(prefix="/duplicates", tags=["duplicates"])


class Reject(Action):
    """`expected`: how many copies the person was told will be rejected; another number is refused with 409."""

    expected: int = Field(ge=0)


@router.get("")
async def listed(
    db: Db,
    kind: Literal["same_pixels", "versions"] | None = None,
    photo: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Json:
    """Groups of copies that are still to be decided, then stacks of versions; of one `kind`, or with one `photo`.

    `next_after` leads to the next page of a `kind`. `search` says whether versions are being looked for.
    """
    found: list[dict[str, Any]] = []
    if kind != "versions":
        found += await duplicates.copies(db, photo=photo, after=after, limit=limit)
    if kind != "same_pixels":
        found += await duplicates.stacks(db, photo=photo, after=after, limit=limit)
    more = kind is not None and len(found) == limit
    return Json(
        {
            "items": found,
            "next_after": found[-1]["id"] if more else None,
            "totals": await duplicates.totals(db),
            "search": await version_search.state(db),
        }
    )


@router.post("/detect", status_code=202)
async def detect(db: Db) -> Json:
    """Looks for versions in the whole archive; a `versions` event without ids says when it ended."""
    async with db.transaction():
        await version_search.request(db)
    return Json({"requested": True}, 202)


@router.post("/reject")
async def reject_everywhere(request: Reject, db: Db) -> Json:
    """Rejects every proposed copy as one action. `left_alone`: groups whose remaining copy cannot be read now."""
    outcome, left_alone = await duplicates.reject_copies(
        db, expected=request.expected, action_id=request.action_id, session=request.session
    )
    return Json(outcome_json(outcome) | {"left_alone": left_alone})


@router.post("/{photo_id}/keep")
async def keep(photo_id: PhotoId, request: Reject, db: Db) -> Json:
    """Keeps this photo and rejects its copies, but for those that were kept before."""
    outcome, _ = await duplicates.reject_copies(
        db, expected=request.expected, keep_id=photo_id, action_id=request.action_id, session=request.session
    )
    return Json(outcome_json(outcome))
