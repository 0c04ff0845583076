"""Stars to and from other programs' files: real files below real roots, a real database, Exiv2 as the other program."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from contracts.settings import Settings
from domain.imaging.hashes import file_hash
from domain.xmp import with_stars
from domain.xmp_containers import image_data_hash
from tests.conftest import DATA
from tests.domain.xmp_samples import DARKTABLE, LIGHTROOM, exiv2_properties
from tests.integration.archive import Archive
from web import consents, history, xmp_in, xmp_out
from web.database import Connection
from web.errors import RequestError
from web.round_trip import Outcome, Wish

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
async def archive(database: Connection, settings: Settings, tmp_path: Path) -> Archive:
    return Archive(database, settings, tmp_path)


async def consented(archive: Archive, root: Path, *kinds: consents.Kind) -> int:
    root_id = int(await archive.connection.fetchval("SELECT id FROM library_roots WHERE path = $1", str(root)))
    for kind in kinds:
        await consents.give(archive.connection, root_id, kind)
    return root_id


async def raw_photo(archive: Archive, root: Path, rel_path: str, stars: int | None = None) -> int:
    photo = await archive.ready_photo(root, rel_path)
    if stars is not None:
        await archive.rate(photo, stars)
    return photo


async def write(archive: Archive, **wish: Any) -> Outcome:
    return await xmp_out.write(archive.connection, Wish(**wish))


async def read(archive: Archive, *, accept: bool = False, **wish: Any) -> Outcome:
    return await xmp_in.read(archive.connection, Wish(**wish), accept=accept)


def rating(path: Path) -> str | None:
    return exiv2_properties(path).get("Xmp.xmp.Rating")


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {"kept.txt"}


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


async def test_sidecars_into_a_folder_of_the_persons_choice_leave_the_library_alone(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "2019/IMG_1.CR2", 5)
    await raw_photo(archive, root, "2019/scan.tif", 2)
    await raw_photo(archive, root, "2019/unrated.CR2")
    before = state(root)

    outcome = await write(archive, aside=archive.folder / "out")

    assert state(root) == before
    assert outcome.written == 3
    assert outcome.needs_embedding == 1
    below = next((archive.folder / "out").iterdir())
    assert below.name.startswith("library-")
    assert {name: rating(below / name) for name in names(below)} == {
        "2019/IMG_1.xmp": "5", "2019/IMG_1.CR2.xmp": "5", "2019/scan.tif.xmp": "2",
    }  # fmt: skip
    assert exiv2_properties(below / "2019/IMG_1.xmp")["Xmp.photoshop.SidecarForExtension"] == "CR2"


async def test_nothing_is_written_below_a_root_without_consent_of_that_kind(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "IMG_1.CR2", 5)
    tif = root / "scan.tif"
    await raw_photo(archive, root, "scan.tif", 4)
    tifffile.imwrite(tif, np.zeros((8, 8), np.uint16), photometric="minisblack")
    before = state(root)

    outcome = await write(archive, beside=True, embed=True)
    assert outcome.without_consent == 4
    assert outcome.written == 0
    assert state(root) == before

    await consented(archive, root, "sidecar")
    outcome = await write(archive, beside=True, embed=True)
    assert outcome.without_consent == 1
    assert names(root) == {"IMG_1.CR2", "IMG_1.xmp", "IMG_1.CR2.xmp", "scan.tif", "scan.tif.xmp"}
    assert tif.read_bytes() == before[str(tif)][0]


async def test_a_folder_in_the_library_is_refused_however_it_is_spelled(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "IMG_1.CR2", 5)
    (archive.folder / "link").symlink_to(root)

    for aside in (root, root / "xmp", archive.folder / "link" / "xmp", archive.folder / "x" / ".." / "library"):
        with pytest.raises(RequestError, match="lies in the library"):
            await write(archive, aside=aside)
    assert names(root) == {"IMG_1.CR2"}


@pytest.mark.parametrize("name", ["formats/grey16-plane.tif", "photos/creek.jpg", "raw/made-bayer.dng"])
async def test_embedding_keeps_the_picture_and_the_next_import_reads_nothing_again(archive: Archive, name: str) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not there")
    root = await archive.root()
    file = root / Path(name).name
    photo = await raw_photo(archive, root, file.name, 4)
    shutil.copyfile(DATA / name, file)
    info = file.stat()
    await archive.connection.execute(
        "UPDATE photos SET file_size = $2, mtime_ns = $3 WHERE id = $1", photo, info.st_size, info.st_mtime_ns
    )
    await consented(archive, root, "embedded")
    picture = image_data_hash(file)

    outcome = await write(archive, embed=True)

    assert (outcome.written, outcome.failed) == (1, 0)
    assert rating(file) == "4"
    assert image_data_hash(file) == picture
    row = await archive.connection.fetchrow("SELECT file_size, mtime_ns, file_hash FROM photos WHERE id = $1", photo)
    now = file.stat()
    assert (row["file_size"], row["mtime_ns"], row["file_hash"]) == (now.st_size, now.st_mtime_ns, file_hash(file))
    assert names(root) == {file.name}


async def test_what_cannot_be_embedded_is_said_and_stays(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "broken.tif", 4)
    await raw_photo(archive, root, "good.CR2", 4)
    await consented(archive, root, "embedded", "sidecar")

    outcome = await write(archive, embed=True, beside=True)

    assert outcome.failed == 1
    assert outcome.sentences == {
        str(root / "broken.tif"): "broken.tif is not built as its format says, so it was left alone."
    }
    assert (root / "broken.tif").read_bytes() == b"picture"
    assert rating(root / "good.xmp") == "4"


async def test_foreign_properties_stay_and_only_the_rating_changes(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "IMG_1.CR2")
    (root / "IMG_1.xmp").write_text(LIGHTROOM)
    (root / "IMG_1.CR2.xmp").write_text(DARKTABLE.replace('Rating="1"', 'Rating="2"'))
    await consented(archive, root, "sidecar")
    photo = (await read(archive, accept=True)).photos and await archive.connection.fetchval("SELECT id FROM photos")
    assert (await archive.decision(photo))["rating"] == 2
    await archive.rate(photo, 5)

    await write(archive, beside=True)

    for path, before in ((root / "IMG_1.xmp", LIGHTROOM), (root / "IMG_1.CR2.xmp", DARKTABLE)):
        now = exiv2_properties(path)
        assert now.pop("Xmp.xmp.Rating") == "5"
        then = exiv2_properties(before.encode())
        del then["Xmp.xmp.Rating"]
        assert now == then


async def test_a_reject_is_minus_one_and_clearing_is_zero(archive: Archive) -> None:
    root = await archive.root()
    rejected = await raw_photo(archive, root, "a.CR2", 3)
    cleared = await raw_photo(archive, root, "b.CR2", 4)
    await consented(archive, root, "sidecar")
    await write(archive, beside=True)
    await archive.connection.execute("UPDATE decisions SET rejected = true WHERE photo_id = $1", rejected)
    await archive.rate(cleared, None)

    await write(archive, beside=True)

    assert rating(root / "a.xmp") == "-1"
    assert rating(root / "b.xmp") == "0"


async def test_a_second_run_writes_nothing(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "a.CR2", 3)
    await consented(archive, root, "sidecar")
    await write(archive, beside=True)
    before = state(root)

    again = await write(archive, beside=True)

    assert (again.written, again.same) == (0, 2)
    assert state(root) == before


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "a.CR2", 3)
    await consented(archive, root, "sidecar")
    before = state(root)

    outcome = await write(archive, beside=True, dry_run=True)

    assert outcome.written == 2
    assert state(root) == before
    assert await archive.connection.fetchval("SELECT count(*) FROM xmp_synced") == 0


# --- three ways -------------------------------------------------------------------------------------------------------


async def _agreed(archive: Archive, stars: int = 3) -> tuple[Path, int]:
    root = await archive.root()
    photo = await raw_photo(archive, root, "a.CR2", stars)
    await consented(archive, root, "sidecar")
    await write(archive, beside=True, programs=frozenset(("lightroom",)))
    return root / "a.xmp", photo


def rerate(path: Path, stars: int) -> None:
    """In another program."""
    path.write_bytes(with_stars(path.read_bytes(), stars))


async def test_a_change_there_is_counted_then_taken_over_and_can_be_undone(archive: Archive) -> None:
    sidecar, photo = await _agreed(archive)
    rerate(sidecar, 5)

    assert (await write(archive, beside=True, programs=frozenset(("lightroom",)))).changed_there == 1
    assert (await read(archive)).changed_there == 1
    assert (await archive.decision(photo))["rating"] == 3

    outcome = await read(archive, accept=True)

    decision = await archive.decision(photo)
    assert (decision["rating"], decision["rating_source"]) == (5, "xmp")
    assert (await archive.gallery(photo))["rating"] == 5
    assert (await archive.job("taste", 0))["status"] == "due"
    assert outcome.action_id is not None
    await history.undo(archive.connection, action_id=outcome.action_id)
    assert (await archive.decision(photo))["rating"] == 3


async def test_both_sides_changed_is_a_conflict_until_the_person_says_whose_word_counts(archive: Archive) -> None:
    sidecar, photo = await _agreed(archive)
    rerate(sidecar, 5)
    await archive.rate(photo, 1)
    before = sidecar.read_bytes()

    written = await write(archive, beside=True, programs=frozenset(("lightroom",)))
    taken = await read(archive, accept=True)

    for outcome in (written, taken):
        conflict = outcome.listed[0]
        assert (conflict.file, conflict.here, conflict.there, conflict.base) == (str(sidecar), 1, 5, 3)
    assert sidecar.read_bytes() == before
    assert (await archive.decision(photo))["rating"] == 1

    await write(archive, beside=True, programs=frozenset(("lightroom",)), prefer="here")
    assert rating(sidecar) == "1"


async def test_the_file_can_be_preferred(archive: Archive) -> None:
    sidecar, photo = await _agreed(archive)
    rerate(sidecar, -1)
    await archive.rate(photo, 1)

    await read(archive, accept=True, prefer="file")

    decision = await archive.decision(photo)
    assert (decision["rejected"], decision["rejected_source"], decision["rating"]) == (True, "xmp", 1)


async def test_a_reject_taken_back_there_brings_the_stars_back_here(archive: Archive) -> None:
    sidecar, photo = await _agreed(archive, stars=4)
    await archive.connection.execute(
        "UPDATE decisions SET rejected = true, rejected_source = 'person' WHERE photo_id = $1", photo
    )
    await write(archive, beside=True, programs=frozenset(("lightroom",)))
    rerate(sidecar, 0)

    await read(archive, accept=True)

    decision = await archive.decision(photo)
    assert (decision["rejected"], decision["rating"]) == (False, 4)


async def test_a_rating_found_on_import_is_the_base_of_what_follows(archive: Archive) -> None:
    """The person re-rates what was taken over from a sidecar: no conflict, the sidecar learns of it."""
    root = await archive.root()
    (root / "a.CR2.xmp").write_text(DARKTABLE.replace('Rating="1"', 'Rating="3"'))
    photo = await archive.ready_photo(root, "a.CR2", found_rating={"stars": 3, "where": "sidecar"})
    assert (await archive.decision(photo))["rating_source"] == "xmp"
    await archive.rate(photo, 5)
    await consented(archive, root, "sidecar")

    outcome = await write(archive, beside=True, programs=frozenset(("darktable",)))

    assert (outcome.written, outcome.conflicts) == (1, 0)
    assert rating(root / "a.CR2.xmp") == "5"


async def test_files_that_disagree_with_each_other_are_a_conflict(archive: Archive) -> None:
    root = await archive.root()
    photo = await raw_photo(archive, root, "a.CR2")
    (root / "a.xmp").write_bytes(with_stars(None, 2))
    (root / "a.CR2.xmp").write_bytes(with_stars(None, 4))

    outcome = await read(archive, accept=True)

    assert {(c.file, c.there) for c in outcome.listed} == {(str(root / "a.xmp"), 2), (str(root / "a.CR2.xmp"), 4)}
    assert await archive.decision(photo) is None


async def test_a_clearing_by_the_person_is_not_filled_again(archive: Archive) -> None:
    root = await archive.root()
    photo = await raw_photo(archive, root, "a.CR2")
    await archive.rate(photo, None)
    (root / "a.xmp").write_bytes(with_stars(None, 4))

    outcome = await read(archive, accept=True)

    assert outcome.conflicts == 1
    assert (await archive.decision(photo))["rating"] is None


# --- traps ------------------------------------------------------------------------------------------------------------


async def test_sidecars_are_found_in_any_spelling_and_not_doubled(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "IMG_1.CR2", 5)
    (root / "img_1.XMP").write_bytes(with_stars(None, 0))
    await consented(archive, root, "sidecar")

    await write(archive, beside=True, programs=frozenset(("lightroom",)))

    assert names(root) == {"IMG_1.CR2", "img_1.XMP"}
    assert rating(root / "img_1.XMP") == "5"


async def test_two_raws_of_one_stem_do_not_fight_over_a_sidecar(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "IMG_1.CR2", 5)
    await raw_photo(archive, root, "IMG_1.NEF", 1)
    await consented(archive, root, "sidecar")

    outcome = await write(archive, beside=True)

    assert rating(root / "IMG_1.xmp") == "5"
    assert (rating(root / "IMG_1.CR2.xmp"), rating(root / "IMG_1.NEF.xmp")) == ("5", "1")
    assert outcome.failed == 1


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"<x:xmpmeta", DARKTABLE.encode()[:900]])
async def test_a_sidecar_that_cannot_be_read_is_never_written_over(archive: Archive, content: bytes) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "a.CR2", 5)
    (root / "a.CR2.xmp").write_bytes(content)
    await consented(archive, root, "sidecar")

    outcome = await write(archive, beside=True, programs=frozenset(("darktable",)))

    assert (outcome.failed, outcome.written) == (1, 0)
    assert (root / "a.CR2.xmp").read_bytes() == content


async def test_links_are_not_followed_out_of_the_library(archive: Archive) -> None:
    root = await archive.root()
    outside = archive.folder / "outside"
    outside.mkdir()
    (outside / "victim.xmp").write_bytes(with_stars(None, 0))
    await raw_photo(archive, root, "a.CR2", 5)
    await raw_photo(archive, root, "sub/b.CR2", 5)
    (root / "a.xmp").symlink_to(outside / "victim.xmp")
    (root / "sub").rename(outside / "sub")
    (root / "sub").symlink_to(outside / "sub")
    await consented(archive, root, "sidecar")
    before = state(outside)

    outcome = await write(archive, beside=True, programs=frozenset(("lightroom",)))

    assert (outcome.failed, outcome.written) == (2, 0)
    assert state(outside) == before


async def test_a_drive_that_is_away_is_counted_and_nothing_is_made_in_its_place(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "a.CR2", 5)
    await consented(archive, root, "sidecar")
    root.rename(archive.folder / "unplugged")

    outcome = await write(archive, beside=True)

    assert (outcome.offline, outcome.written, outcome.failed) == (1, 0, 0)
    assert not root.exists()


async def test_one_place_that_cannot_be_written_stops_no_other(archive: Archive) -> None:
    root = await archive.root()
    await raw_photo(archive, root, "a.CR2", 5)
    (root / "a.xmp").mkdir()
    await consented(archive, root, "sidecar")

    outcome = await write(archive, beside=True)

    assert outcome.failed == 1
    assert rating(root / "a.CR2.xmp") == "5"
