"""Likeness in an archive that is too large to compare every vector: a real HNSW index over 4,000 photographs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from web import likeness, search_index
from web.cli import _register_all, app
from web.database import Connection, connect
from web.errors import RequestError
from web.gallery_query import GalleryQuery

pytestmark = pytest.mark.integration
PHOTOS, DIM, CLUSTERS = 4_000, 256, 40

_SEED = """
WITH made AS (
    INSERT INTO photos (root_id, rel_path, status, camera, sharpness_score)
    SELECT $1, 'DSC_' || n || '.TIF', 'ready', CASE WHEN n % 4 = 0 THEN 'M10' ELSE 'F3' END, n % 101
    FROM generate_series(0, $2 - 1) n RETURNING id
)
SELECT array_agg(id ORDER BY id) FROM made
"""


def _clustered(n: int, seed: int) -> NDArray[np.float16]:
    centres = np.random.default_rng(0).standard_normal((CLUSTERS, DIM))
    numbers = np.random.default_rng(seed)
    vectors = centres[numbers.integers(0, CLUSTERS, n)] + 0.5 * numbers.standard_normal((n, DIM)) + 1.0
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


class Large:
    """An archive of `PHOTOS` whose encoder is `e`."""

    def __init__(self, connection: Connection, encoder: int, ids: list[int]) -> None:
        self.connection, self.encoder, self.ids = connection, encoder, ids

    async def embed(self, photo: int, vector: NDArray[np.float16]) -> None:
        await self.connection.execute(
            """INSERT INTO embeddings (encoder_id, photo_id, vec) VALUES ($1, $2, $3)
               ON CONFLICT (encoder_id, photo_id) DO UPDATE SET vec = excluded.vec""",
            self.encoder, photo, vector,
        )  # fmt: skip

    async def recall(self, at: int = 50, **view: Any) -> float:
        asked, shares = GalleryQuery(**view), []
        for vector in _clustered(20, 99):
            found = await likeness.nearest(self.connection, vector, "e", asked)
            best = await likeness.exact(self.connection, vector, self.encoder, asked, at)
            shares.append(len(set(found[:at]) & set(best)) / len(best))
        return float(np.mean(shares))


@pytest.fixture
async def large(database: Connection, monkeypatch: pytest.MonkeyPatch) -> Large:
    """Views of more than 300 photographs ask the index."""
    monkeypatch.setattr(likeness, "EXACT_AT_MOST", 300)
    root = await database.fetchval("INSERT INTO library_roots (path) VALUES ('/photographs') RETURNING id")
    ids = await database.fetchval(_SEED, root, PHOTOS)
    await database.execute("SELECT refresh_gallery($1)", ids)
    encoder = await database.fetchval(
        "INSERT INTO encoders (name, dim, status) VALUES ('e', $1, 'active') RETURNING id", DIM
    )
    vectors = _clustered(PHOTOS, 1)
    await database.copy_records_to_table(
        "embeddings", records=[(encoder, photo, vector) for photo, vector in zip(ids, vectors, strict=True)]
    )
    await database.execute("ANALYZE")
    return Large(database, encoder, ids)


@pytest.fixture
async def watcher(database_url: str) -> AsyncIterator[Connection]:
    connection = await connect(database_url)
    yield connection
    await connection.close()


async def _build(large: Large, watcher: Connection) -> list[tuple[str, int, int]]:
    told: list[tuple[str, int, int]] = []
    await search_index.build(large.connection, watcher, lambda *news: told.append(news))
    return told


async def test_the_index_finds_what_a_comparison_with_all_finds(large: Large, watcher: Connection) -> None:
    await _build(large, watcher)
    asked: list[str] = []
    large.connection.add_query_logger(lambda query: asked.append(query.query))

    for view in ({}, {"camera": "M10"}, {"max_sharpness": 20}):
        assert await large.recall(**view) >= 0.95, view
    assert any("search_codes" in sql for sql in asked)


async def test_the_scan_gives_as_many_as_are_asked_for(large: Large, watcher: Connection) -> None:
    """`hnsw.ef_search` limits what a scan gives, and a filter takes away from it."""
    await _build(large, watcher)

    found = await likeness.nearest(large.connection, _clustered(1, 5)[0], "e", GalleryQuery(camera="F3"))

    assert len(found) == len(set(found)) == likeness.NEAREST


async def test_vectors_that_came_or_changed_since_are_found(large: Large, watcher: Connection) -> None:
    await _build(large, watcher)
    aim = np.zeros(DIM, np.float16)
    aim[3] = -1
    changed, new = large.ids[10], await large.connection.fetchval(
        "INSERT INTO photos (root_id, rel_path, status) SELECT root_id, 'new.jpg', 'ready' FROM photos LIMIT 1 "
        "RETURNING id"
    )  # fmt: skip
    await large.connection.execute("SELECT refresh_gallery($1)", [new])
    for photo in (changed, new):
        await large.embed(photo, aim)

    found = await likeness.nearest(large.connection, aim, "e", GalleryQuery())

    assert found[:2] == [changed, new]
    assert (await search_index.state(large.connection))["unindexed"] == 2


async def test_a_vector_that_changes_during_a_build_stays_outside_the_index(
    large: Large, watcher: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await connect(database_url)
    prepare = search_index._prepare

    async def changed_meanwhile(connection: Connection, vectors: int) -> None:
        await Large(other, large.encoder, large.ids).embed(large.ids[0], _clustered(1, 3)[0])
        await prepare(connection, vectors)

    monkeypatch.setattr(search_index, "_prepare", changed_meanwhile)
    await _build(large, watcher)
    await other.close()

    assert [row["photo_id"] for row in await large.connection.fetch("SELECT photo_id FROM unindexed_vectors")] == [
        large.ids[0]
    ]


async def test_a_build_tells_how_far_it_is_and_replaces_the_one_before(large: Large, watcher: Connection) -> None:
    await large.connection.execute("CREATE TABLE search_codes_1_999_taken (photo_id bigint)")  # of a broken-off build
    await _build(large, watcher)
    told = await _build(large, watcher)

    assert told[0] == ("codes", 0, PHOTOS)
    assert told[-1] == ("graph", PHOTOS, PHOTOS)
    tables = await large.connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^search_c'")
    assert [row["relname"] for row in tables] == [await large.connection.fetchval("SELECT codes FROM search_indexes")]
    assert (await search_index.state(large.connection))["unindexed"] == 0


async def test_two_builds_at_once_are_refused(large: Large, watcher: Connection) -> None:
    await watcher.execute("SELECT pg_advisory_lock($1)", search_index._LOCK)

    with pytest.raises(RequestError, match="being built already"):
        await _build(large, watcher)


async def test_without_an_index_everything_is_compared(large: Large) -> None:
    assert await large.recall() == 1.0


async def test_the_command_builds_the_index(large: Large, database_url: str) -> None:
    import asyncio
    import json

    _register_all()
    runner = CliRunner(env={"DATABASE_URL": database_url})
    done = await asyncio.to_thread(runner.invoke, app, ["search", "index", "--json"])
    state = await asyncio.to_thread(runner.invoke, app, ["search", "status", "--json"])

    assert json.loads(done.stdout)["vectors"] == PHOTOS
    assert {k: json.loads(state.stdout)[k] for k in ("indexed", "unindexed")} == {"indexed": PHOTOS, "unindexed": 0}
