"""What the runner knows of a stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from pydantic import BaseModel

from contracts.claims import ClaimCheck

Outcome = tuple[ClaimCheck, BaseModel | BaseException]
"""The payload of a claim's result, or why there is none."""


class StageWorker(Protocol):
    """One stage in this process. `run` is called from `slots` threads at once, with up to `batch` claims each."""

    name: str
    slots: int
    batch: int
    encoder: str | None
    """The encoder in use, for the reports; None where there is none."""

    def run(self, claims: Sequence[ClaimCheck]) -> Iterable[Outcome]:
        """Answers each claim, in any order, as soon as it is known. What it raises counts against the rest."""
        ...

    def close(self) -> None:
        """Ends what the worker started."""
        ...
