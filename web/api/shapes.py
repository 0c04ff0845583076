"""Shapes that several requests share."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from web.decisions import IDS_AT_MOST, Outcome

PAGE = 60
LARGEST_PAGE = 500
"""Photographs of a page, unless asked otherwise, and at most."""
PhotoId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Ids = Annotated[list[int], Field(min_length=1, max_length=IDS_AT_MOST)]


class Action(BaseModel):
    """An action's name, chosen by whoever acts so that a repeated request changes nothing, and who acted."""

    model_config = ConfigDict(extra="forbid")

    action_id: uuid.UUID | None = None
    session: str | None = Field(default=None, max_length=100)


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "action_id": outcome.action_id,
        "changed": outcome.changed,
        "missing": outcome.missing,
        "repeated": outcome.repeated,
    }
