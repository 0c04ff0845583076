"""Workers whose work is to wait for the test; and one of them as a process."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from consumers.runner import Runner
from consumers.stage import Outcome
from contracts.claims import ClaimCheck
from contracts.results import RenderPayload
from contracts.settings import Settings


class Gated:
    """Does its work when the test opens the gate. Writes down what it took, in order."""

    encoder: str | None = "an-encoder"

    def __init__(self, name: str = "convert", *, slots: int = 1, batch: int = 1, outcome: object = None) -> None:
        self.name, self.slots, self.batch = name, slots, batch
        self.gate = threading.Event()
        self.taken: list[list[int]] = []
        self.closed = False
        self._outcome = outcome

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        self.taken.append([claim.subject_id for claim in claims])
        self.gate.wait(60)
        for claim in claims:
            if isinstance(self._outcome, BaseException):
                raise self._outcome
            outcome = self._outcome if isinstance(self._outcome, BaseModel) else RenderPayload(width=3, height=2)
            yield claim, outcome

    def close(self) -> None:
        self.closed = True


class Sleeping(Gated):
    """Every job takes `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.gate.set()
        self._seconds = seconds

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        print("begun", flush=True)
        time.sleep(self._seconds)
        yield from super().run(claims)


if __name__ == "__main__":
    from consumers import journal
    from consumers.__main__ import serve

    journal.configure(Settings())
    runner = Runner(Sleeping(float(sys.argv[1])), Settings())
    signal.signal(signal.SIGTERM, lambda *_: runner.stop())
    serve(runner)
