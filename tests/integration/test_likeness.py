"""Likeness in an archive that is too large to compare every vector: a real index over 4,000 photographs."""

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
from web.relay.index_keeper import IndexKeeper

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
        self.likeness = likeness.Likeness()

    async def nearest(self, vector: NDArray[np.float16], limit: int = likeness.NEAREST, **view: Any) -> list[int]:
        return await self.likeness.nearest(self.connection, vector, "e", GalleryQuery(**view), limit)

    async def embed(self, photo: int, vector: NDArray[np.float16]) -> None:
        await self.connection.execute(
            """INSERT INTO embeddings (encoder_id, photo_id, vec) VALUES ($1, $2, $3)
               ON CONFLICT (encoder_id, photo_id) DO UPDATE SET vec = excluded.vec""",
            self.encoder, photo, vector,
        )  # fmt: skip

    async def recall(self, at: int = 50, **view: Any) -> float:
        return float(np.mean([await self.share(vector, at, **view) for vector in _clustered(20, 99)]))

    async def share(self, vector: NDArray[np.float16], at: int = 50, **view: Any) -> float:
        found = await self.nearest(vector, **view)
        best = await likeness.exact(self.connection, vector, self.encoder, GalleryQuery(**view), at)
        return len(set(found[:at]) & set(best)) / len(best)


async def _seed(url: str) -> None:
    connection = await connect(url)
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
    await search_index.build(connection, lambda *_: None)
    await connection.close()


@pytest.fixture(scope="module")
def archive_url(servers: TestServers) -> Iterator[str]:
    """One archive for all: its index is built."""
    url = servers.database()
    asyncio.run(_seed(url))
    yield url
    servers.drop_database(url)


@pytest.fixture
async def large(archive_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Large]:
    """An archive of more than 300 photographs asks the index; a tenth of it is looked up at first."""
    monkeypatch.setattr(likeness, "EXACT_AT_MOST", 300)
    monkeypatch.setattr(likeness, "LOOKED_UP", 400)
    monkeypatch.setattr(likeness, "LOOKED_UP_AT_MOST", 2_000)
    monkeypatch.setattr(likeness, "ENOUGH", 100)
    monkeypatch.setattr(likeness, "COMPARED", (150, 500, 2_000))
    connection = await connect(archive_url)
    encoder = await connection.fetchval("SELECT id FROM encoders")
    ids = await connection.fetchval("SELECT array_agg(id ORDER BY id) FROM photos")
    yield Large(connection, encoder, ids[:PHOTOS])
    await connection.close()


