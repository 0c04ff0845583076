"""Export: who is approved, and that a folder of somebody else's files is safe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.chaos.photographs import make_photographs
from tests.integration.archive import Archive
from web import export
from web.derivatives import derivative_path
from web.errors import RequestError

_BASE: dict[str, Any] = {"rating": 4, "picked": False, "score": None, "cut": 70, "rejected": False, "ready": True}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"rating": 5}, True),
        ({"rating": None, "picked": True, "score": 100}, False),
        ({"rating": 3, "score": 70}, True),
        ({"rating": 3, "score": 69}, False),
        ({"rating": 3}, False),
        ({"rating": 2, "score": 100}, False),
        ({"rating": 1, "picked": True}, True),
        ({"rejected": True}, False),
        ({"ready": False}, False),
    ],
)
def test_who_is_approved(change: dict[str, Any], expected: bool) -> None:
    assert export.approved(**(_BASE | change)) is expected


PLACE = {
    "Exif.GPSInfo.GPSLatitudeRef": "N", "Exif.GPSInfo.GPSLatitude": [44.0, 51.0, 1.72],
    "Exif.GPSInfo.GPSLongitudeRef": "E", "Exif.GPSInfo.GPSLongitude": [34.0, 58.0, 35.93],
}  # fmt: skip


async def _rated(archive: Archive, rel_path: str, stars: int) -> int:
    photo = await archive.ready_photo(await archive.root(), rel_path, camera="M10", camera_serial="12345", exif=PLACE)
    preview = derivative_path(archive.settings.derivatives_dir, photo, 1, "preview")
    made = make_photographs(archive.folder / "made", 1, seed=photo)[0]
    preview.parent.mkdir(parents=True, exist_ok=True)
    made.replace(preview)
    await archive.rate(photo, stars)
    return photo


async def _run(archive: Archive, target: Path, **wish: Any) -> export.Exported:
    wished = export.Wish(**wish)
    rows = await export.chosen(archive.connection, wished)
    return await export.export(archive.connection, archive.settings, target, rows, wished)


def _state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


@pytest.mark.integration
async def test_a_second_run_changes_nothing(archive: Archive, tmp_path: Path) -> None:
    await _rated(archive, "a.jpg", 5)
    await _rated(archive, "b.jpg", 2)
    await _run(archive, tmp_path / "out")
    before = _state(tmp_path / "out")
    export._srgb_profile.cache_clear()

    again = await _run(archive, tmp_path / "out")

    assert set(before) == {"a.jpg", "photos.json"}
    assert (again.written, again.unchanged) == ([], 1)
    assert _state(tmp_path / "out") == before


@pytest.mark.integration
async def test_namesakes_and_foreign_files_keep_their_own(archive: Archive, tmp_path: Path) -> None:
    first = await _rated(archive, "2023/DSC_1.jpg", 5)
    second = await _rated(archive, "2024/DSC_1.jpg", 4)
    out = tmp_path / "out"
    out.mkdir()
    (out / "dsc_1.JPG").write_bytes(b"somebody else's")
    (out / "photos.json").write_text(json.dumps([{"filename": "x.jpg", "mine": 1}]))

    await _run(archive, out)
    await _run(archive, out)

    entries = json.loads((out / "photos.json").read_text())
    assert (out / "dsc_1.JPG").read_bytes() == b"somebody else's"
    assert entries[0] == {"filename": "x.jpg", "mine": 1}
    assert [(e["id"], e["filename"]) for e in entries[1:]] == [(first, "DSC_1-2.jpg"), (second, "DSC_1-3.jpg")]
    assert sorted(p.name for p in out.iterdir()) == ["DSC_1-2.jpg", "DSC_1-3.jpg", "dsc_1.JPG", "photos.json"]


@pytest.mark.integration
async def test_foreign_fields_of_our_entries_are_kept_and_ours_follow(archive: Archive, tmp_path: Path) -> None:
    photo = await _rated(archive, "a.jpg", 4)
    await _run(archive, tmp_path / "out")
    manifest = tmp_path / "out" / "photos.json"
    entries = json.loads(manifest.read_text())
    entries[0]["caption"] = "kept"
    manifest.write_text(json.dumps(entries))
    await archive.rate(photo, 5)

    await _run(archive, tmp_path / "out")

    [entry] = json.loads(manifest.read_text())
    assert (entry["caption"], entry["user_rating"]) == ("kept", 5)


@pytest.mark.integration
async def test_a_manifest_that_is_no_list_is_left_alone(archive: Archive, tmp_path: Path) -> None:
    await _rated(archive, "a.jpg", 4)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "photos.json").write_text("{}")

    with pytest.raises(RequestError, match=r"photos\.json is no list"):
        await _run(archive, tmp_path / "out")

    assert [p.name for p in (tmp_path / "out").iterdir()] == ["photos.json"]


@pytest.mark.integration
async def test_srgb_is_embedded_and_nothing_locates_the_photographer(archive: Archive, tmp_path: Path) -> None:
    await _rated(archive, "a.jpg", 4)

    await _run(archive, tmp_path / "out", size="80")

    with Image.open(tmp_path / "out" / "a.jpg") as image:
        assert max(image.size) == 80
        assert image.info["icc_profile"]
        exif = image.getexif()
        assert exif[0x0110] == "M10"
        assert not exif.get_ifd(0x8825)
    assert b"12345" not in (tmp_path / "out" / "a.jpg").read_bytes()


@pytest.mark.integration
@pytest.mark.parametrize("name", ["a.jpg", "a.cr3"])
async def test_the_position_goes_along_when_asked_for_whatever_the_original_is(
    archive: Archive, tmp_path: Path, name: str
) -> None:
    await _rated(archive, name, 4)

    await _run(archive, tmp_path / "out", keep_gps=True)

    with Image.open(tmp_path / "out" / "a.jpg") as image:
        place = image.getexif().get_ifd(0x8825)
    assert (place[1], place[3]) == ("N", "E")
    assert [float(part) for part in place[2]] == [44.0, 51.0, 1.72]


@pytest.mark.integration
async def test_a_rendering_that_pillow_would_take_for_an_attack_is_exported(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _rated(archive, "a.jpg", 5)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)

    outcome = await _run(archive, tmp_path / "out")

    assert outcome.failed == {}
    assert (tmp_path / "out" / "a.jpg").is_file()


@pytest.mark.integration
async def test_what_cannot_be_read_is_said_and_the_rest_goes_on(archive: Archive, tmp_path: Path) -> None:
    broken = await _rated(archive, "broken.jpg", 4)
    await _rated(archive, "whole.jpg", 4)
    derivative_path(archive.settings.derivatives_dir, broken, 1, "preview").write_bytes(b"no picture")

    outcome = await _run(archive, tmp_path / "out")

    assert outcome.written == ["whole.jpg"]
    assert "could not be read" in outcome.failed["broken.jpg"]


@pytest.fixture
async def archive(database: object, tmp_path: Path, settings: object) -> Archive:
    return Archive(database, settings, tmp_path)  # type: ignore[arg-type]
