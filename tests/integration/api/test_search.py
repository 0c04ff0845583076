"""Search over HTTP: words, photographs that look alike, sums of both, and every facet and order with them."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import numpy as np
import orjson
import pytest
from asgi_lifespan import LifespanManager
from pydantic import SecretStr

from consumers.text import TextServer
from contracts.settings import Settings
from domain import embedding
from tests.integration.archive import Archive
from tests.integration.messages import curated, result
from web import likeness
from web.app import create_app
from web.text_search import NoTextTowerError, TextTower

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
TINY = "ViT-S-32-alt/random"


async def _encoder(archive: Archive, name: str = "efficientnet-lite2", dim: int = 4) -> int:
    encoder: int = await archive.connection.fetchval(
        "INSERT INTO encoders (name, dim, status) VALUES ($1, $2, 'active') RETURNING id", name, dim
    )
    return encoder


async def _embed(archive: Archive, encoder: int, photo: int, *vector: float) -> None:
    unit = np.array(vector, np.float32) / np.linalg.norm(vector)
    await archive.connection.execute(
        "INSERT INTO embeddings (encoder_id, photo_id, vec) VALUES ($1, $2, $3)", encoder, photo, unit.astype("f2")
    )


async def _fan(archive: Archive, n: int = 6) -> list[int]:
    """Photographs whose vectors turn away from the first one's step by step: `0.jpg`, `1.jpg`, ..."""
    root, encoder = await archive.root(), await _encoder(archive)
    photos = [await archive.ready_photo(root, f"{i}.jpg") for i in range(n)]
    for i, photo in enumerate(photos):
        angle = i * np.pi / 2 / n
        await _embed(archive, encoder, photo, float(np.cos(angle)), float(np.sin(angle)), 0, 0)
    return photos


async def _ids(client: httpx.AsyncClient, **query: object) -> list[int]:
    answer = await client.get("/api/photos/ids", params={k: str(v) for k, v in query.items()})
    assert answer.status_code == 200, answer.text
    ids: list[int] = answer.json()["ids"]
    return ids


