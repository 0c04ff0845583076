"""How a frame was taken, as far as that tells what a sequence was meant to be: exposure, focus, the camera's own word.

Makers' tags are read by Exiv2's names; their values are documented at exiftool.org/TagNames. Tags are hostile input:
whatever is no number says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BRACKETING, FOCUS_STEPS, PANORAMA, MANUAL, AUTOMATIC, TRACKING = (1 << n for n in range(6))
"""Bits of `Shooting.said`. `MANUAL` and `AUTOMATIC`: who set the exposure; neither where the file does not say.
`TRACKING`: the autofocus followed the subject."""

FAR_M = 10_000.0
"""Stands for infinity."""


@dataclass(frozen=True)
class Shooting:
    """`bias_ev`: exposure compensation in stops; `distance_m`: what was focused on, metres; None unknown."""

    bias_ev: float | None = None
    distance_m: float | None = None
    said: int = 0


def shooting_of(tags: Mapping[str, Any]) -> Shooting:
    """What the tags of a file (`domain.metadata.Metadata.exif`) say."""
    bias = _number(tags, "Exif.Photo.ExposureBiasValue")
    return Shooting(bias if bias is not None and abs(bias) <= 15 else None, _distance_m(tags), _said(tags))


def exposure_ev(shutter_s: float | None, aperture: float | None, iso: float | None) -> float:
    """Stops by which a frame is exposed more than at 1 s, f/1, ISO 100; NaN without a shutter time.

    A lens without contacts leaves no aperture, and it is the same in all frames of a sequence.
    """
    if not shutter_s or shutter_s <= 0:
        return math.nan
    stops = math.log2(shutter_s) + math.log2((iso or 100) / 100) - 2 * math.log2(aperture or 1)
    return stops if math.isfinite(stops) else math.nan


def _said(tags: Mapping[str, Any]) -> int:
    mode, program = _number(tags, "Exif.Photo.ExposureMode"), _number(tags, "Exif.Photo.ExposureProgram")
    said = 0
    if mode == 1 or program == 1:
        said |= MANUAL
    elif mode == 0:
        said |= AUTOMATIC
    if mode == 2 or _brackets_exposure(tags):
        said |= BRACKETING
    if _steps_focus(tags):
        said |= FOCUS_STEPS
    if "Exif.CanonPa.PanoramaFrame" in tags or (_number(tags, "Exif.OlympusCs.PanoramaMode") or 0) > 0:
        said |= PANORAMA
    return said | (TRACKING if _tracks(tags) else 0)


def _brackets_exposure(tags: Mapping[str, Any]) -> bool:
    return (
        _number(tags, "Exif.CanonFi.BracketMode") in (1, 3)  # exposure, ISO
        or _number(tags, "Exif.CanonSi.AutoExposureBracketing") not in (None, 0)
        or bool(_bits(tags, "Exif.Nikon3.ShootingMode") & 0x10)
        or _number(tags, "Exif.Sony1.ReleaseMode") == 5
        or _number(tags, "Exif.Sony2.ReleaseMode") == 5
        or _number(tags, "Exif.Panasonic.BurstMode") == 2
        or _number(tags, "Exif.Fujifilm.Continuous") == 1
        or bool(_bits(tags, "Exif.OlympusCs.DriveMode", 2) & 0b110001)  # exposure, ISO, exposure by itself
    )


def _steps_focus(tags: Mapping[str, Any]) -> bool:
    return _number(tags, "Exif.Panasonic.BurstMode") == 3 or bool(
        _bits(tags, "Exif.OlympusCs.DriveMode", 2) & 0b1001000  # manual focus, focus
    )


def _tracks(tags: Mapping[str, Any]) -> bool:
    return (
        _number(tags, "Exif.CanonCs.FocusMode") == 1
        or str(tags.get("Exif.Nikon3.Focus", "")).strip() == "AF-C"
        or _number(tags, "Exif.Sony1.FocusMode2") == 3
        or _number(tags, "Exif.Sony2.FocusMode2") == 3
        or _number(tags, "Exif.Panasonic.FocusMode") == 5
        or _number(tags, "Exif.OlympusCs.FocusMode") == 2
    )


_METRES = {
    "Exif.Photo.SubjectDistance": 1.0,
    "Exif.OlympusFi.FocusDistance": 1e-3,
    "Exif.CanonFi.FocusDistanceUpper": 1e-2,
    "Exif.CanonFi.FocusDistanceLower": 1e-2,
    "Exif.CanonSi.SubjectDistance": 1e-2,
}
_NIKON = ("Exif.NikonLd3.FocusDistance", "Exif.NikonLd2.FocusDistance", "Exif.NikonLd4.FocusDistance")


def _distance_m(tags: Mapping[str, Any]) -> float | None:
    for name in _NIKON:
        step = _number(tags, name)
        if step is not None and 0 < step <= 255:
            return float(0.01 * 10 ** (step / 40))
    for name, unit in _METRES.items():
        value = _number(tags, name)
        if value is not None and value > 0:
            return min(float(value * unit), FAR_M)
    return None


def _number(tags: Mapping[str, Any], name: str, place: int = 0) -> float | None:
    value = tags.get(name)
    if isinstance(value, list | tuple):
        value = value[place] if len(value) > place else None
    elif place:
        return None
    if isinstance(value, str) and value.strip().isdecimal():  # numbers of one byte come as text
        value = int(value.strip()[:9])
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known and value is not None else None


def _bits(tags: Mapping[str, Any], name: str, place: int = 0) -> int:
    return int(_number(tags, name, place) or 0) & 0xFFFF
