"""Taste from the ratings in the database to the figures and reasons that a page shows, by the real stage."""

from __future__ import annotations

import asyncio
import uuid
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
from asgi_lifespan import LifespanManager
from numpy.typing import NDArray

from consumers.taste import Taste
from contracts.claims import ClaimCheck, TasteParams
from contracts.results import EmbedPayload, ScannedFile
from contracts.settings import Settings
from domain.taste_words import prompt
from tests.integration.archive import Archive
from tests.integration.messages import converted, result
from web import jobs, scoring
from web.app import create_app
from web.relay.matrices import taste_matrices
from web.relay.sweep import train_on_late_vectors
from web.text_search import TextTower
from web.word_vectors import WordVectors

pytestmark = pytest.mark.integration

DIM = 16


def vectors(n: int, seed: int = 0) -> NDArray[np.float16]:
    found = np.random.default_rng(seed).standard_normal((n, DIM))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def liking(features: NDArray[np.float16]) -> list[int]:
    """Stars 1 to 5 that follow the first coordinate."""
    first = features[:, 0].astype(float)
    return (np.digitize(first, np.quantile(first, [0.2, 0.4, 0.6, 0.8])) + 1).tolist()


async def embedded_photos(archive: Archive, features: NDArray[np.float16]) -> list[int]:
    """Photos of a folder for every three, each with its vector; one import, as quick as can be."""
    names = [f"shoot{i // 3}/{i}.jpg" for i in range(len(features))]
    files = [ScannedFile(rel_path=name, kind="picture", size=1000, mtime_ns=1) for name in names]
    registered = await archive.register(await archive.start_import(await archive.root()), *files)
    found = await archive.connection.fetch("SELECT id FROM photos WHERE id = ANY ($1) ORDER BY id", registered.new)
    ids = [row["id"] for row in found]
    await archive.apply(*(result("convert", photo, converted(f"{photo}.jpg")) for photo in ids))
    said = [EmbedPayload(encoder="efficientnet-lite2", dim=DIM, vector=v.astype("<f2").tobytes()) for v in features]
    await archive.apply(*(result("embed", i, one.model_dump(mode="json")) for i, one in zip(ids, said, strict=True)))
    return ids


async def rate_all(client: httpx.AsyncClient, photos: list[int], stars: list[int]) -> None:
    for worth in sorted(set(stars)):
        chosen = [photo for photo, given in zip(photos, stars, strict=False) if given == worth]
        answer = await client.post("/api/photos/decisions", json={"ids": chosen, "rating": worth})
        assert answer.status_code == 200, answer.text


async def rate(client: httpx.AsyncClient, photo: int, stars: int | None) -> None:
    answer = await client.put(f"/api/photos/{photo}/decision", json={"rating": stars})
    assert answer.status_code == 200, answer.text


async def claim(archive: Archive) -> TasteParams:
    """What the relay would lay out for the taste job as it is."""
    job = await archive.job("taste", 0)
    params = await taste_matrices(archive.connection, archive.settings, job)
    assert params is not None
    await archive.connection.execute("UPDATE jobs SET status = 'queued' WHERE stage = 'taste'")
    return params


async def learn(archive: Archive) -> TasteParams:
    """Trains on all ratings and scores the archive, as relay, consumer and writer do."""
    await jobs.request_single(archive.connection, "taste")
    params = await claim(archive)
    generation = (await archive.job("taste", 0))["generation"]
    check = ClaimCheck(
        claim_id=str(uuid.uuid4()), stage="taste", subject_id=0, generation=generation, attempt=1,
        params=params.model_dump(),
    )  # fmt: skip
    [(_, payload)] = list(Taste(archive.settings).run([check]))
    await archive.apply(result("taste", 0, payload.model_dump(mode="json"), generation=generation))
    assert await scoring.score_if_wanted(archive.connection)
    return params


