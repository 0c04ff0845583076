"""The claims that a consumer holds: delivered, and not yet answered and acknowledged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.claims import ClaimCheck
from contracts.reports import ClaimInHand

KEPT_FOR_S = 60.0
"""How long an answer waits for its claim to come back: another consumer may have it, or the queue was purged."""


@dataclass
class Work:
    """A claim in our hands. `tag` is None while no open channel knows of it (the connection was lost)."""

    claim: ClaimCheck
    tag: int | None
    since: float
    running: bool = False
    answer: bytes | None = None
    """The message to publish, once the work is done."""
    orphaned: float | None = None
    """Since when no channel knows of it."""


class InHand:
    """Used by the connection's thread alone."""

    def __init__(self) -> None:
        self._work: dict[str, Work] = {}
        self._waiting: tuple[deque[Work], deque[Work]] = (deque(), deque())  # urgent ones first

    def __iter__(self) -> Iterator[Work]:
        return iter(self._work.values())

    def find(self, claim_id: str) -> Work | None:
        return self._work.get(claim_id)

    def add(self, claim: ClaimCheck, tag: int, *, urgent: bool) -> None:
        """A new delivery, which waits for a slot."""
        work = self._work[claim.claim_id] = Work(claim, tag, time.monotonic())
        self._waiting[0 if urgent else 1].append(work)

    def next_batch(self, most: int) -> list[ClaimCheck]:
        """Starts up to `most` claims, urgent ones first. A batch holds one kind only: nobody waits for it to fill."""
        for queue in self._waiting:
            if queue:
                taken = [queue.popleft() for _ in range(min(most, len(queue)))]
                for work in taken:
                    work.running = True
                return [work.claim for work in taken]
        return []

    def remove(self, work: Work) -> None:
        self._work.pop(work.claim.claim_id, None)

    def forget_waiting(self) -> None:
        """What no slot has begun: the broker hands it out again."""
        for queue in self._waiting:
            while queue:
                self.remove(queue.popleft())

    def forget_tags(self) -> None:
        """Delivery tags die with their channel; what runs goes on, and waits for its claim to come back."""
        self.forget_waiting()
        for work in self:
            work.tag = None
            work.orphaned = work.orphaned or time.monotonic()

    def forget_orphans(self) -> None:
        """Answers whose claims did not come back in time: whoever has them now gives the answer."""
        oldest = time.monotonic() - KEPT_FOR_S
        for work in list(self):
            if work.orphaned is not None and work.orphaned < oldest and not work.running:
                self.remove(work)

    def reported(self) -> tuple[ClaimInHand, ...]:
        now = time.monotonic()
        return tuple(
            ClaimInHand(
                claim_id=work.claim.claim_id,
                stage=work.claim.stage,
                subject_id=work.claim.subject_id,
                seconds=now - work.since,
            )
            for work in self
        )
