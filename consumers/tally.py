"""What this process answered, counted for the reports: numbers, failures by kind, durations by class."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from contracts.reports import BOUNDS_S, StageTally
from contracts.results import FailureKind


@dataclass
class _Counts:
    failed: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))


class Tally:
    """Used by the connection's thread alone."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._stages: defaultdict[str, _Counts] = defaultdict(_Counts)

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._started

    def add(self, stage: str, seconds: float, failed: FailureKind | None) -> None:
        """`seconds`: how long the answer took. `failed`: None for a result."""
        counts = self._stages[stage]
        if failed is not None:
            counts.failed[failed] += 1
            return
        counts.seconds += seconds
        counts.within[bisect_left(BOUNDS_S, seconds)] += 1

    def by_stage(self) -> dict[str, StageTally]:
        return {
            stage: StageTally(done=sum(c.within), failed=dict(c.failed), seconds=c.seconds, within=tuple(c.within))
            for stage, c in self._stages.items()
        }