@pytest.fixture
async def other(archive_url: str) -> AsyncIterator[Connection]:
    connection = await connect(archive_url)
    yield connection
    await connection.close()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How each search read its view: `some` of the nearest looked up in it, the `whole` of it, or `all` compared."""
    told: list[str] = []
    in_view, everything = likeness._Asked.in_view, likeness._Asked.everything

    async def watched(asked: likeness._Asked, ids: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        told.append("whole" if ids is None else "some")
        return await in_view(asked, ids)

    async def all_of_it(asked: likeness._Asked) -> list[int]:
        told.append("all")
        return await everything(asked)

    monkeypatch.setattr(likeness._Asked, "in_view", watched)
    monkeypatch.setattr(likeness._Asked, "everything", all_of_it)
    return told


async def _build(large: Large) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    await search_index.build(large.connection, lambda *news: told.append(news))
    return told


@pytest.mark.parametrize("view", [{}, {"camera": "F3"}, {"max_sharpness": 80}])
async def test_the_index_finds_what_a_comparison_with_all_finds(
    large: Large, told: list[str], view: dict[str, Any]
) -> None:
    assert await large.recall(**view) >= 0.97
    assert "all" not in told
    assert told.count("some") > 5 * told.count("whole")


async def test_a_filter_takes_nothing_from_how_many_are_found(large: Large) -> None:
    found = await large.nearest(_clustered(1, 5)[0], camera="F3")

    assert len(found) == len(set(found)) == likeness.NEAREST


@pytest.mark.parametrize("held_back", [1_000, 2_500, 3_500])
async def test_a_filter_that_holds_the_neighbours_back_loses_nothing(
    large: Large, told: list[str], held_back: int
) -> None:
    """Among what is left the codes hardly tell near from far: all lie as far apart as chance has it."""
    shares = []
    for vector in _clustered(4, 7):
        near = await likeness.exact(large.connection, vector, large.encoder, GalleryQuery(), held_back)
        await large.connection.execute(
            "UPDATE gallery SET lens = CASE WHEN photo_id = ANY ($1) THEN 'held back' ELSE 'left' END", near
        )
        shares.append(await large.share(vector, lens="left"))

    assert np.mean(shares) >= 0.97
    assert "whole" in told or held_back == 1_000


async def test_a_view_of_few_photographs_is_compared_as_a_whole(large: Large, told: list[str]) -> None:
    few = large.ids[::100]
    await large.connection.execute(
        "UPDATE gallery SET lens = CASE WHEN photo_id = ANY ($1) THEN 'rare' ELSE 'common' END", few
    )

    assert await large.recall(len(few), lens="rare") == 1.0
    assert set(await large.nearest(_clustered(1, 5)[0], lens="rare")) == set(few)
    assert await large.nearest(_clustered(1, 5)[0], lens="nobody's") == []
    assert "all" not in told


async def test_more_is_compared_until_the_nearest_are_settled(large: Large, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "COMPARED", (50, 200, 1_000, 4_000))
    recall = [await _recall_of_50(large, monkeypatch, settled) for settled in (0.0, likeness.SETTLED)]

    assert recall[0] < 0.9 < 0.95 <= recall[1]


async def _recall_of_50(large: Large, monkeypatch: pytest.MonkeyPatch, settled: float) -> float:
    shares = []
    with monkeypatch.context() as patched:
        patched.setattr(likeness, "SETTLED", settled)
        for vector in _clustered(20, 99):
            found = await large.nearest(vector, 50, camera="F3")
            best = await likeness.exact(large.connection, vector, large.encoder, GalleryQuery(camera="F3"), 50)
            shares.append(len(set(found) & set(best)) / 50)
    return float(np.mean(shares))


async def test_where_nothing_settles_everything_is_compared(
    large: Large, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "SETTLED", 1.1)

    assert await large.recall() == 1.0
    assert told[-2:] == ["whole", "all"]


async def test_vectors_that_came_or_changed_since_are_found(large: Large) -> None:
    await _build(large)
    aim = np.zeros(DIM, np.float16)
    aim[3] = -1
    changed, new = large.ids[10], await large.connection.fetchval(
        "INSERT INTO photos (root_id, rel_path, status) SELECT root_id, 'new.jpg', 'ready' FROM photos LIMIT 1 "
        "RETURNING id"
    )  # fmt: skip
    await large.connection.execute("SELECT refresh_gallery($1)", [new])
    for photo in (changed, new):
        await large.embed(photo, aim)

    found = await large.nearest(aim)

    assert found[:2] == [changed, new]
    assert (await search_index.state(large.connection))["unindexed"] == 2


async def test_a_vector_that_changes_during_a_build_stays_outside_the_index(
    large: Large, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = search_index._write_codes

    async def changed_meanwhile(*of: Any) -> int:
        written = await write(*of)
        await Large(other, large.encoder, large.ids).embed(large.ids[0], _clustered(1, 3)[0])
        return written

    monkeypatch.setattr(search_index, "_write_codes", changed_meanwhile)
    await _build(large)

    assert [row["photo_id"] for row in await large.connection.fetch("SELECT photo_id FROM unindexed_vectors")] == [
        large.ids[0]
    ]


async def test_a_build_tells_how_far_it_is_and_replaces_the_one_before(
    large: Large, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "_WRITE", search_index._WRITE.replace("LIMIT 20000", "LIMIT 1500"))
    await large.connection.execute("CREATE TABLE search_codes_1_999_taken (photo_id bigint)")  # of a broken-off build
    before = await large.nearest(_clustered(1, 5)[0])
    await _build(large)
    told = await _build(large)

    vectors = told[0][1]
    assert vectors >= PHOTOS
    assert told[:3] == [(0, vectors), (1_500, vectors), (3_000, vectors)]
    assert told[-1] == (vectors, vectors)
    tables = await large.connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^search_c'")
    assert [row["relname"] for row in tables] == [await large.connection.fetchval("SELECT codes FROM search_indexes")]
    assert (await search_index.state(large.connection))["unindexed"] == 0
    assert (await large.nearest(_clustered(1, 5)[0]))[:50] == before[:50]


async def test_a_build_during_a_search_hides_nothing_new(
    large: Large, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies outside the index when a search begins is inside another index before it ends."""
    await _build(large)
    aim = np.zeros(DIM, np.float16)
    aim[7] = -1
    await large.embed(large.ids[20], aim)
    await large.nearest(_clustered(1, 5)[0])  # the codes of the index before are in memory
    unindexed = likeness._Asked.unindexed

    async def built_meanwhile(asked: likeness._Asked) -> NDArray[np.int64]:
        await search_index.build(other, lambda *_: None)
        return await unindexed(asked)

    monkeypatch.setattr(likeness._Asked, "unindexed", built_meanwhile)

    assert (await large.nearest(aim))[0] == large.ids[20]


async def test_two_builds_at_once_are_refused(large: Large, other: Connection) -> None:
    await other.execute("SELECT pg_advisory_lock($1)", search_index._LOCK)

    with pytest.raises(RequestError, match="being built already"):
        await _build(large)


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


async def test_a_build_is_wanted_where_many_lie_outside(large: Large) -> None:
    await _build(large)
    assert not await search_index.wanted(large.connection, large=0)

    undone = large.connection.transaction()
    await undone.start()
    await large.connection.execute("UPDATE search_indexes SET vectors = 10")
    await large.connection.execute(
        "INSERT INTO unindexed_vectors (encoder_id, photo_id) SELECT $1, generate_series(1, 5001)", large.encoder
    )
    assert await search_index.wanted(large.connection, large=5_010)
    assert not await search_index.wanted(large.connection, large=5_011)
    await undone.rollback()


async def test_the_relay_builds_it_by_itself(large: Large, archive_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await large.connection.execute("DELETE FROM search_indexes")
    await large.connection.execute(
        "INSERT INTO unindexed_vectors (encoder_id, photo_id) SELECT encoder_id, photo_id FROM embeddings "
        "ON CONFLICT DO NOTHING"
    )
    monkeypatch.setattr(search_index, "OUTSIDE_AT_MOST", 1_000)
    keeper = IndexKeeper(archive_url)

    await keeper.look(large.connection)
    await asyncio.wait_for(keeper.done(), 30)

    state = await search_index.state(large.connection)
    assert (state["indexed"] >= PHOTOS, state["unindexed"]) == (True, 0)
    await keeper.close()
