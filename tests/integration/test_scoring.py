"""Scores and MATCH of the whole archive, in a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import numpy as np
import pytest

from contracts.settings import Settings
from domain.taste import tag_affinity, vibe
from web import scoring
from web.database import Connection, connect, connected

pytestmark = pytest.mark.integration


async def photographs(database: Connection, n: int) -> list[int]:
    """`n` ready photographs."""
    root = await database.fetchval("INSERT INTO library_roots (path) VALUES ('/photographs') RETURNING id")
    rows = await database.fetch(
        """INSERT INTO photos (root_id, rel_path, status) SELECT $1, n || '.jpg', 'ready' FROM generate_series(1, $2) n
           RETURNING id""",
        root, n,
    )  # fmt: skip
    ids = sorted(row["id"] for row in rows)
    await database.execute("SELECT refresh_gallery($1)", ids)
    return ids


async def learnt(database: Connection, photos: list[int], *, stars: float) -> None:
    """A model that predicts `stars` for each of `photos`, and a wish for their scores."""
    encoder = await database.fetchval("INSERT INTO encoders (name, dim, status) VALUES ('e', 4, 'active') RETURNING id")
    await database.execute(
        "INSERT INTO embeddings (encoder_id, photo_id, vec) SELECT $1, i, '[1,0,0,0]' FROM unnest($2::bigint[]) i",
        encoder, photos,
    )  # fmt: skip
    await database.execute(
        """INSERT INTO taste_models (encoder_id, dim, weights, bias, n_ratings, tentative, spread_factor, mean)
           VALUES ($1, 4, $2, $3, 30, false, 1, 3)""",
        encoder, np.zeros(4, "<f4").tobytes(), stars,
    )  # fmt: skip
    await scoring.request_scoring(database)


async def give_scores(database: Connection, photos: list[int], scores: list[int]) -> None:
    await database.execute(
        """UPDATE gallery g SET preference = s.score, is_match = is_match(picked, s.score, rating, match_cut())
           FROM unnest($1::bigint[], $2::smallint[]) s (photo_id, score) WHERE g.photo_id = s.photo_id""",
        photos, scores,
    )  # fmt: skip


async def rate(database: Connection, photo: int, stars: int | None) -> None:
    await database.execute(
        """INSERT INTO decisions (photo_id, rating) VALUES ($1, $2)
           ON CONFLICT (photo_id) DO UPDATE SET rating = excluded.rating""",
        photo, stars,
    )  # fmt: skip
    await database.execute("SELECT refresh_gallery($1)", [photo])


async def badges(database: Connection) -> list[bool]:
    return [row["is_match"] for row in await database.fetch("SELECT is_match FROM gallery ORDER BY photo_id")]


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[Connection]:
    """A second connection to the same database."""
    connection = await connect(settings.database_url.get_secret_value())
    yield connection
    await connection.close()


async def test_a_threshold_that_moves_while_the_archive_is_scored_holds_for_every_photo(
    database: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 2)
    await learnt(database, await photographs(database, 7), stars=4.0)
    score_chunk = scoring._score_chunk
    scored = []

    async def then_move(*asked: Any) -> int:
        changed = await score_chunk(*asked)
        if not scored:
            await scoring.set_threshold(other, "80")
        scored.append(changed)
        return changed

    monkeypatch.setattr(scoring, "_score_chunk", then_move)
    await scoring.score_archive(database)

    assert len(scored) > 1
    assert await badges(database) == [False] * 7


async def test_a_badge_that_is_wrong_is_put_right_by_the_next_scoring(database: Connection) -> None:
    await learnt(database, await photographs(database, 3), stars=4.0)
    await scoring.score_archive(database)
    await database.execute("UPDATE gallery SET is_match = NOT is_match")

    await scoring.score_archive(database)

    assert await badges(database) == [True] * 3


async def test_a_threshold_waits_for_decisions_that_were_made_under_the_one_before(
    database: Connection, other: Connection
) -> None:
    [photo] = await photographs(database, 1)
    await give_scores(database, [photo], [75])
    await scoring.set_threshold(database, "80")
    await rate(database, photo, 2)
    decision = other.transaction()
    await decision.start()
    await rate(other, photo, None)

    moved = asyncio.create_task(scoring.set_threshold(database, "70"))
    await asyncio.wait([moved], timeout=0.2)
    await decision.commit()
    await moved

    assert await badges(database) == [True]


async def test_a_threshold_that_was_set_by_hand_is_not_taken_back_by_auto(
    database: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = await photographs(database, 20)
    await give_scores(database, photos, [40 + n for n in range(20)])
    await scoring.set_threshold(database, "auto")
    await give_scores(database, photos, [50 + n for n in range(20)])
    auto_cut = scoring._auto_cut

    async def then_set(connection: Connection) -> int | None:
        found = await auto_cut(connection)
        await scoring.set_threshold(other, "55")
        return found

    monkeypatch.setattr(scoring, "_auto_cut", then_set)
    await scoring._follow_auto_threshold(database)

    assert await scoring.match_cut(database) == 55
    assert sum(await badges(database)) == 15


async def test_auto_shows_at_most_one_in_five_although_many_have_the_same_score(database: Connection) -> None:
    photos = await photographs(database, 20)
    await give_scores(database, photos, [90] + [80] * 6 + [10] * 13)
    for photo, stars in zip(photos, [5] + [2] * 9, strict=False):
        await rate(database, photo, stars)

    assert await scoring.set_threshold(database, "auto") == 90
    assert sum(await badges(database)) == 1


@pytest.fixture
def vacuums(database: Connection, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every VACUUM that a connection was asked for."""
    asked: list[str] = []
    execute = type(database).execute

    async def noted(self: Any, sql: str, *values: Any, **how: Any) -> Any:
        if sql.startswith("VACUUM"):
            asked.append(sql)
        return await execute(self, sql, *values, **how)

    monkeypatch.setattr(type(database), "execute", noted)
    return asked


