"""What a batch touched, collected while it is applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contracts.base import Stage
from contracts.events import Event
from contracts.results import Result


@dataclass(frozen=True)
class Matched:
    """A result whose job row it closed."""

    result: Result
    urgent: bool
    """A person waits for it: what follows is urgent too."""
    params: dict[str, Any] | None
    """The job's own parameters."""


@dataclass
class Applied:
    """The batch's consequences. `*_after` lists are for after the commit."""

    changed: set[int] = field(default_factory=set)
    """Photos whose read-model rows are rebuilt."""
    by_stage: dict[Stage, set[int]] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    to_score: set[int] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)
    log_ids: list[int] = field(default_factory=list)
    unlink_after: list[Path] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    """Claims whose answer counted; what is not among them was late or came twice."""
    dropped: int = 0

    def touch(self, stage: Stage, photo_ids: set[int]) -> None:
        self.changed |= photo_ids
        self.by_stage.setdefault(stage, set()).update(photo_ids)

    def batched_events(self) -> list[Event]:
        """One event a kind, with all ids inside."""
        batched = [
            Event(kind="photos", data={"stage": stage, "ids": sorted(ids - self.removed)})
            for stage, ids in self.by_stage.items()
            if ids - self.removed
        ]
        if self.removed:
            batched.append(Event(kind="removed", data={"ids": sorted(self.removed)}))
        if self.log_ids:
            batched.append(Event(kind="log", data={"ids": self.log_ids}))
        return batched + self.events
