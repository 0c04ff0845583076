"""Where a picture was taken, from its stored tags into the EXIF of an exported file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeGuard

from PIL.ExifTags import GPS
from PIL.TiffImagePlugin import IFDRational

_REFERENCES = {
    "GPSLatitudeRef": "NS", "GPSLongitudeRef": "EW", "GPSImgDirectionRef": "TM", "GPSDestBearingRef": "TM",
}  # fmt: skip
_TRIPLES = ("GPSLatitude", "GPSLongitude", "GPSTimeStamp")
"""Degrees, minutes, seconds; hours, minutes, seconds."""
_NUMBERS = ("GPSAltitude", "GPSImgDirection")
_FINEST = 10**6
_LARGEST = 2**31


def gps_ifd(tags: Mapping[str, Any]) -> dict[int, Any]:
    """The GPS directory (tag number to value, as Pillow writes it) of tags keyed `Exif.GPSInfo.GPSLatitude`.

    Takes over the position, the altitude, the direction and the time; what does not look like one is left out, since
    the tags come from a file. Empty without a latitude and a longitude.
    """
    given = {key.rpartition(".")[2]: value for key, value in tags.items() if key.startswith("Exif.GPSInfo.")}
    kept: dict[int, Any] = {}
    for name, letters in _REFERENCES.items():
        if isinstance(value := given.get(name), str) and value in tuple(letters):
            kept[GPS[name]] = value
    for name in _TRIPLES:
        value = given.get(name)
        if isinstance(value, list) and len(value) == 3 and all(_is_number(part) for part in value):
            kept[GPS[name]] = tuple(_rational(part) for part in value)
    for name in _NUMBERS:
        if _is_number(value := given.get(name)):
            kept[GPS[name]] = _rational(value)
    if str(given.get("GPSAltitudeRef")) in ("0", "1"):
        kept[GPS.GPSAltitudeRef] = bytes([int(given["GPSAltitudeRef"])])
    date = given.get("GPSDateStamp")
    if isinstance(date, str) and re.fullmatch(r"\d{4}:\d{2}:\d{2}", date):
        kept[GPS.GPSDateStamp] = date
    needed = {GPS.GPSLatitude, GPS.GPSLatitudeRef, GPS.GPSLongitude, GPS.GPSLongitudeRef}
    return {int(tag): value for tag, value in kept.items()} if needed <= kept.keys() else {}


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LARGEST


def _rational(value: float) -> IFDRational:
    fraction = Fraction(value).limit_denominator(_FINEST)
    return IFDRational(fraction.numerator, fraction.denominator)
