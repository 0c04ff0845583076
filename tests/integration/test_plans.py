"""What a page reads does not grow with the archive: how Postgres plans what is asked most (20,000 photographs)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.servers import TestServers
from web import gallery, scoring
from web.database import Connection, connect
from web.gallery_query import GalleryQuery, Tab

PHOTOS = 20_000

_SEED = """
WITH made AS (
    INSERT INTO photos (root_id, rel_path, status, focus_score)
    SELECT $1, 'DSC_' || n || '.TIF', 'ready', n % 97 FROM generate_series(1, $2) n RETURNING id
)
SELECT refresh_gallery(array_agg(id)) FROM made
"""
_TABS = """
UPDATE gallery SET preference = photo_id % 101, is_match = photo_id % 101 > 95,
    rating = CASE WHEN photo_id % 100 = 0 THEN 3 END, rejected = photo_id % 200 = 1
"""


async def _fill(url: str) -> None:
    database = await connect(url)
    root = await database.fetchval("INSERT INTO library_roots (path) VALUES ('/photographs') RETURNING id")
    await database.execute(_SEED, root, PHOTOS)
    await database.execute(_TABS)
    await database.execute("ANALYZE")
    await database.close()


@pytest.fixture(scope="module")
def filled(servers: TestServers) -> Iterator[str]:
    """The URL of a database that is filled once: nobody here changes its photographs."""
    url = servers.database()
    asyncio.run(_fill(url))
    yield url
    servers.drop_database(url)


@pytest.fixture
async def large(filled: str) -> AsyncIterator[Connection]:
    database = await connect(filled)
    yield database
    await database.close()


async def _plan(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, query: GalleryQuery, cursor: str | None = None
) -> str:
    """The plans of the statements that a page of `query` runs on the gallery."""
    plans: list[str] = []
    fetch = type(connection).fetch

    async def explained(self: Any, sql: str, *values: Any, **how: Any) -> Any:
        if "FROM gallery g" in sql:
            plans.extend(row[0] for row in await fetch(self, f"EXPLAIN {sql}", *values))
        return await fetch(self, sql, *values, **how)

    with monkeypatch.context() as patch:
        patch.setattr(type(connection), "fetch", explained)
        await gallery.page(connection, query, 60, cursor)
    assert plans
    return "\n".join(plans)


async def test_a_small_tab_is_read_by_its_index(large: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    tabs: tuple[Tab, ...] = ("match", "rated", "rejected")
    for tab, sort in product(tabs, ("-preference", "rating", "name", "-focus")):
        plan = await _plan(large, monkeypatch, GalleryQuery(filter=tab, sort=sort))
        assert "Seq Scan on gallery" not in plan, f"{tab} by {sort}"


async def test_a_large_tab_is_read_along_the_index_of_its_order(
    large: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await _plan(large, monkeypatch, GalleryQuery(filter="all", sort="-preference"))

    assert "using gallery_preference" in plan
    assert "Seq Scan" not in plan


async def test_photographs_without_the_key_follow_by_their_id(
    large: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = GalleryQuery(filter="all", sort="rating")
    first = await gallery.page(large, query, 60)
    cursor = gallery.encode_cursor(gallery.Cursor(None, 5_000, first.total), query, first.order)
    plan = await _plan(large, monkeypatch, query, cursor)

    assert "using gallery_pkey" in plan
    assert "Sort" not in plan


async def test_scoring_a_chunk_reads_the_chunk(large: Connection) -> None:
    encoder = await large.fetchval("INSERT INTO encoders (name, dim, status) VALUES ('e', 4, 'active') RETURNING id")
    await large.execute(
        "INSERT INTO embeddings (encoder_id, photo_id, vec) SELECT $1, id, '[1,0,0,0]' FROM photos", encoder
    )
    await large.execute("ANALYZE")
    weights = np.array([1, 0, 0, 0], "<f4").astype(np.float16)

    preference = await large.fetch("EXPLAIN " + scoring.PREFERENCE_OF_RANGE, encoder, 2.0, weights, 1000, 1200)
    known = (["sea"], [9.0], [2], [1000], [4.0])
    vibe = await large.fetch("EXPLAIN " + scoring.VIBE_OF_RANGE, *known, 1000, 1200)

    for plan in (preference, vibe):
        assert "Seq Scan on gallery" not in "\n".join(row[0] for row in plan)
