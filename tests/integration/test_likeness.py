"""Likeness in an archive that is too large to compare every vector: a real HNSW index over 4,000 photographs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from tests.servers import TestServers
from web import likeness, search_index
from web.cli import _register_all, app
from web.database import Connection, connect
from web.errors import RequestError
from web.gallery_query import GalleryQuery

pytestmark = [pytest.mark.integration, pytest.mark.slow]
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
        return float(np.mean([await self.share(vector, GalleryQuery(**view), at) for vector in _clustered(20, 99)]))

    async def share(self, vector: NDArray[np.float16], view: GalleryQuery, at: int = 50) -> float:
        found = await likeness.nearest(self.connection, vector, "e", view)
        best = await likeness.exact(self.connection, vector, self.encoder, view, at)
        return len(set(found[:at]) & set(best)) / len(best)


async def _seed(url: str) -> None:
    connection, watcher = await connect(url), await connect(url)
    root = await connection.fetchval("INSERT INTO library_roots (path) VALUES ('/photographs') RETURNING id")
    ids = await connection.fetchval(_SEED, root, PHOTOS)
    await connection.execute("SELECT refresh_gallery($1)", ids)
    encoder = await connection.fetchval(
        "INSERT INTO encoders (name, dim, status) VALUES ('e', $1, 'active') RETURNING id", DIM
    )
    vectors = _clustered(PHOTOS, 1)
    await connection.copy_records_to_table(
        "embeddings", records=[(encoder, photo, vector) for photo, vector in zip(ids, vectors, strict=True)]
    )
    await connection.execute("ANALYZE")
    await search_index.build(connection, watcher, lambda *_: None)
    await connection.close()
    await watcher.close()


@pytest.fixture(scope="module")
def archive_url(servers: TestServers) -> Iterator[str]:
    """One archive for all: its index is built."""
    url = servers.database()
    asyncio.run(_seed(url))
    yield url
    servers.drop_database(url)


@pytest.fixture
async def large(archive_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Large]:
    """Views of more than 300 photographs ask the index."""
    monkeypatch.setattr(likeness, "EXACT_AT_MOST", 300)
    connection = await connect(archive_url)
    encoder = await connection.fetchval("SELECT id FROM encoders")
    ids = await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM photos")
    yield Large(connection, encoder, ids[:PHOTOS])
    await connection.close()


@pytest.fixture
async def watcher(archive_url: str) -> AsyncIterator[Connection]:
    connection = await connect(archive_url)
    yield connection
    await connection.close()


@pytest.fixture
def by_index(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of every search in a view that is not compared as a whole: whether the index could tell."""
    walked, told = likeness._walked, []

    async def watched(*of: Any) -> list[int] | None:
        found = await walked(*of)
        told.append(found is not None)
        return found

    monkeypatch.setattr(likeness, "_walked", watched)
    return told


async def _build(large: Large, watcher: Connection) -> list[tuple[str, int, int]]:
    told: list[tuple[str, int, int]] = []
    await search_index.build(large.connection, watcher, lambda *news: told.append(news))
    return told


@pytest.mark.parametrize("view", [{}, {"camera": "F3"}, {"max_sharpness": 80}])
async def test_the_index_finds_what_a_comparison_with_all_finds(
    large: Large, by_index: list[bool], view: dict[str, Any]
) -> None:
    assert await large.recall(**view) >= 0.97
    assert by_index.count(True) > by_index.count(False)


async def test_the_scan_gives_as_many_as_are_asked_for(large: Large) -> None:
    """`hnsw.ef_search` limits what a scan gives, and a filter takes away from it."""
    found = await likeness.nearest(large.connection, _clustered(1, 5)[0], "e", GalleryQuery(camera="F3"))

    assert len(found) == len(set(found)) == likeness.NEAREST


@pytest.mark.parametrize("held_back", [1_000, 2_500, 3_500])
async def test_a_filter_that_holds_the_neighbours_back_loses_nothing(large: Large, held_back: int) -> None:
    """Among what is left the codes hardly tell near from far: all lie as far apart as chance has it."""
    shares = []
    for vector in _clustered(4, 7):
        near = await likeness.exact(large.connection, vector, large.encoder, GalleryQuery(), held_back)
        await large.connection.execute(
            "UPDATE gallery SET lens = CASE WHEN photo_id = ANY ($1) THEN 'held back' ELSE 'left' END", near
        )
        shares.append(await large.share(vector, GalleryQuery(lens="left")))

    assert np.mean(shares) >= 0.97


async def test_more_of_the_index_is_compared_until_the_nearest_are_settled(
    large: Large, by_index: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "CANDIDATES", 50)
    few = {"SETTLED": 0.0}
    recall = [await _recall_of_50(large, monkeypatch, **settings) for settings in (few, {})]

    assert recall[0] < 0.9 < 0.95 <= recall[1]
    assert all(by_index)


async def _recall_of_50(large: Large, monkeypatch: pytest.MonkeyPatch, **constants: float) -> float:
    shares = []
    with monkeypatch.context() as patched:
        for name, value in constants.items():
            patched.setattr(likeness, name, value)
        for vector in _clustered(20, 99):
            found = await likeness.nearest(large.connection, vector, "e", GalleryQuery(camera="F3"), 50)
            best = await likeness.exact(large.connection, vector, large.encoder, GalleryQuery(camera="F3"), 50)
            shares.append(len(set(found) & set(best)) / 50)
    return float(np.mean(shares))


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
    large: Large, watcher: Connection, archive_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await connect(archive_url)
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

    vectors = told[0][2]
    assert told[0] == ("codes", 0, vectors)
    assert told[-1] == ("graph", vectors, vectors)
    assert vectors >= PHOTOS
    tables = await large.connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^search_c'")
    assert [row["relname"] for row in tables] == [await large.connection.fetchval("SELECT codes FROM search_indexes")]
    assert (await search_index.state(large.connection))["unindexed"] == 0


async def test_two_builds_at_once_are_refused(large: Large, watcher: Connection) -> None:
    await watcher.execute("SELECT pg_advisory_lock($1)", search_index._LOCK)

    with pytest.raises(RequestError, match="being built already"):
        await _build(large, watcher)


async def test_without_an_index_everything_is_compared(large: Large) -> None:
    undone = large.connection.transaction()
    await undone.start()
    await large.connection.execute("DELETE FROM search_indexes")

    assert await large.recall() == 1.0

    await undone.rollback()


async def test_the_command_builds_the_index(large: Large, archive_url: str) -> None:
    _register_all()
    runner = CliRunner(env={"DATABASE_URL": archive_url})
    done = await asyncio.to_thread(runner.invoke, app, ["search", "index", "--json"])
    state = await asyncio.to_thread(runner.invoke, app, ["search", "status", "--json"])
    said = await asyncio.to_thread(runner.invoke, app, ["search", "status"])

    assert (built := json.loads(done.stdout)["vectors"]) >= PHOTOS
    assert {k: json.loads(state.stdout)[k] for k in ("indexed", "unindexed")} == {"indexed": built, "unindexed": 0}
    assert said.stdout == f"e: {built:,} photographs in the index, 0 outside.\n"
