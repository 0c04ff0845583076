"""From an exception to the `Failure` that travels. Whether and when to try again is the writer's to decide.

    ConsumerError
    ├── DecoderDiedError     the child that decoded a file crashed
    └── DecoderHungError     it took longer than allowed, or more memory

Both are charged to the file: the first time it may have been chance, the second time it was the file.
"""

from __future__ import annotations

import traceback
from typing import Any

import orjson

from contracts.claims import ClaimCheck
from contracts.results import ErrorEnvelope, Failure, FailureKind
from domain.errors import DomainError, PermanentError, TransientError, UnavailableError

_TRACE_LINES = 12


class ConsumerError(Exception):
    """The root of this room's errors."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class DecoderDiedError(ConsumerError):
    """Use this when the decoder child ended without an answer."""


class DecoderHungError(ConsumerError):
    """Use this when the decoder child was ended for taking too long or too much."""


def failure_of(claim: ClaimCheck, error: BaseException, worker: str, seconds: float) -> Failure:
    """The failure that tells the writer what happened to `claim`."""
    return Failure(
        claim_id=claim.claim_id,
        stage=claim.stage,
        subject_id=claim.subject_id,
        photo_id=claim.photo_id,
        generation=claim.generation,
        attempt=claim.attempt,
        worker=worker,
        seconds=seconds,
        failure=_kind(claim, error),
        sentence=_sentence(claim, error),
        retry_after_s=error.retry_after_s if isinstance(error, TransientError) else None,
        needs_person=isinstance(error, UnavailableError) and error.needs_person,
        error=_envelope(claim, error),
    )


def _kind(claim: ClaimCheck, error: BaseException) -> FailureKind:
    if isinstance(error, UnavailableError):
        return "unavailable"
    if isinstance(error, TransientError):
        return "transient"
    if isinstance(error, PermanentError):
        return "permanent"
    if isinstance(error, ConsumerError):
        return "permanent" if claim.attempt > 1 else "transient"
    return "bug"


def _sentence(claim: ClaimCheck, error: BaseException) -> str:
    if isinstance(error, DomainError | ConsumerError):
        return error.sentence
    name = (claim.file_path or claim.stage).rpartition("/")[2]
    return (
        f"{name} failed in a way that we did not expect ({type(error).__name__}). It is tried again by itself; if it "
        "stays in the failed lane, report it with the log."
    )


def _envelope(claim: ClaimCheck, error: BaseException) -> ErrorEnvelope:
    context: dict[str, Any] = {"file_path": claim.file_path}
    if isinstance(error, DomainError):
        context |= {name: value for name, value in error.context.items() if _plain(value)}
        if error.detail:
            context["detail"] = error.detail[:4000]
        return ErrorEnvelope(
            op=error.op or claim.stage,
            error_type=type(error).__name__,
            message=str(error),
            context=context,
            upstream=error.upstream,
        )
    if not isinstance(error, ConsumerError):
        lines = traceback.format_exception(error)[-_TRACE_LINES:]
        context["traceback"] = "".join(lines)[-4000:]
    return ErrorEnvelope(op=claim.stage, error_type=type(error).__name__, message=str(error)[:1000], context=context)


def _plain(value: object) -> bool:
    """Whether it can travel as JSON."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True
