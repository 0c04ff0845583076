"""The search index is built by itself where an archive outgrows comparing every vector."""

from __future__ import annotations

import asyncio

import structlog

from web import likeness, search_index
from web.database import Connection, connected
from web.errors import RequestError

log = structlog.get_logger()


class IndexKeeper:
    """Builds beside the relay, on a connection of its own; at most one build at a time."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._build: asyncio.Task[None] | None = None

    async def look(self, connection: Connection) -> None:
        """Starts a build where one is wanted."""
        running = self._build is not None and not self._build.done()
        if not running and await search_index.wanted(connection, likeness.EXACT_AT_MOST):
            self._build = asyncio.create_task(self._run(), name="search-index")

    async def _run(self) -> None:
        try:
            async with connected(self._url) as connection:
                built = await search_index.build(connection, lambda done, total: None)
        except RequestError:  # somebody builds it by hand
            return
        except Exception as error:  # the next look tries again; the relay goes on
            log.warning("search_index_not_built", error=f"{type(error).__name__}: {error}")
            return
        log.info("search_index_built", encoder=built.encoder, vectors=built.vectors, seconds=round(built.seconds, 1))

    async def done(self) -> None:
        """Waits for the build that runs, if one does."""
        if self._build is not None:
            await asyncio.wait([self._build])

    async def close(self) -> None:
        """Breaks a build off; its table is removed by the next one."""
        if self._build is not None:
            self._build.cancel()
            await asyncio.gather(self._build, return_exceptions=True)