async def taste(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/api/taste")).json()
    return found


async def test_a_taste_is_told_with_its_figures(archive: Archive, client: httpx.AsyncClient) -> None:
    features = vectors(45)
    photos = await embedded_photos(archive, features)
    await rate_all(client, photos, liking(features)[:36])

    await learn(archive)

    told = await taste(client)
    model = told["model"]
    assert model["cv_rank_correlation"] > 0.4
    assert model["chance"] <= 0.05
    assert model["tentative"] is False
    assert model["curve"][-1] == [36, pytest.approx(model["cv_rank_correlation"], abs=1e-3)]
    assert told["ratings_to_go"] == 0
    assert told["tried_at"][0][0] == 36
    shown, liked = told["tried_at"][60]
    assert liked / shown > told["liked_share"]
    gaps = [abs(one["stars"] - one["predicted"]) for one in told["disagreements"]]
    assert gaps == sorted(gaps, reverse=True)


async def test_what_could_be_chance_is_tentative(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await embedded_photos(archive, vectors(30))
    await rate_all(client, photos, np.random.default_rng(8).permutation(np.arange(30) % 5 + 1).tolist())

    await learn(archive)

    told = await taste(client)
    assert told["model"]["chance"] > 0.05
    assert told["model"]["tentative"] is True
    assert told["ratings_to_go"] != 0
    assert 'data-taste="tentative"' in (await client.get("/gallery")).text


async def test_a_score_is_the_sum_of_what_rated_photos_lend_it(archive: Archive, client: httpx.AsyncClient) -> None:
    features = vectors(40)
    photos = await embedded_photos(archive, features)
    await rate_all(client, photos, liking(features)[:30])
    await learn(archive)
    await rate(client, photos[0], 1)  # what was trained on stays what explains the score

    for photo in photos[25:35]:
        reasons = (await client.get(f"/api/taste/why/{photo}")).json()
        total = reasons["mean"] + sum(part["points"] for part in reasons["parts"]) + reasons["others"]["points"]
        assert total == pytest.approx(reasons["sum"])
        assert reasons["score"] == pytest.approx((await archive.gallery(photo))["preference"], abs=1)
        assert abs(reasons["score"] - min(100, max(0, reasons["sum"]))) <= 0.5
        assert len(reasons["parts"]) + reasons["others"]["count"] == 30
        assert_the_largest_come_first(reasons["parts"])


async def test_the_others_are_no_dump_for_what_does_not_add_up(archive: Archive, client: httpx.AsyncClient) -> None:
    """With as many ratings as parts are named, nothing is left for the others."""
    features = vectors(8)
    photos = await embedded_photos(archive, features)
    await rate_all(client, photos, [1, 5, 2, 4, 3, 5])
    await learn(archive)

    reasons = (await client.get(f"/api/taste/why/{photos[7]}")).json()

    assert reasons["others"]["count"] == 0
    assert reasons["others"]["points"] == pytest.approx(0, abs=0.1)


def assert_the_largest_come_first(parts: list[dict[str, Any]]) -> None:
    sizes = [abs(part["points"]) for part in parts]
    assert sizes == sorted(sizes, reverse=True)


class Tower(TextTower):
    """A text tower whose word for high contrast is the direction that these ratings follow."""

    async def encode(self, text: str, encoder: str | None) -> NDArray[np.float16]:
        if text == prompt("high contrast"):
            return np.eye(DIM, dtype=np.float16)[0]
        return vectors(1, seed=zlib.crc32(text.encode()))[0]


@pytest.fixture
async def worded(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    async with LifespanManager(app) as manager:
        app.state.context = replace(app.state.context, words=WordVectors(Tower()))
        transport = httpx.ASGITransport(manager.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:4000") as client:
            yield client
        await app.state.context.words.close()


async def test_words_tell_the_same_sum_where_the_encoder_understands_them(
    archive: Archive, worded: httpx.AsyncClient
) -> None:
    features = vectors(40)
    photos = await embedded_photos(archive, features)
    await rate_all(worded, photos, liking(features)[:30])
    await learn(archive)
    assert (await worded.get(f"/api/taste/why/{photos[35]}")).json()["in_words"] is None
    await archive.connection.execute("UPDATE encoders SET name = 'ViT-L-14/made'")

    async with asyncio.timeout(10):
        while (reasons := (await worded.get(f"/api/taste/why/{photos[35]}")).json())["in_words"] is None:
            await asyncio.sleep(0.01)

    told = reasons["in_words"]
    assert "high contrast" in [part["word"] for part in told["parts"]]
    total = reasons["mean"] + sum(part["points"] for part in told["parts"]) + told["rest"]
    assert total == pytest.approx(reasons["sum"])
    assert_the_largest_come_first(told["parts"])


async def test_a_photo_without_a_score_has_no_reasons(archive: Archive, client: httpx.AsyncClient) -> None:
    [photo] = await embedded_photos(archive, vectors(1))
    answer = await client.get(f"/api/taste/why/{photo}")
    assert answer.status_code == 404
    assert "no score yet" in answer.json()["detail"]


async def test_the_first_guess_is_kept(archive: Archive, client: httpx.AsyncClient) -> None:
    features = vectors(30)
    photos = await embedded_photos(archive, features)
    await rate_all(client, photos, liking(features)[:20])
    await learn(archive)
    fresh = photos[25]
    guess = (await archive.gallery(fresh))["preference"]

    await rate(client, fresh, 5)
    await learn(archive)
    await rate(client, fresh, None)
    await rate(client, fresh, 1)

    kept = await archive.connection.fetchrow("SELECT * FROM taste_guesses WHERE photo_id = $1", fresh)
    assert (kept["score"], kept["version"], kept["offer"]) == (guess, 1, None)
    before = await archive.connection.fetchrow("SELECT * FROM taste_guesses WHERE photo_id = $1", photos[0])
    assert (before["score"], before["version"]) == (None, None)


async def test_one_offer_in_five_is_random_and_its_rating_is_known_as_such(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    features = vectors(40)
    photos = await embedded_photos(archive, features)
    await rate_all(client, photos, liking(features)[:20])
    await learn(archive)

    offer = (await client.get("/api/taste/next?size=10&seed=3")).json()
    assert offer["random"] == [offer["ids"][0], offer["ids"][5]]
    await rate_all(client, offer["ids"], [4] * 10)

    rows = await archive.connection.fetch("SELECT photo_id, offer FROM taste_guesses WHERE offer IS NOT NULL")
    assert {row["photo_id"] for row in rows if row["offer"] == "random"} == set(offer["random"])
    assert {row["photo_id"] for row in rows} == set(offer["ids"])
    assert (await taste(client))["witness"]["random"] == {"guesses": 2, "rank_correlation": None}


async def test_an_offer_holds_one_frame_of_a_burst(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await embedded_photos(archive, vectors(12))
    await archive.connection.execute("UPDATE gallery SET burst_group = 7 WHERE photo_id = ANY ($1)", photos[:9])

    offer = (await client.get("/api/taste/next?size=12&seed=1")).json()

    assert len(set(offer["ids"]) & set(photos[:9])) == 1
    assert len(offer["ids"]) == 4


async def test_the_automatic_threshold_follows_randomly_offered_photos(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    """A person who comes to the best photographs first would otherwise match nearly everything."""
    features = vectors(60)
    photos = await embedded_photos(archive, features)
    await rate_all(client, photos, liking(features)[:10])
    await learn(archive)
    await client.put("/api/taste/threshold", json={"value": "auto"})
    await archive.connection.execute(
        "INSERT INTO taste_offers SELECT i, 'random' FROM unnest($1::bigint[]) i", photos[10:30]
    )
    await rate_all(client, photos[10:50], [5] * 2 + [2] * 18 + [5] * 20)
    await learn(archive)

    shown = await archive.connection.fetchval(
        "SELECT avg((preference >= match_cut())::int) FROM gallery WHERE preference IS NOT NULL"
    )
    assert 0.05 <= shown <= 0.15


async def test_stars_that_came_before_the_vectors_are_learnt_once(archive: Archive, client: httpx.AsyncClient) -> None:
    """Imported photos bring their stars with them, and are embedded later than that."""
    photos = await embedded_photos(archive, vectors(12))
    for photo, stars in zip(photos, [1, 5, 2, 4, 3, 5], strict=False):
        await archive.rate(photo, stars)

    await train_on_late_vectors(archive.connection)
    assert (await archive.job("taste", 0))["status"] == "due"
    await learn(archive)
    await train_on_late_vectors(archive.connection)
    assert (await archive.job("taste", 0))["status"] == "done"

    await archive.rate(photos[7], 2)
    await train_on_late_vectors(archive.connection)
    assert (await archive.job("taste", 0))["status"] == "due"


async def test_stars_of_a_stack_of_versions_are_one_rating(archive: Archive, client: httpx.AsyncClient) -> None:
    """A scan and its two edits were rated with one press."""
    features = vectors(24)
    photos = await embedded_photos(archive, features)
    await archive.connection.executemany(
        "INSERT INTO version_members (photo_id, group_id, place, reason) VALUES ($1, 1, $2, 0)",
        [(photo, place) for place, photo in enumerate(photos[:3])],
    )
    await archive.connection.execute("SELECT refresh_gallery($1)", photos[:3])
    await rate_all(client, photos[3:12], liking(features)[3:12])
    await rate(client, photos[1], 5)

    params = await claim(archive)

    assert np.load(params.photo_ids_path).tolist() == [photos[0], *photos[3:12]]


async def test_a_burst_on_both_sides_of_midnight_is_one_shoot(archive: Archive, client: httpx.AsyncClient) -> None:
    photos = await embedded_photos(archive, vectors(9))
    await rate_all(client, photos, liking(vectors(9)))
    await archive.connection.execute("UPDATE gallery SET burst_group = 7 WHERE photo_id = ANY ($1)", photos[2:4])

    groups = np.load((await claim(archive)).groups_path)

    assert len(set(groups[:6].tolist())) == 1
    assert len(set(groups.tolist())) == 2


async def test_early_in_an_import_those_with_vectors_stand_for_the_archive(
    archive: Archive, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A draw over all photographs would hold next to none that can be compared."""
    monkeypatch.setattr("domain.selection.SAMPLE", 12)
    monkeypatch.setattr("web.relay.matrices.ARCHIVE_SAMPLE", 12)
    monkeypatch.setattr("web.relay.sweep.ARCHIVE_SAMPLE", 12)
    photos = await embedded_photos(archive, vectors(240))
    held = await archive.connection.fetch(
        "DELETE FROM embeddings WHERE NOT photo_id = ANY ($1) RETURNING *", photos[200:210]
    )
    await rate_all(client, photos[200:], liking(vectors(6)))
    offer = (await client.get("/api/taste/next?size=12&seed=1")).json()
    assert sorted(offer["ids"]) == photos[206:210]

    params = await learn(archive)
    assert len(np.load(params.archive_path)) == 10
    await train_on_late_vectors(archive.connection)
    assert (await archive.job("taste", 0))["status"] == "done"

    monkeypatch.setattr("web.relay.sweep.ARCHIVE_SAMPLE", 40)
    await archive.connection.copy_records_to_table("embeddings", records=held)
    await train_on_late_vectors(archive.connection)
    assert (await archive.job("taste", 0))["status"] == "due"


async def test_among_many_ratings_a_judgement_waits_for_some_that_are_new(
    archive: Archive, client: httpx.AsyncClient
) -> None:
    features = vectors(120)
    photos = await embedded_photos(archive, features)
    await rate_all(client, photos, liking(features)[:110])
    assert (await learn(archive)).judged

    await rate(client, photos[111], 3)
    assert not (await learn(archive)).judged
    carried = (await taste(client))["model"]
    assert (carried["n_ratings"], carried["judged_ratings"], carried["tentative"]) == (111, 110, False)
    assert carried["chance"] <= 0.05

    await rate_all(client, photos[112:116], [3] * 4)
    assert (await learn(archive)).judged
