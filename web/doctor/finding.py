"""What an examination says of one thing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`ok` is false where something is wrong. `mend` says what to do; beside `ok` it is advice, not a fault."""

    what: str
    ok: bool
    say: str
    mend: str = ""
