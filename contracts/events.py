"""What the browser hears over `/events`. One event for a batch, with the ids inside."""

from __future__ import annotations

from typing import Any, Literal

from contracts.base import Message

EventKind = Literal[
    "photos",  # {"ids": [...], "stage": "convert"}: these cards changed; fetch them by id
    "removed",  # {"ids": [...]}: no longer listed (merged into another photo, discarded)
    "scores",  # {"version": n, "ids": [...] | null}: scores changed (null: the whole archive)
    "decisions",  # {"ids": [...], "action_id": "..."}
    "import",  # {"import_id": n}
    "stages",  # {"names": [...]}: a stage was paused, resumed
    "taste",  # {"version": n}
    "bursts",  # {}
    "versions",  # {"ids": [...]}: their stacks changed; no ids: a search for versions ended
    "log",  # {"ids": [...]}: error_logs rows
    "progress",  # {"stages": {...}, "imports": [...]}: coalesced counters; not stored, id-less
    "resync",  # {}: the cursor is too old, reload the view; not stored
]


class Event(Message):
    kind: EventKind
    data: dict[str, Any]
