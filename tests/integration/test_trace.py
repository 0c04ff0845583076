"""`fineshyt trace`: stages, decisions, versions, bursts and other programs, each in words."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from contracts.settings import Settings
from tests.integration.archive import Archive
from tests.integration.messages import curated, embedded, result
from web import trace, version_search, xmp_out
from web.burst_decisions import kept_behind
from web.database import Connection
from web.decisions import Change, apply_decisions, apply_values
from web.round_trip import Wish

pytestmark = pytest.mark.integration


@pytest.fixture
async def archive(database: Connection, settings: Settings, tmp_path: Path) -> Archive:
    return Archive(database, settings, tmp_path)


async def _told(archive: Archive, photo_id: int) -> str:
    lines = await trace.history(archive.connection, photo_id)
    assert [at for at, _ in lines] == sorted(at for at, _ in lines)
    return "\n".join(what for _, what in lines)


async def _decide(archive: Archive, photo_id: int, **decision: object) -> None:
    await apply_decisions(archive.connection, [photo_id], Change.model_validate(decision))


async def test_decisions_are_told_as_a_person_would(archive: Archive) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    await archive.apply(result("curate", photo, curated("A ferry in fog")))
    for decision in (
        {"rating": 4}, {"rating": None}, {"manual_match": True}, {"rejected": True}, {"rejected": False},
        {"project": "Harbour"}, {"tags_add": ["fog", "ferry"]}, {"apart": True},
    ):  # fmt: skip
        await _decide(archive, photo, **decision)

    told = await _told(archive, photo)

    for words in (
        "test described it: A ferry in fog", "you gave it 4 stars", "you took its stars back", "you picked it",
        "you rejected it", "you took it back from the rejected", "you put it into the project Harbour",
        "you tagged it fog, ferry", "you split it from its versions",
    ):  # fmt: skip
        assert words in told, told


async def test_versions_are_told_from_both_sides(archive: Archive) -> None:
    root = await archive.root()
    shot = {"captured_at": datetime(2023, 5, 6), "captured_source": "DateTimeOriginal", "camera": "Leica"}
    frame = await archive.ready_photo(root, "trip/IMG_1.jpg", phash=3, **shot)
    edit = await archive.ready_photo(root, "trip/IMG_1-Edit.tif", phash=2**40, **shot)
    await version_search.request(archive.connection)
    await version_search.search_if_wanted(archive.connection)

    assert "a version of 1 other photograph" in await _told(archive, frame)
    assert "it stands behind trip/IMG_1-Edit.tif" in await _told(archive, frame)
    assert "it stands in front of the stack" in await _told(archive, edit)


async def test_a_burst_and_what_was_decided_of_it_are_told(archive: Archive) -> None:
    root = await archive.root()
    best, other = [await archive.ready_photo(root, f"{i}.jpg") for i in range(2)]
    await archive.apply(result("embed", best, embedded(1)), result("embed", other, embedded(2)))
    group = await archive.connection.fetchval(
        "INSERT INTO burst_groups (encoder_id, threshold, gap_s) SELECT id, 0.9, 5 FROM encoders RETURNING id"
    )
    await archive.connection.execute(
        "INSERT INTO burst_members VALUES ($1, $3, true), ($2, $3, false)", best, other, group
    )
    await apply_values(archive.connection, kept_behind(best, [best, other]))

    assert "one of 2 frames of a burst; it is the sharpest" in await _told(archive, best)
    assert "you put it in front of its burst" in await _told(archive, best)
    assert f"you put it behind frame {best} of its burst" in await _told(archive, other)


async def test_stars_that_went_out_are_told(archive: Archive, tmp_path: Path) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.CR2")
    await _decide(archive, photo, rating=5)
    aside = tmp_path / "stars"
    await xmp_out.write(archive.connection, Wish(frozenset(("darktable",)), aside=aside))

    assert f"its sidecar for darktable in {aside}/library-1 and fineshyt agreed: 5 stars" in await _told(archive, photo)
