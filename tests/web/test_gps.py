"""A position on its way from a file's tags to an exported picture."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from web.gps import gps_ifd

BALACLAVA = {
    "Exif.GPSInfo.GPSLatitudeRef": "N", "Exif.GPSInfo.GPSLatitude": [44.0, 51.0, 1.72],
    "Exif.GPSInfo.GPSLongitudeRef": "E", "Exif.GPSInfo.GPSLongitude": [34.0, 58.0, 35.93],
    "Exif.GPSInfo.GPSAltitudeRef": "0", "Exif.GPSInfo.GPSAltitude": 29.135532387626046,
    "Exif.GPSInfo.GPSTimeStamp": [16.0, 43.0, 45.0], "Exif.GPSInfo.GPSDateStamp": "2023:04:27",
    "Exif.Photo.BodySerialNumber": "123",
}  # fmt: skip


def test_a_position_survives_the_way_through_a_file() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update(gps_ifd(BALACLAVA))
    made = io.BytesIO()
    Image.new("L", (8, 8)).save(made, "JPEG", exif=exif.tobytes())

    read = Image.open(made).getexif().get_ifd(0x8825)

    assert (read[1], read[3], read[29]) == ("N", "E", "2023:04:27")
    assert [float(part) for part in read[2]] == pytest.approx([44, 51, 1.72])
    assert [float(part) for part in read[4]] == pytest.approx([34, 58, 35.93])
    assert float(read[6]) == pytest.approx(29.1355, abs=1e-4)
    assert read[5] == b"\x00"


@pytest.mark.parametrize(
    "changes",
    [{"GPSLatitude": None}, {"GPSLatitude": [44.0, 51.0]}, {"GPSLatitude": [44.0, -51.0, 1.0]},
     {"GPSLatitude": [True, 51.0, 1.0]}, {"GPSLatitude": [1e300, 0, 0]}, {"GPSLatitude": "44 51"},
     {"GPSLongitudeRef": "<b>"}, {"GPSLongitudeRef": ""}],
)  # fmt: skip
def test_half_a_position_is_none(changes: dict[str, Any]) -> None:
    assert gps_ifd(BALACLAVA | {f"Exif.GPSInfo.{name}": value for name, value in changes.items()}) == {}


def test_what_is_no_date_or_altitude_is_left_out() -> None:
    odd = BALACLAVA | {"Exif.GPSInfo.GPSDateStamp": "2023-04-27\n<script>", "Exif.GPSInfo.GPSAltitude": float("inf")}

    kept = gps_ifd(odd)

    assert 29 not in kept
    assert 6 not in kept
    assert 2 in kept
