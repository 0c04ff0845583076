"""What went wrong at a language model's endpoint, as one of the three kinds that the runner knows.

`instructor` wraps the real error, so its status is looked for along the chain of causes. 400, 413 and 422 are about
this photograph; 401, 403, 404 need a person; 429 and 503 and an unreachable server stop everything of the stage;
408, 409, 425 and the other 5xx may pass.
"""

from __future__ import annotations

import email.utils
import math
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from domain.errors import DomainError, PermanentError, TransientError, UnavailableError

_LONGEST_BODY = 2_000
_LONGEST_MESSAGE = 300
_PASSING = {408, 409, 425}
_NEEDS_PERSON = {
    401: "the key was refused; check LLM_API_KEY",
    402: "the account has no credit left",
    403: "access was refused; check LLM_API_KEY and its rights",
    404: "there is no model {model} there; check LLM_MODEL and LLM_BASE_URL",
}
_BUSY = {429: "too many requests", 503: "the server is overloaded or starting", 529: "the server is overloaded"}


def domain_error(error: Exception, filename: str, base_url: str, model: str, api_key: str = "") -> DomainError | None:
    """The DomainError behind an exception of `instructor` or `openai`; None for one of our own bugs."""
    import openai

    chain = list(_causes(error))
    where = f"the language model at {public_address(base_url)}"
    for cause in chain:
        if isinstance(cause, openai.APIStatusError):
            return _of_status(cause, filename, where, model, api_key)
        if isinstance(cause, openai.APIConnectionError):
            return _of_connection(cause, where)
    if any(_is_unfit_answer(cause) for cause in chain):
        return _unfit_answer(error, filename, where, model, api_key)
    return None


def public_address(base_url: str) -> str:
    """The address without a user, password or query: keys hide there."""
    parts = urlsplit(base_url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        attempts = getattr(cause, "failed_attempts", None) or []
        waiting += [*cause.args[:1], cause.__cause__, cause.__context__, *(a.exception for a in attempts[-1:])]


def _of_status(error: Any, filename: str, where: str, model: str, api_key: str) -> DomainError:
    status = int(error.status_code)
    body = error.body if isinstance(error.body, dict) else {}
    said = _redacted(str(body.get("message") or error.message), api_key)[:_LONGEST_MESSAGE]
    known: dict[str, Any] = {
        "op": "curate",
        "context": {"filename": filename, "model": model},
        "upstream": {
            "status_code": status,
            "code": _redacted(str(body.get("code") or body.get("type") or ""), api_key) or None,
            "message": said,
            "body": _redacted(error.response.text, api_key)[:_LONGEST_BODY],
        },
    }
    wait = _retry_after(error.response.headers.get("retry-after"))
    if status in _NEEDS_PERSON:
        reason = _NEEDS_PERSON[status].format(model=model)
        return UnavailableError(f"Waiting for {where}: {reason}.", needs_person=True, retry_after_s=wait, **known)
    if status in _BUSY:
        return UnavailableError(f"Waiting for {where}: {_BUSY[status]}.", retry_after_s=wait, **known)
    if status in _PASSING or status >= 500:
        return TransientError(
            f"{_capital(where)} failed on {filename} (HTTP {status}); it will be asked again.",
            retry_after_s=wait,
            **known,
        )
    return PermanentError(f"{_capital(where)} refused {filename} (HTTP {status}): {_sentence(said)}", **known)


def _of_connection(error: Any, where: str) -> DomainError:
    import openai

    causes = list(_causes(error))
    known: dict[str, Any] = {"op": "curate", "detail": "; ".join(type(c).__name__ for c in causes)}
    # By name: the HTTP library is the client's own choice, and has changed before.
    unconnected = any(type(c).__name__ == "ConnectTimeout" for c in causes)
    slow = isinstance(error, openai.APITimeoutError) and not unconnected
    if slow:
        return TransientError(f"{_capital(where)} took too long to answer; it will be asked again.", **known)
    return UnavailableError(f"Waiting for {where}: {_why_unreachable(causes)}.", **known)


def _why_unreachable(causes: list[BaseException]) -> str:
    import socket

    if any(isinstance(c, ConnectionRefusedError) for c in causes):
        return "connection refused"
    if any(isinstance(c, socket.gaierror) for c in causes):
        return "no server of that name was found"
    text = " ".join(str(c) for c in causes).lower()
    for sign, reason in (
        ("refused", "connection refused"),
        ("name or service", "no server of that name was found"),
        ("name resolution", "no server of that name was found"),
        ("certificate", "its certificate was not accepted"),
        ("timed out", "it does not answer"),
    ):
        if sign in text:
            return reason
    return "the connection broke off"


def _is_unfit_answer(error: BaseException) -> bool:
    import json

    import pydantic
    from instructor.core.exceptions import InstructorError, InstructorRetryException

    # The retry exception alone says nothing: instructor wraps our own bugs in it too.
    kinds = (pydantic.ValidationError, json.JSONDecodeError, InstructorError)
    return isinstance(error, kinds) and not isinstance(error, InstructorRetryException)


def _unfit_answer(error: Exception, filename: str, where: str, model: str, api_key: str) -> PermanentError:
    return PermanentError(
        f"{_capital(where)} gave no usable description of {filename}; another LLM_MODEL or LLM_MODE may do better.",
        op="curate",
        context={"filename": filename, "model": model},
        detail=_redacted(str(error), api_key)[:_LONGEST_BODY],
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header: a number, or a date. None where it says nothing usable."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _redacted(text: str, api_key: str) -> str:
    return text.replace(api_key, "[key]") if len(api_key) >= 4 else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
