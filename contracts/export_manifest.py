"""`photos.json`: an array of these beside the exported pictures (BEHAVIOUR.md, section 9)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class ManifestEntry(BaseModel):
    """One exported picture. Fields that other programs added to an entry are kept (`extra`)."""

    model_config = ConfigDict(extra="allow")

    filename: str
    tags: list[str]
    mood: str | None
    preference_score: int | None
    user_rating: int | None
    manual_match: bool
    project: str | None
    inserted_at: datetime
    id: int
    content_hash: str
    subject: str | None
    content_type: str | None
    captured_at: datetime | None
    width: int | None
    height: int | None
