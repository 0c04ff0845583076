"""What consumers say about themselves, every two seconds, to a transient exchange."""

from __future__ import annotations

from pydantic import Field

from contracts.base import Message, Part

BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0)
"""Upper bounds of the classes that durations are counted in; one more class holds what took longer."""


class ClaimInHand(Part):
    claim_id: str
    stage: str
    subject_id: int
    seconds: float


class StageTally(Part):
    """What a process answered of one stage since it started."""

    done: int = 0
    failed: dict[str, int] = Field(default_factory=dict)
    """Failures by their kind (`contracts.results.FailureKind`)."""
    seconds: float = 0.0
    """Sum of the durations of what was done."""
    within: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    """Of what was done, how many in each class of `BOUNDS_S`."""


class WorkerReport(Message):
    worker: str
    """`host:pid`."""
    stage: str
    host: str
    pid: int
    slots: int
    in_hand: tuple[ClaimInHand, ...] = ()
    """Every claim delivered to this process and not yet answered, prefetched ones included."""
    encoder: str | None = None
    memory_mb: float = 0.0
    done: int = 0
    """Claims answered since the process started."""
    stopping: bool = False
    up_s: float = 0.0
    """Age of the process."""
    tallies: dict[str, StageTally] = Field(default_factory=dict)
    """By stage: a convert consumer answers `render` too."""
