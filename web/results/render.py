"""A native-size rendering is ready: the page that asked hears of it."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.settings import Settings
from web.database import Connection
from web.results.applied import Applied, Matched


async def apply(connection: Connection, settings: Settings, items: Sequence[Matched], applied: Applied) -> None:
    applied.by_stage.setdefault("render", set()).update(item.result.subject_id for item in items)
