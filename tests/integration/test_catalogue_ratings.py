"""Ratings of a catalogue, matched by path against a real archive, counted before anything is taken over."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.settings import Settings
from domain.catalogues import read_catalogue
from tests.domain.catalogue_samples import write_darktable, write_lightroom
from tests.integration.archive import Archive
from tests.integration.messages import scanned
from web import catalogue_ratings as ratings
from web import history
from web.database import Connection

pytestmark = pytest.mark.integration


@pytest.fixture
async def archive(database: Connection, settings: Settings, tmp_path: Path) -> Archive:
    return Archive(database, settings, tmp_path)


async def photos(archive: Archive, root: Path, *rel_paths: str) -> list[int]:
    registered = await archive.register(await archive.start_import(root), *(scanned(p) for p in rel_paths))
    return registered.new


async def stars_of(archive: Archive, photo: int) -> int | None:
    row = await archive.decision(photo)
    return row["rating"] if row else None


async def test_counts_first_then_taken_over_then_undone(archive: Archive) -> None:
    root = await archive.root()
    ids = await photos(archive, root, "2019/a.CR2", "2019/b.CR2", "2019/c.CR2", "2019/d.CR2")
    await archive.rate(ids[3], 2)
    catalogue = read_catalogue(
        write_lightroom(
            archive.folder / "c.lrcat",
            f"{root}/",
            [
                ("2019/a.CR2", 5.0, 0, False), ("2019/b.CR2", None, -1, False), ("2019/c.CR2", None, 0, False),
                ("2019/d.CR2", 4.0, 0, False), ("2019/gone.CR2", 3.0, 0, False),
            ],
        )
    )  # fmt: skip

    counts = await ratings.preview(archive.connection, catalogue)

    assert (counts.files, counts.rejected, counts.unrated) == (5, 1, 1)
    assert counts.rated == {1: 0, 2: 0, 3: 1, 4: 1, 5: 1}
    assert (counts.matched, counts.not_found, counts.examples_not_found) == (3, 1, [f"{root}/2019/gone.CR2"])
    assert (counts.fills, counts.replaces, counts.same, counts.kept) == (2, 0, 0, 1)
    assert [await stars_of(archive, i) for i in ids] == [None, None, None, 2]

    taken = await ratings.accept(archive.connection, catalogue)

    assert taken.accepted == 2
    assert [await stars_of(archive, i) for i in ids] == [5, None, None, 2]
    assert (await archive.decision(ids[0]))["rating_source"] == "import"
    rejected = await archive.decision(ids[1])
    assert (rejected["rejected"], rejected["rejected_source"]) == (True, "import")
    assert (await archive.gallery(ids[0]))["rating"] == 5
    assert (await archive.job("taste", 0))["status"] == "due"
    again = await ratings.accept(archive.connection, catalogue)
    assert (again.accepted, again.same) == (0, 2)

    assert taken.action_id is not None
    await history.undo(archive.connection, action_id=taken.action_id)
    assert [await stars_of(archive, i) for i in ids] == [None, None, None, 2]
    assert not (await archive.decision(ids[1]))["rejected"]


async def test_darktables_single_star_needs_to_be_asked_for(archive: Archive) -> None:
    root = await archive.root()
    one, four = await photos(archive, root, "a.tif", "b.tif")
    catalogue = read_catalogue(
        write_darktable(archive.folder / "library.db", [(str(root), "a.tif", 0, 1), (str(root), "b.tif", 0, 4)])
    )

    counts = await ratings.accept(archive.connection, catalogue)

    assert (counts.untouched_one_star, counts.rated[1], counts.accepted) == (1, 0, 1)
    assert (await stars_of(archive, one), await stars_of(archive, four)) == (None, 4)
    assert (await ratings.accept(archive.connection, catalogue, one_star=True)).accepted == 1
    assert await stars_of(archive, one) == 1


async def test_another_machines_folders_are_found_by_the_longest_common_end(archive: Archive) -> None:
    """Counters roll over: the same name in another shoot is not the same photograph."""
    root = await archive.root()
    rel_paths = [f"{shoot}/RAW/IMG_{n:04}.CR2" for shoot in ("oslo", "rome") for n in range(1, 4)]
    ids = dict(zip(rel_paths, await photos(archive, root, *rel_paths), strict=True))
    told = {path: float(n % 5 + 1) for n, path in enumerate(rel_paths)}
    told["athens/RAW/IMG_0001.CR2"] = 5.0
    catalogue = read_catalogue(
        write_lightroom(
            archive.folder / "c.lrcat", "D:\\Photos\\", [(p.upper(), stars, 0, False) for p, stars in told.items()]
        )
    )

    counts = await ratings.accept(archive.connection, catalogue)

    assert counts.folders == [{"from": "D:/Photos", "to": str(root)}]
    assert (counts.matched, counts.not_found) == (6, 1)
    assert {path: await stars_of(archive, photo) for path, photo in ids.items()} == {p: told[p] for p in rel_paths}


async def test_a_bare_name_is_never_enough(archive: Archive) -> None:
    root = await archive.root()
    await photos(archive, root, "oslo/IMG_0001.CR2", "oslo/IMG_0002.CR2")
    catalogue = read_catalogue(
        write_lightroom(
            archive.folder / "c.lrcat",
            "/Volumes/Old/",
            [("rome/IMG_0001.CR2", 5.0, 0, False), ("rome/IMG_0002.CR2", 5.0, 0, False)],
        )
    )

    assert (await ratings.preview(archive.connection, catalogue)).matched == 0


async def test_folders_can_be_named(archive: Archive) -> None:
    root = await archive.root()
    (photo,) = await photos(archive, root, "oslo/IMG_0001.CR2")
    catalogue = read_catalogue(
        write_lightroom(archive.folder / "c.lrcat", "/Volumes/Old/Work/", [("norway/IMG_0001.CR2", 5.0, 0, False)])
    )

    await ratings.accept(archive.connection, catalogue, [("/volumes/old/work/norway", f"{root}/oslo")])

    assert await stars_of(archive, photo) == 5


async def test_the_raw_of_a_pair_speaks_and_a_decomposed_name_is_the_same_name(archive: Archive) -> None:
    root = await archive.root()
    registered = await archive.register(
        await archive.start_import(root), scanned("Zürich/a.CR2", companion="Zürich/a.JPG")
    )
    catalogue = read_catalogue(
        write_darktable(
            archive.folder / "library.db",
            [(f"{root}/Zu\u0308rich", "a.JPG", 0, 2), (f"{root}/Zu\u0308rich", "a.CR2", 0, 4)],
        )
    )

    await ratings.accept(archive.connection, catalogue)

    assert await stars_of(archive, registered.new[0]) == 4


async def test_what_was_found_in_the_file_yields_to_the_catalogue_and_the_person_to_nobody(archive: Archive) -> None:
    root = await archive.root()
    found = await archive.ready_photo(root, "a.CR2", found_rating={"stars": 2, "where": "sidecar"})
    cleared = await archive.ready_photo(root, "b.CR2")
    await archive.rate(cleared, None)
    catalogue = read_catalogue(
        write_lightroom(archive.folder / "c.lrcat", f"{root}/", [("a.CR2", 5.0, 0, False), ("b.CR2", 5.0, 0, False)])
    )

    counts = await ratings.accept(archive.connection, catalogue)

    assert (counts.replaces, counts.kept, counts.accepted) == (1, 1, 1)
    assert (await stars_of(archive, found), await stars_of(archive, cleared)) == (5, None)