async def test_like_this_one_hangs_the_nearest_first(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _fan(archive)

    answer = (await client.get("/api/photos/ids", params={"like": str(photos[0])})).json()

    assert answer["ids"] == photos
    assert answer["sort"] == "-relevance"
    assert answer["note"] is None
    assert await _ids(client, like=photos[0], sort="relevance") == photos[::-1]


async def test_photographs_are_added_and_taken_off(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _fan(archive)

    between = await _ids(client, like=f"{photos[0]},{photos[4]}")
    away = await _ids(client, like=photos[2], unlike=photos[4])

    assert between[0] == photos[2]
    assert away.index(photos[0]) < away.index(photos[4])


async def test_a_facet_holds_back_nothing_that_lies_beyond_the_nearest(
    archive: Archive, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = await _fan(archive)
    monkeypatch.setattr(likeness.Likeness.nearest, "__defaults__", (2,))
    await client.post("/api/photos/decisions", json={"ids": photos[3:], "rating": 4})

    assert await _ids(client, like=photos[0]) == photos[:2]
    assert await _ids(client, like=photos[0], min_rating=4) == photos[3:5]
    assert await _ids(client, like=photos[0], filter="rated") == photos[3:5]


async def test_what_is_found_may_hang_in_any_order_and_comes_in_pages(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    photos = await _fan(archive)
    for sort, expected in (("-newest", photos[::-1]), ("name", photos), ("-relevance", photos)):
        seen, cursor = [], None
        while True:
            query = {"like": photos[0], "sort": sort, "limit": 4} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/api/photos", params=query)).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == expected == await _ids(client, like=photos[0], sort=sort)
        assert page["total"] == len(photos)


async def test_sharper_lifts_what_is_in_focus(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _fan(archive)
    await archive.connection.execute("UPDATE gallery SET focus = photo_id - $1 + 1", photos[0])

    plain, sharper = await _ids(client, like=photos[0]), await _ids(client, like=photos[0], toward="sharper")

    assert sorted(sharper) == sorted(plain)
    assert sharper.index(photos[5]) < plain.index(photos[5])


async def test_photographs_without_vectors_are_said(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")

    answer = (await client.get("/api/photos/ids", params={"like": str(photo)})).json()

    assert answer["ids"] == []
    assert "still to be embedded" in answer["note"]


async def test_words_are_found_in_subject_mood_and_tags_without_a_text_tower(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    root = await archive.root()
    photos = [await archive.ready_photo(root, f"{n}.jpg") for n in range(4)]
    await archive.apply(result("curate", photos[0], curated(subject="Boats in a harbour", suggested_tags=["sea"])))
    await archive.apply(result("curate", photos[1], curated(subject="A street", artistic_mood="calm as a harbour")))
    await client.put(f"/api/photos/{photos[2]}/decision", json={"tags_add": ["old harbours"]})

    answer = (await client.get("/api/photos/ids", params={"q": "harbour"})).json()

    assert answer["ids"][0] == photos[0]  # the subject counts more than the mood
    assert sorted(answer["ids"]) == photos[:3]
    assert "pictures only" in answer["note"]


async def test_words_with_minus_are_left_out_without_a_text_tower(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _fan(archive)
    await client.put(f"/api/photos/{photos[1]}/decision", json={"tags_add": ["people"]})
    await client.put(f"/api/photos/{photos[2]}/decision", json={"tags_add": ["night train"]})

    assert await _ids(client, like=photos[0], minus="people, train") == [photos[0], *photos[3:]]
    assert sorted(await _ids(client, minus="people")) == [photos[0], *photos[2:]]


async def test_words_beside_photographs_narrow_without_a_text_tower(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    photos = await _fan(archive)
    for photo in (photos[4], photos[2]):
        await client.put(f"/api/photos/{photo}/decision", json={"tags_add": ["harbour"]})

    assert await _ids(client, like=photos[0], q="harbour") == [photos[2], photos[4]]


async def test_facets_of_a_search_are_counted_and_can_be_switched(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await _fan(archive)
    await archive.connection.execute(
        "UPDATE gallery SET camera = CASE WHEN photo_id = $1 THEN 'M10' ELSE 'F3' END", photos[0]
    )

    answer = (await client.get("/api/facets", params={"like": str(photos[0]), "camera": "M10"})).json()

    assert answer["camera"] == [{"value": "F3", "count": 5}, {"value": "M10", "count": 1}]


async def test_a_marker_without_a_rank_is_refused(archive: Archive, client: httpx.AsyncClient) -> None:
    view = {"like": str((await _fan(archive))[0]), "limit": 2}
    marker = (await client.get("/api/photos", params=view)).json()["next_cursor"]
    held = orjson.loads(base64.urlsafe_b64decode(marker + "=="))
    forged = base64.urlsafe_b64encode(orjson.dumps([held[0], None, *held[2:]])).decode()

    assert (await client.get("/api/photos", params=view | {"cursor": marker})).status_code == 200
    assert (await client.get("/api/photos", params=view | {"cursor": forged})).status_code == 422


@pytest.mark.parametrize("wrong", ["1,", "a", "-3", ",".join(map(str, range(21)))])
async def test_ids_that_are_none_are_refused(client: httpx.AsyncClient, wrong: str) -> None:
    assert (await client.get("/api/photos/ids", params={"like": wrong})).status_code == 422


# ── With a text tower ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def text_server(settings: Settings, amqp_url: str) -> Iterator[Settings]:
    """A text consumer behind a real broker; yields settings that reach both."""
    ours = settings.model_copy(
        update={"amqp_url": SecretStr(amqp_url), "clip_device": "cpu", "torch_threads": 2, "encoder": TINY}
    )
    server = TextServer(ours)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield ours
    server.stop()
    thread.join(30)


async def _answers(tower: TextTower) -> bool:
    """Not before the consumer has made its queue."""
    try:
        await tower.encode("a photograph", TINY)
    except NoTextTowerError:
        return False
    return True


@pytest.fixture
async def worded(text_server: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The application, with a text tower that is loaded."""
    app = create_app(text_server)
    async with LifespanManager(app, startup_timeout=20) as manager:
        tower: TextTower = app.state.context.text_tower
        async with asyncio.timeout(200):
            while not await _answers(tower):
                await asyncio.sleep(0.1)
        transport = httpx.ASGITransport(manager.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:4000") as client:
            yield client


async def _worded_archive(archive: Archive) -> dict[str, int]:
    """Photographs that lie where the words lie; one is only described by them."""
    tower = embedding.load(TINY, "cpu", 2, "text")
    root, encoder = await archive.root(), await _encoder(archive, TINY, tower.dim)
    photos = {}
    for words in ("an empty street", "a crowd of people", "boats in a harbour"):
        photos[words] = await archive.ready_photo(root, f"{len(photos)}.jpg")
        await _embed(archive, encoder, photos[words], *tower.encode_texts([words])[0].tolist())
    photos["said"] = await archive.ready_photo(root, "said.jpg")
    await archive.apply(result("curate", photos["said"], curated(subject="An empty street")))
    return photos


async def test_words_and_likeness_are_one_order(archive: Archive, worded: httpx.AsyncClient) -> None:
    photos = await _worded_archive(archive)

    answer = (await worded.get("/api/photos/ids", params={"q": "an empty street"})).json()

    assert set(answer["ids"][:2]) == {photos["an empty street"], photos["said"]}
    assert answer["note"] is None
    assert sorted(answer["ids"]) == sorted(photos.values())


async def test_words_are_added_and_taken_off_by_their_vectors(archive: Archive, worded: httpx.AsyncClient) -> None:
    photos = await _worded_archive(archive)
    street, crowd, boats = (photos[w] for w in ("an empty street", "a crowd of people", "boats in a harbour"))

    more = await _ids(worded, like=street, q="boats in a harbour")
    less = await _ids(worded, like=street, minus="boats in a harbour")

    assert more[:2] == [street, boats]
    assert less == [street, crowd, boats]
