"""What consumers say about themselves, every two seconds, to a transient exchange."""

from __future__ import annotations

from contracts.base import Message, Part


class ClaimInHand(Part):
    claim_id: str
    stage: str
    subject_id: int
    seconds: float


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
