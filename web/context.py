"""What a request may use: settings, the pool, the broker, the consumers' reports and the live events."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request, Response

from contracts.settings import Settings
from web.database import Connection, Pool
from web.errors import RequestError
from web.likeness import Likeness
from web.live import EventHub
from web.problems import AWAY
from web.reports import ReportBoard
from web.text_search import TextTower
from web.word_vectors import WordVectors

_ACQUIRE_S = 10.0


@dataclass(frozen=True)
class Context:
    """One a process, made when the app starts."""

    settings: Settings
    pool: Pool
    board: ReportBoard
    hub: EventHub
    text_tower: TextTower
    words: WordVectors
    likeness: Likeness


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(_context)]


async def _connection(context: Here) -> AsyncIterator[Connection]:
    try:
        connection = await context.pool.acquire(timeout=_ACQUIRE_S)
    except OSError as error:
        raise RequestError(503, AWAY) from error
    try:
        yield connection
    finally:
        await context.pool.release(connection)


Db = Annotated[Connection, Depends(_connection, scope="function")]
"""A connection for one request, handed back before the answer is sent."""


class Json(Response):
    """JSON by orjson: knows dates, numpy numbers and arrays."""

    media_type = "application/json"

    def __init__(self, content: Any = None, status_code: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(content, status_code, headers)

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, _plain, orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> str:
    """asyncpg's identifiers are a subclass of `uuid.UUID`, which orjson does not know."""
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not for JSON")
