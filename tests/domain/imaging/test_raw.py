"""Camera RAW: which picture is taken, what it is told of, and what its identity is."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from domain.errors import PermanentError
from domain.imaging.conversion import render
from domain.imaging.picture import Want
from domain.imaging.raw import payload_hash
from tests.domain.imaging.documents import write_dng
from tests.domain.imaging.notes import write_notes
from tests.domain.imaging.pictures import CAP, converted, read, rms, scene

SENSOR = (1800, 1200)


def picture_of(width: int, height: int, *, grey: bool = False) -> Image.Image:
    """Darker than the sensor's scene, so that it shows which of both was taken."""
    preview = Image.fromarray(scene(width, height) // 2)
    return preview.convert("L") if grey else preview


@pytest.mark.parametrize(
    ("name", "size", "source"),
    [
        ("canon.crw", (2176, 1448), "embedded_preview"),
        ("kodak-c330.raw", (1216, 912), "demosaic"),
        ("kodak-dc50.kdc", (768, 512), "demosaic"),
        ("made-bayer.dng", (1600, 1066), "demosaic"),
    ],
)
def test_shared_raw(shared_data: Path, tmp_path: Path, name: str, size: tuple[int, int], source: str) -> None:
    result = converted(shared_data / "raw" / name, tmp_path)

    assert (result.facts.width, result.facts.height) == size
    assert result.facts.picture_source == source
    assert result.preview.size == (min(1440, size[0]), result.facts.preview_height)
    assert 40 < result.pixels.mean() < 200 and result.pixels.std() > 20
    assert result.facts.focus_score is not None and result.facts.focus_source == "demosaic"
    assert not result.facts.is_monochrome


def test_a_demosaic_shows_what_the_sensor_saw(shared_data: Path, tmp_path: Path) -> None:
    """`made-bayer.dng` was made from `angled-landscape.jpg`."""
    demosaic = converted(shared_data / "raw" / "made-bayer.dng", tmp_path / "a").thumb
    made_from = converted(shared_data / "photos" / "angled-landscape.jpg", tmp_path / "b", want_focus=False).thumb

    a, b = (np.asarray(t.resize((90, 60)), np.float64) for t in (demosaic, made_from))

    assert all(np.corrcoef(a[..., c].ravel(), b[..., c].ravel())[0, 1] > 0.9 for c in range(3))


@pytest.mark.parametrize(
    ("preview", "source", "focus"),
    [
        ((1800, 1200), "embedded_preview", "embedded_preview"),  # shows every pixel of the sensor
        ((1440, 960), "embedded_preview", "demosaic"),  # large enough to look at, not to measure
        ((1439, 959), "demosaic", "demosaic"),
        ((160, 107), "demosaic", "demosaic"),
        (None, "demosaic", "demosaic"),
    ],
)
def test_the_embedded_preview_is_taken_from_1440_pixels_on(
    tmp_path: Path, preview: tuple[int, int] | None, source: str, focus: str
) -> None:
    original = write_dng(tmp_path / "a.dng", scene(*SENSOR), picture_of(*preview) if preview else None)

    result = converted(original)

    assert (result.facts.picture_source, result.facts.focus_source) == (source, focus)
    assert (result.facts.width, result.facts.height) == SENSOR
    assert result.preview.size == (1440, 960)
    shows_preview = rms(result.preview, picture_of(1440, 960)) < 8
    assert shows_preview == (source == "embedded_preview")


@pytest.mark.parametrize("grey", [True, False])
def test_a_monochrome_preview_keeps_the_demosaic_monochrome(tmp_path: Path, grey: bool) -> None:
    original = write_dng(tmp_path / "a.dng", scene(1000, 600), picture_of(320, 192, grey=grey))

    result = converted(original)

    assert result.facts.picture_source == "demosaic"
    assert result.facts.is_monochrome == grey == (result.preview.mode == "L")


def test_a_damaged_preview_gives_way_to_the_sensor(tmp_path: Path) -> None:
    original = write_dng(tmp_path / "a.dng", scene(*SENSOR), picture_of(*SENSOR))
    with tifffile.TiffFile(original) as tiff:
        at, size = tiff.pages.first.dataoffsets[0], tiff.pages.first.databytecounts[0]
    data = bytearray(original.read_bytes())
    data[at + size // 2 : at + size] = bytes(size - size // 2)
    original.write_bytes(data)

    assert converted(original).facts.picture_source == "demosaic"


def test_the_pixel_hash_outlives_rewritten_notes(shared_data: Path, tmp_path: Path) -> None:
    original = tmp_path / "a.dng"
    shutil.copy(shared_data / "raw" / "made-bayer.dng", original)
    before = converted(original, tmp_path / "out").facts

    write_notes(original, {"Exif.Image.Artist": "someone" * 50, "Xmp.xmp.Rating": "5"})

    after = converted(original, tmp_path / "out").facts
    assert after.file_hash != before.file_hash
    assert after.pixel_hash == before.pixel_hash
    assert after.found_rating is not None and after.found_rating.stars == 5


def test_the_pixel_hash_is_of_the_sensor_and_not_of_the_preview(tmp_path: Path) -> None:
    changed = scene(400, 300)
    changed[10, 10] ^= 0x80
    a, b, c = (
        payload_hash(write_dng(tmp_path / name, pixels, preview), Want(CAP))
        for name, pixels, preview in (
            ("a.dng", scene(400, 300), None),
            ("b.dng", scene(400, 300), picture_of(200, 150)),
            ("c.dng", changed, None),
        )
    )

    assert a == b != c


def test_a_hash_of_the_payload_alone_is_that_of_the_decoding(shared_data: Path, tmp_path: Path) -> None:
    for original in sorted((shared_data / "raw").iterdir()):
        assert payload_hash(original, Want(CAP)) == converted(original, tmp_path, want_focus=False).facts.pixel_hash


def test_a_raw_under_a_tiffs_name(shared_data: Path, tmp_path: Path) -> None:
    original = tmp_path / "a.tif"
    shutil.copy(shared_data / "raw" / "made-bayer.dng", original)

    assert converted(original).facts.picture_source == "demosaic"


def test_a_tiff_under_a_raws_name(tmp_path: Path) -> None:
    original = tmp_path / "a.nef"
    tifffile.imwrite(original, scene(), photometric="rgb")

    result = converted(original)

    assert result.facts.picture_source == "original"
    assert rms(result.preview, scene()) < 3


@pytest.mark.parametrize("preview", [None, picture_of(*SENSOR)])
def test_a_raw_cut_short_is_refused(tmp_path: Path, preview: Image.Image | None) -> None:
    original = write_dng(tmp_path / "a.dng", scene(*SENSOR), preview)
    original.write_bytes(original.read_bytes()[:-1_000_000])

    with pytest.raises(PermanentError, match=r"a\.dng is (cut short|damaged)"):
        converted(original)


def test_the_pixel_cap_holds_for_the_sensor(tmp_path: Path) -> None:
    original = write_dng(tmp_path / "a.dng", scene(400, 300))

    with pytest.raises(PermanentError, match="claims 400 x 300 pixels"):
        converted(original, pixel_cap=119_999)


def test_a_rendering_is_native_size(tmp_path: Path) -> None:
    original = write_dng(tmp_path / "a.dng", scene(*SENSOR), picture_of(1500, 1000))

    made = render(original, render_path=tmp_path / "r.jpg", pixel_cap=CAP)

    assert (made.width, made.height) == SENSOR
    assert read(tmp_path / "r.jpg").size == SENSOR