async def test_what_both_connections_changed_is_counted(
    database: Connection, settings: Settings, vacuums: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 2)
    monkeypatch.setattr(scoring, "_MANY_CHANGED", 1.0)
    await learnt(database, await photographs(database, 9), stars=4.0)

    await scoring.score_archive(database, partial(connected, settings.database_url.get_secret_value()))

    assert len(vacuums) == 1


async def test_many_are_many_of_the_photographs_whatever_their_ids(database: Connection, vacuums: list[str]) -> None:
    await database.execute("ALTER TABLE photos ALTER id RESTART WITH 1000")
    await learnt(database, await photographs(database, 3), stars=4.0)

    await scoring.score_archive(database)

    assert len(vacuums) == 1


async def test_one_connection_scores_where_postgres_gives_no_second(
    database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 2)
    await learnt(database, await photographs(database, 7), stars=4.0)

    @asynccontextmanager
    async def refused() -> AsyncIterator[Connection]:
        raise asyncpg.TooManyConnectionsError("sorry, too many clients already")
        yield

    assert await scoring.score_if_wanted(database, refused)

    rows = await database.fetch("SELECT preference FROM gallery")
    assert [row["preference"] for row in rows] == [75] * 7


async def tag(database: Connection, tags: dict[int, list[str]]) -> None:
    """Gives photographs their tags."""
    pairs = [(name, photo) for photo, names in tags.items() for name in names]
    await database.executemany("INSERT INTO photo_tags (tag, photo_id) VALUES ($1, $2)", pairs)


async def vibes(database: Connection) -> dict[int, int | None]:
    return {row["photo_id"]: row["vibe"] for row in await database.fetch("SELECT photo_id, vibe FROM gallery")}


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for every time that the stars of tags were summed."""
    summed: list[object] = []
    affinity_of = scoring.affinity

    async def noted(connection: Connection, photo_ids: list[int] | None = None) -> scoring.Affinity:
        summed.append(photo_ids)
        return await affinity_of(connection, photo_ids)

    monkeypatch.setattr(scoring, "affinity", noted)
    return summed


async def test_a_vibe_follows_the_stars_of_the_tags_without_the_photos_own(
    database: Connection, sums: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 2)
    sea, dog, both, cat, bare = photos = await photographs(database, 5)
    tags = {sea: ["sea"], dog: ["dog", "grain"], both: ["dog", "sea"], cat: ["cat"], bare: []}
    await tag(database, tags)
    stars = {sea: 2, dog: 5, both: 4}
    for photo, given in stars.items():
        await rate(database, photo, given)
    known = tag_affinity((given, tags[photo]) for photo, given in stars.items())
    expected = {photo: vibe(tags[photo], known, stars.get(photo)) for photo in photos}

    await scoring.score_archive(database)
    assert await vibes(database) == expected
    assert sums == [None]

    await database.execute("UPDATE gallery SET vibe = NULL")
    await scoring.score_photos(database, photos)
    assert await vibes(database) == expected


async def test_the_writer_sums_the_stars_of_tags_again_when_the_archive_is_to_be_scored(
    database: Connection, sums: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_KEPT", 1e9)
    rated, fresh = await photographs(database, 2)
    await tag(database, {rated: ["sea"], fresh: ["sea"]})
    await rate(database, rated, 4)
    kept = scoring.KeptAffinity()

    await scoring.score_photos(database, [fresh], await kept.get(database))
    await rate(database, rated, 2)
    await scoring.score_photos(database, [fresh], await kept.get(database))
    assert (await vibes(database))[fresh] == 75
    await scoring.request_scoring(database)
    await scoring.score_photos(database, [fresh], await kept.get(database))

    assert (await vibes(database))[fresh] == 25
    assert len(sums) == 2


async def test_the_writer_sums_the_stars_of_tags_again_after_a_while(
    database: Connection, sums: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_KEPT", 0)
    kept = scoring.KeptAffinity()
    await kept.get(database)
    await kept.get(database)

    assert len(sums) == 2


async def test_a_rating_that_was_not_summed_is_not_taken_off(database: Connection) -> None:
    rated, fresh = await photographs(database, 2)
    await tag(database, {rated: ["sea"], fresh: ["sea"]})
    await rate(database, rated, 2)
    summed = await scoring.affinity(database)
    await rate(database, fresh, 5)

    await scoring.score_photos(database, [rated, fresh], summed)

    assert await vibes(database) == {rated: None, fresh: 25}


async def test_a_tag_that_came_after_the_sums_leaves_a_vibe_within_bounds(database: Connection) -> None:
    rated, *others = await photographs(database, 3)
    await tag(database, {rated: ["dog"]} | {other: ["sea"] for other in others})
    for photo, stars in zip([rated, *others], (5, 1, 1), strict=True):
        await rate(database, photo, stars)
    summed = await scoring.affinity(database)
    await tag(database, {rated: ["sea"]})

    await scoring.score_photos(database, [rated], summed)

    assert (await vibes(database))[rated] == 0
