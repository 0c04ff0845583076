"""Why a piece of work did not come out. The runner knows no other kinds.

    DomainError
    ├── PermanentError     this photo will never work as it is: a broken file, a refused request
    ├── TransientError     the same call may work later: a time-out, a busy server
    └── UnavailableError   nothing of this stage works now: no endpoint, a missing library, a wrong key

Anything else that escapes a domain function is a bug.
"""

from __future__ import annotations

from typing import Any


class DomainError(Exception):
    """`sentence` is for the photographer: it names the file, what is wrong and what to do."""

    def __init__(
        self,
        sentence: str,
        *,
        op: str = "",
        context: dict[str, Any] | None = None,
        upstream: dict[str, Any] | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.op = op
        self.context = context or {}
        self.upstream = upstream
        self.detail = detail


class PermanentError(DomainError):
    """Use this when trying again cannot help."""


class TransientError(DomainError):
    """Use this when trying again later may help. `retry_after_s` where the other side said when."""

    def __init__(self, sentence: str, *, retry_after_s: float | None = None, **kwargs: Any) -> None:
        super().__init__(sentence, **kwargs)
        self.retry_after_s = retry_after_s


class UnavailableError(TransientError):
    """Use this when the whole stage should wait. `needs_person` when waiting alone will not mend it."""

    def __init__(self, sentence: str, *, needs_person: bool = False, **kwargs: Any) -> None:
        super().__init__(sentence, **kwargs)
        self.needs_person = needs_person
