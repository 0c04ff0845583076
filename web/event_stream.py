"""`/events`: what changes, as server-sent events, with replay from the reader's cursor."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from web.context import Context, Here
from web.live import LiveEvent, coalesce, replay

router = APIRouter(tags=["events"])
HEARTBEAT_S = 15
_RETRY_MS = 2_000
_ID = re.compile("[0-9]{1,100}")


@router.get("/events")
async def events(
    here: Here,
    last_event_id: Annotated[str | None, Header()] = None,
    after: Annotated[int | None, Query(ge=0)] = None,
) -> EventSourceResponse:
    """`Last-Event-ID` (or `after`, of the page that was loaded) replays what was missed, up to 24 hours back; an
    older cursor gets `resync`. Without either, only what happens from now on is sent."""
    cursor = int(last_event_id) if last_event_id and _ID.fullmatch(last_event_id) else after
    return EventSourceResponse(
        _stream(here, cursor),
        ping=HEARTBEAT_S,
        ping_message_factory=lambda: ServerSentEvent(comment="still here"),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        sep="\n",
    )


async def _stream(here: Context, cursor: int | None) -> AsyncIterator[ServerSentEvent]:
    async with here.hub.subscribe() as subscription:
        yield ServerSentEvent(comment="connected", retry=_RETRY_MS)
        sent = 0
        if cursor is not None:
            # Subscribed first: what happens during the replay waits, and is not sent twice.
            async with here.pool.acquire() as connection:
                missed = await replay(connection, cursor)
            sent = max((event.id or 0 for event in missed), default=cursor)
            for event in coalesce(missed):
                yield _message(event)
        while True:
            fresh = [event for event in await subscription.take() if event.id is None or event.id > sent]
            for event in coalesce(fresh):
                yield _message(event)


def _message(event: LiveEvent) -> ServerSentEvent:
    return ServerSentEvent(
        data=orjson.dumps(event.data).decode(), event=event.kind, id=None if event.id is None else str(event.id)
    )
