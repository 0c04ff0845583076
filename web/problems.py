"""Errors on the wire: `application/problem+json` (RFC 9457) with a sentence that a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from web.errors import RequestError

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"

AWAY = "The database cannot be reached just now. Wait a moment and try again; `fineshyt status` says more."
UNSTORABLE = (
    "The request holds a value that cannot be stored or looked for: a number that is too large, or a text with a "
    "character that is none. Correct it and send it again."
)
_UNAVAILABLE = (
    ConnectionError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
)


def problem(status: int, sentence: str, **more: Any) -> Response:
    """The response for `status` with `detail` = `sentence`; `more` are further members."""
    said = sentence.encode(errors="replace").decode()  # halves of characters, quoted from the request, are no JSON
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": said} | more
    return Response(orjson.dumps(body), status, media_type=MEDIA_TYPE)


def _of_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return problem(error.status, error.sentence)


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND and sentence == HTTPStatus.NOT_FOUND.phrase:
        sentence = f"There is nothing at {request.url.path}. The addresses are listed at /docs."
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        sentence = f"{request.url.path} does not understand {request.method}. See /docs."
    response = problem(error.status_code, sentence)
    response.headers.update(error.headers or {})
    return response


def _where(location: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def _of_validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{_where(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The request is not right: {'; '.join(faults)}.")


def _of_value(request: Request, error: Exception) -> Response:
    """What a type could not tell from the request: a number that no column holds, a text with a zero character."""
    log.warning("value_refused", path=request.url.path, method=request.method, error=f"{type(error).__name__}: {error}")
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, UNSTORABLE)


def _of_outage(_: Request, error: Exception) -> Response:
    log.warning("database_away", error=f"{type(error).__name__}: {error}")
    response = problem(HTTPStatus.SERVICE_UNAVAILABLE, AWAY)
    response.headers["Retry-After"] = "2"
    return response


def _of_bug(request: Request, error: Exception) -> Response:
    log.error("request_failed", path=request.url.path, method=request.method, exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong inside fineshyt. The log of the web process says what."
    )


def install(app: FastAPI) -> None:
    """Every error of `app` leaves it as a problem."""
    app.add_exception_handler(RequestError, _of_request)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(asyncpg.DataError, _of_value)
    for kind in _UNAVAILABLE:
        app.add_exception_handler(kind, _of_outage)
    app.add_exception_handler(Exception, _of_bug)
