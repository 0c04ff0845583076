"""What a file says of its making; every fact written by Exiv2, as other programs write it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from domain.metadata import (
    MAX_TEXT,
    Rating,
    captured_at,
    clean,
    exif_time,
    read_metadata,
    sidecar_rating,
    stars_of,
)
from tests.domain.imaging.notes import write_notes

XMP = """<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description rdf:about='' xmlns:xmp='http://ns.adobe.com/xap/1.0/' {attribute}>{element}</rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""


def noted(path: Path, **notes: str) -> Path:
    """A picture by its suffix, with `Photo_DateTimeOriginal='...'` as `Exif.Photo.DateTimeOriginal`."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, np.zeros((8, 8), np.uint16), photometric="minisblack", metadata=None)
    else:
        Image.new("RGB", (8, 8)).save(path)
    write_notes(path, {f"Exif.{name.replace('_', '.', 1)}": value for name, value in notes.items()})
    return path


def sidecar(path: Path, rating: str | None, *, element: bool = False, at: int | None = None) -> Path:
    attribute = "" if rating is None or element else f"xmp:Rating='{rating}'"
    inner = f"<xmp:Rating>{rating}</xmp:Rating>" if rating is not None and element else ""
    path.write_text(XMP.format(attribute=attribute, element=inner))
    if at is not None:
        os.utime(path, (at, at))
    return path


# --- capture time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png", ".webp"])
def test_the_capture_time_is_told_to_the_microsecond_with_its_offset(tmp_path: Path, suffix: str) -> None:
    path = noted(
        tmp_path / f"a{suffix}",
        Photo_DateTimeOriginal="2021:07:08 09:10:11",
        Photo_SubSecTimeOriginal="123456",
        Photo_OffsetTimeOriginal="+05:30",
        Image_DateTime="2024:01:01 00:00:00",
    )

    captured = read_metadata(path).captured

    assert captured is not None
    assert captured.at == datetime(2021, 7, 8, 9, 10, 11, 123456)
    assert (captured.offset_min, captured.source) == (330, "DateTimeOriginal")


@pytest.mark.parametrize(
    ("missing", "source", "at", "offset"),
    [
        ((), "DateTimeOriginal", datetime(2021, 1, 1, 1, 1, 1, 100_000), 60),
        (("Original",), "DateTimeDigitized", datetime(2022, 2, 2, 2, 2, 2, 200_000), -120),
        (("Original", "Digitized"), "DateTime", datetime(2023, 3, 3, 3, 3, 3, 300_000), 0),
    ],
)
def test_the_order_of_the_tags(
    tmp_path: Path, missing: tuple[str, ...], source: str, at: datetime, offset: int
) -> None:
    """Known trap: reading the first directory alone gives the time of the last edit."""
    notes = {
        "Photo_DateTimeOriginal": "2021:01:01 01:01:01",
        "Photo_SubSecTimeOriginal": "1",
        "Photo_OffsetTimeOriginal": "+01:00",
        "Photo_DateTimeDigitized": "2022:02:02 02:02:02",
        "Photo_SubSecTimeDigitized": "2",
        "Photo_OffsetTimeDigitized": "-02:00",
        "Image_DateTime": "2023:03:03 03:03:03",
        "Photo_SubSecTime": "3",
        "Photo_OffsetTime": "+00:00",
    }
    kept = {k: v for k, v in notes.items() if not any(m in k for m in missing)}

    captured = read_metadata(noted(tmp_path / "a.jpg", **kept)).captured

    assert captured is not None
    assert (captured.source, captured.at, captured.offset_min) == (source, at, offset)


@pytest.mark.parametrize(
    "value", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2021:02:30 10:00:00", "1066:10:14 09:00:00"]
)
def test_an_impossible_time_falls_through(value: str) -> None:
    captured = captured_at({"Exif.Photo.DateTimeOriginal": value, "Exif.Image.DateTime": "2020:05:06 07:08:09"})

    assert captured is not None and captured.source == "DateTime"


def test_no_time_is_none(tmp_path: Path) -> None:
    assert read_metadata(noted(tmp_path / "a.jpg", Image_Make="Canon")).captured is None


@pytest.mark.parametrize(
    ("subseconds", "microsecond"),
    [("5", 500_000), ("05", 50_000), ("123", 123_000), ("1234567", 123_456), (" 7 ", 700_000)],
)
def test_subseconds_are_a_fraction(subseconds: str, microsecond: int) -> None:
    at = exif_time("2021:01:01 00:00:00", subseconds)

    assert at is not None and at.microsecond == microsecond


@given(st.datetimes(datetime(1826, 1, 1), datetime(2199, 12, 31)))
def test_every_time_comes_back(at: datetime) -> None:
    assert exif_time(at.strftime("%Y:%m:%d %H:%M:%S").zfill(19), f"{at.microsecond:06}") == at


@given(st.text() | st.integers() | st.none(), st.text() | st.none())
def test_nonsense_is_no_time_and_no_error(value: object, subseconds: object) -> None:
    exif_time(value, subseconds)
    captured_at({"Exif.Photo.DateTimeOriginal": value, "Exif.Photo.OffsetTimeOriginal": subseconds})


@pytest.mark.parametrize(
    ("offset", "minutes"), [("+14:00", 840), ("-0330", -210), ("Z", None), ("+99:00", None), ("", None)]
)
def test_offsets(offset: str, minutes: int | None) -> None:
    tags = {"Exif.Photo.DateTimeOriginal": "2021:01:01 00:00:00", "Exif.Photo.OffsetTimeOriginal": offset}

    captured = captured_at(tags)

    assert captured is not None and captured.offset_min == minutes


@pytest.fixture
def far_east() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("far_east")
@pytest.mark.parametrize(
    ("name", "at", "source"),
    [
        ("raw/canon.crw", datetime(2018, 1, 1, 13, 3, 32), "DateTimeOriginal"),
        ("raw/kodak-dc50.kdc", datetime(1997, 4, 23, 8, 0, 47), "DateTime"),
        ("raw/made-bayer.dng", datetime(2020, 2, 1, 17, 49, 10), "DateTimeOriginal"),
        ("formats/nef-that-is-a-jpeg.nef", datetime(2010, 3, 1, 21, 50, 40, 100_000), "DateTimeOriginal"),
        ("formats/pug.heic", datetime(2023, 2, 21, 14, 33, 8, 302_000), "DateTimeOriginal"),
        ("formats/cat.hif", datetime(2020, 9, 14, 11, 9, 34, 641_000), "DateTimeOriginal"),
        ("photos/windowstill.jpg", datetime(2016, 1, 4, 4, 26, 43), "DateTimeOriginal"),
    ],
)
def test_shared_times_are_the_cameras_wherever_this_runs(
    shared_data: Path, name: str, at: datetime, source: str
) -> None:
    captured = read_metadata(shared_data / name).captured

    assert captured is not None and (captured.at, captured.source) == (at, source)


# --- facts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
def test_camera_lens_and_exposure(tmp_path: Path, suffix: str) -> None:
    path = noted(
        tmp_path / f"a{suffix}",
        Image_Make="Canon",
        Image_Model="Canon EOS R6",
        Photo_BodySerialNumber="0123",
        Photo_LensModel="RF50mm F1.2 L USM",
        Photo_ISOSpeedRatings="3200",
        Photo_FNumber="12/10",
        Photo_ExposureTime="1/250",
        Photo_FocalLength="50/1",
    )

    found = read_metadata(path)

    assert (found.camera, found.camera_serial, found.lens) == ("Canon EOS R6", "0123", "RF50mm F1.2 L USM")
    assert (found.iso, found.aperture, found.shutter_s, found.focal_length_mm) == (3200, 1.2, 0.004, 50.0)


def test_make_and_model_are_joined_where_the_model_lacks_the_make(tmp_path: Path) -> None:
    path = noted(tmp_path / "a.jpg", Image_Make="Hasselblad", Image_Model="X1D II 50C")

    assert read_metadata(path).camera == "Hasselblad X1D II 50C"


def test_zeros_are_no_facts(tmp_path: Path) -> None:
    path = noted(tmp_path / "a.jpg", Photo_FNumber="0/1", Photo_ExposureTime="0/0", Photo_FocalLength="0/10")

    found = read_metadata(path)

    assert (found.aperture, found.shutter_s, found.focal_length_mm, found.iso) == (None, None, None, None)


def test_shared_facts(shared_data: Path) -> None:
    nikon = read_metadata(shared_data / "formats" / "nef-that-is-a-jpeg.nef")
    canon = read_metadata(shared_data / "raw" / "canon.crw")

    assert (nikon.camera, nikon.lens, nikon.aperture) == ("NIKON D70s", "Nikon AF Nikkor 50mm f/1.8D", 2.8)
    assert (canon.camera, canon.iso) == ("Canon EOS D30", 160)
    assert canon.lens is None  # a number that nobody has a name for is none


def test_bigtiff_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    xmp = XMP.format(attribute="xmp:Rating='4'", element="").encode()
    tags = [(271, "s", 0, "Epson", True), (272, "s", 0, "V850", True), (700, "B", len(xmp), xmp, True)]
    tifffile.imwrite(
        path, np.zeros((8, 8), np.uint16), bigtiff=True, datetime="2022:03:04 05:06:07", extratags=tags, metadata=None
    )

    found = read_metadata(path)

    assert found.camera == "Epson V850" and found.rating == Rating(4, "embedded")
    assert found.captured is not None
    assert (found.captured.at, found.captured.source) == (datetime(2022, 3, 4, 5, 6, 7), "DateTime")


def test_all_of_exif_is_kept_as_plain_values(shared_data: Path) -> None:
    import orjson

    for path in sorted((shared_data / "formats").iterdir()) + sorted((shared_data / "raw").iterdir()):
        exif = read_metadata(path).exif
        assert orjson.loads(orjson.dumps(exif)) == exif
        assert not any("MakerNote" in key or "Thumbnail" in key for key in exif)
    assert read_metadata(shared_data / "photos" / "poof.jpg").exif["Exif.Photo.FNumber"] == 1.8


def test_hostile_texts_are_cut_and_cleaned(tmp_path: Path) -> None:
    path = noted(tmp_path / "a.jpg", Image_Artist="x" * 10_000, Image_Copyright="a\x1b[31mb\u0007c")

    exif = read_metadata(path).exif

    assert len(exif["Exif.Image.Artist"]) == MAX_TEXT
    assert "\x1b" not in exif["Exif.Image.Copyright"]


@given(st.text())
def test_a_cleaned_text_can_be_stored(text: str) -> None:
    found = clean(text + "\ud800\0")

    assert ("\0" not in found and found.encode() and len(found) <= MAX_TEXT) or found == ""


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe1\xff\xff"])
def test_what_cannot_be_parsed_tells_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)

    found = read_metadata(tmp_path / "a.jpg")

    assert (found.exif, found.captured, found.rating) == ({}, None, None)


# --- ratings ------------------------------------------------------------------------------------------------------

RATINGS = [("1", 1), ("5", 5), ("3.0", 3), ("-1", -1), ("0", None), ("9", 5), ("good", None), ("", None), ("nan", None)]


@pytest.mark.parametrize(("text", "stars"), RATINGS)
def test_stars(text: str, stars: int | None) -> None:
    assert stars_of(text) == stars


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
@pytest.mark.parametrize(("text", "stars"), [("4", 4), ("-1", -1), ("0", None)])
def test_an_embedded_rating(tmp_path: Path, suffix: str, text: str, stars: int | None) -> None:
    path = noted(tmp_path / f"a{suffix}")
    write_notes(path, {"Xmp.xmp.Rating": text})

    assert read_metadata(path).rating == (None if stars is None else Rating(stars, "embedded"))  # type: ignore[arg-type]


def test_an_embedded_rating_of_a_raw(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.dng"
    path.write_bytes((shared_data / "raw" / "made-bayer.dng").read_bytes())
    write_notes(path, {"Xmp.xmp.Rating": "2"})

    assert read_metadata(path).rating == Rating(2, "embedded")


@pytest.mark.parametrize("name", ["IMG.xmp", "IMG.CR2.xmp", "IMG.XMP"])
@pytest.mark.parametrize("element", [True, False])
@pytest.mark.parametrize(("text", "stars"), [("1", 1), ("5", 5), ("-1", -1)])
def test_a_sidecar_rating(tmp_path: Path, name: str, element: bool, text: str, stars: int) -> None:
    path = sidecar(tmp_path / name, text, element=element)
    before = (path.read_bytes(), path.stat().st_mtime_ns)

    assert sidecar_rating([path]) == (True, Rating(stars, "sidecar"))  # type: ignore[arg-type]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_sidecar_of_zero_stars_says_none(tmp_path: Path) -> None:
    assert sidecar_rating([sidecar(tmp_path / "a.xmp", "0")]) == (True, None)


@pytest.mark.parametrize("rating", [None, "good", "", "nan"])
def test_a_sidecar_without_a_rating_does_not_speak(tmp_path: Path, rating: str | None) -> None:
    assert sidecar_rating([sidecar(tmp_path / "a.xmp", rating)]) == (False, None)


@pytest.mark.parametrize(
    "text", ["", "no xml", "<x:xmpmeta", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "\0" * 100, "<a/>" * 10]
)
def test_a_sidecar_of_nonsense_does_not_speak(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.xmp").write_text(text)

    assert sidecar_rating([tmp_path / "a.xmp", tmp_path / "gone.xmp"]) == (False, None)


def test_of_several_sidecars_the_one_saved_last_speaks(tmp_path: Path) -> None:
    older = sidecar(tmp_path / "IMG.xmp", "5", at=1_000)
    newer = sidecar(tmp_path / "IMG.CR2.xmp", "2", at=2_000)
    silent = sidecar(tmp_path / "IMG.JPG.xmp", None, at=3_000)

    assert sidecar_rating([older, newer, silent]) == (True, Rating(2, "sidecar"))
    assert sidecar_rating([newer, older]) == (True, Rating(2, "sidecar"))
