"""What catalogues of other programs say, and that nothing in them is ever touched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from domain.catalogues import CatalogueEntry, read_catalogue
from domain.errors import PermanentError
from tests.domain.catalogue_samples import write_darktable, write_lightroom

REJECTED = 8


def test_lightroom_stars_flags_and_paths(tmp_path: Path) -> None:
    path = write_lightroom(
        tmp_path / "c.lrcat",
        "D:/Photos/",
        [
            ("2019/Iceland/IMG_0001.CR2", 5.0, 1, False), ("2019/Iceland/IMG_0002.CR2", None, 0, False),
            ("IMG_0003.tif", 3.0, -1, False), ("2020/no extension.", 2.0, 0, False),
        ],
    )  # fmt: skip

    read = read_catalogue(path)

    assert read.program == "lightroom"
    assert {entry.path: entry.stars for entry in read.entries} == {
        "D:/Photos/2019/Iceland/IMG_0001.CR2": 5, "D:/Photos/2019/Iceland/IMG_0002.CR2": 0,
        "D:/Photos/IMG_0003.tif": -1, "D:/Photos/2020/no extension": 2,
    }  # fmt: skip


def test_a_virtual_copy_speaks_for_a_file_without_stars_only(tmp_path: Path) -> None:
    path = write_lightroom(
        tmp_path / "c.lrcat",
        "/Users/a/Pictures/",
        [
            ("a.CR2", None, 0, False), ("a.CR2", 2.0, 0, True), ("a.CR2", 4.0, 0, True),
            ("b.CR2", 3.0, 0, False), ("b.CR2", 5.0, 0, True), ("c.CR2", None, -1, False), ("c.CR2", 5.0, 0, True),
        ],
    )  # fmt: skip

    assert list(read_catalogue(path).entries) == [
        CatalogueEntry("/Users/a/Pictures/a.CR2", 4, copies=2, from_copy=True),
        CatalogueEntry("/Users/a/Pictures/b.CR2", 3, copies=1),
        CatalogueEntry("/Users/a/Pictures/c.CR2", -1, copies=1),
    ]


def test_darktables_single_star_is_told_apart(tmp_path: Path) -> None:
    path = write_darktable(
        tmp_path / "library.db",
        [
            ("/p/roll", "a.tif", 0, 1), ("/p/roll", "b.tif", 0, 4), ("/p/roll", "c.tif", 0, 0),
            ("/p/roll", "d.tif", 0, 3 | REJECTED), ("/p/roll", "e.tif", 0, 6), ("/p/roll", "f.tif", 0, 1),
            ("/p/roll", "f.tif", 1, 5 | 1 << 10), ("/p/roll", "g.tif", 0, 2 | 1 << 12),
        ],
    )  # fmt: skip

    assert list(read_catalogue(path).entries) == [
        CatalogueEntry("/p/roll/a.tif", 1, untouched=True),
        CatalogueEntry("/p/roll/b.tif", 4),
        CatalogueEntry("/p/roll/c.tif", 0),
        CatalogueEntry("/p/roll/d.tif", -1),
        CatalogueEntry("/p/roll/e.tif", -1),
        CatalogueEntry("/p/roll/f.tif", 5, copies=1, from_copy=True),
        CatalogueEntry("/p/roll/g.tif", 2),
    ]


def test_the_catalogue_and_its_folder_stay_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    path = write_lightroom(folder / "c.lrcat", "/p/", [("a.CR2", 5.0, 0, False)])
    before = path.read_bytes(), path.stat().st_mtime_ns
    path.chmod(0o400)

    read_catalogue(path, tmp_path / "scratch")

    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [p.name for p in folder.iterdir()] == ["c.lrcat"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_its_program_has_not_folded_in_yet_is_read_too(tmp_path: Path) -> None:
    """A catalogue that is open: the newest stars lie in its journal."""
    path = write_lightroom(tmp_path / "c.lrcat", "/p/", [("a.CR2", 1.0, 0, False)])
    with closing(sqlite3.connect(path)) as open_elsewhere:
        open_elsewhere.execute("PRAGMA journal_mode = WAL")
        open_elsewhere.execute("UPDATE Adobe_images SET rating = 5.0")
        open_elsewhere.commit()
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

        entries = read_catalogue(path).entries

        assert [entry.stars for entry in entries] == [5]
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", [b"", b"no catalogue", b"SQLite format 3\0" + b"\xff" * 4000])
def test_what_is_no_catalogue_is_said_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c.lrcat"
    path.write_bytes(content)

    with pytest.raises(PermanentError, match=r"c\.lrcat is"):
        read_catalogue(path)


def test_a_catalogue_of_an_unknown_version_is_said_so(tmp_path: Path) -> None:
    path = write_lightroom(tmp_path / "c.lrcat", "/p/", [("a.CR2", 5.0, 0, False)])
    with closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE Adobe_images RENAME COLUMN rating TO stars")
        database.commit()

    with pytest.raises(PermanentError, match="version that is not known"):
        read_catalogue(path)


def test_a_value_that_is_no_number_is_said_so(tmp_path: Path) -> None:
    path = write_lightroom(tmp_path / "c.lrcat", "/p/", [("a.CR2", 5.0, 0, False)])
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE Adobe_images SET rating = 'many'")
        database.commit()

    with pytest.raises(PermanentError, match="damaged"):
        read_catalogue(path)


def test_text_that_is_no_utf8_and_numbers_out_of_range(tmp_path: Path) -> None:
    path = write_lightroom(tmp_path / "c.lrcat", "/p/", [("a.CR2", 99.0, 0, False), ("b.CR2", -3.0, 0, False)])
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE AgLibraryFile SET baseName = CAST(x'ff41' AS TEXT) WHERE baseName = 'a'")
        database.commit()

    assert [(e.path, e.stars) for e in read_catalogue(path).entries] == [("/p/\ufffdA.CR2", 5), ("/p/b.CR2", 0)]
