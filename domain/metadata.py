"""What a file says about its making: EXIF, capture time, camera, and the rating another program left.

Texts in files are hostile: control characters and lone surrogates are removed, lengths capped, binary tags dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from domain.stars import MAX_SIDECAR_BYTES, Stars, is_number, stars_of

CapturedSource = Literal["DateTimeOriginal", "DateTimeDigitized", "DateTime"]

MAX_TAGS = 600
MAX_TEXT = 500
MAX_NUMBERS = 16
_CRW = "image/x-canon-crw"
_BINARY_TYPES = frozenset(("Undefined", "Byte", "SByte", "Invalid"))
_BINARY_LIMIT = 64
_DROPPED = re.compile(
    r"(?:^Exif\.(?:Thumbnail|SubThumb\d*|MakerNote)\.)|\.(?:0x[0-9a-f]{4}|MakerNote|PrintImageMatching)$"
)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_EXIF_TIME = re.compile(r"\s*(\d{4})[:\-/.](\d{2})[:\-/.](\d{2})[ T](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?")
_OFFSET = re.compile(r"\s*([+-])(\d{2}):?(\d{2})\s*$")


@dataclass(frozen=True)
class CaptureTime:
    """Camera-local time, naive, to the microsecond; minutes east of UTC where the camera noted them."""

    at: datetime
    offset_min: int | None
    source: CapturedSource


@dataclass(frozen=True)
class Rating:
    """Stars 1..5, or -1 for a reject."""

    stars: Stars
    where: Literal["embedded", "sidecar"]


@dataclass(frozen=True)
class Metadata:
    """Facts of one file; None where it does not say."""

    exif: dict[str, Any] = field(default_factory=dict)
    captured: CaptureTime | None = None
    camera: str | None = None
    camera_serial: str | None = None
    lens: str | None = None
    iso: int | None = None
    aperture: float | None = None
    shutter_s: float | None = None
    focal_length_mm: float | None = None
    rating: Rating | None = None


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """A text without NULs, control characters and lone surrogates, trimmed, at most `limit` characters."""
    return _UNPRINTABLE.sub("", text).strip()[:limit]


def read_metadata(path: Path) -> Metadata:
    """EXIF and embedded rating of any picture or RAW; empty where the file holds none or cannot be parsed."""
    exiv2 = _exiv2()
    try:
        image = exiv2.ImageFactory.open(str(path))
        image.readMetadata()
        exif = image.exifData()
        tags = _tags(exif)
        rating = _embedded_rating(image)
        known = _known(exiv2, exif)
        if image.mimeType() == _CRW:
            tags |= _crw_time(tags)
    except Exception:  # a parser's complaint about metadata never costs the picture
        return _raw_metadata(path)
    return metadata_of(tags, rating, **known)


def _crw_time(tags: dict[str, Any]) -> dict[str, str]:
    """CRW counts the camera's clock in seconds; Exiv2 lays this machine's time zone over it, which is taken off."""
    shifted = exif_time(tags.get("Exif.Photo.DateTimeOriginal"))
    if shifted is None:
        return {}
    at = datetime.fromtimestamp(shifted.timestamp(), UTC)
    return {"Exif.Photo.DateTimeOriginal": at.strftime("%Y:%m:%d %H:%M:%S")}


def metadata_of(tags: dict[str, Any], rating: Rating | None = None, **known: Any) -> Metadata:
    """The facts in a dict of tags keyed `Exif.Photo.ISOSpeedRatings`; `known` overrides."""
    facts: dict[str, Any] = {
        "camera": _camera(tags),
        "camera_serial": _first_text(tags, "Exif.Photo.BodySerialNumber", "Exif.Image.CameraSerialNumber"),
        "lens": _first_text(tags, "Exif.Photo.LensModel", "Exif.Image.LensInfo"),
        "iso": _whole(_first_number(tags, "Exif.Photo.ISOSpeedRatings", "Exif.Image.ISOSpeedRatings")),
        "aperture": _positive(_first_number(tags, "Exif.Photo.FNumber", "Exif.Image.FNumber")),
        "shutter_s": _positive(_first_number(tags, "Exif.Photo.ExposureTime", "Exif.Image.ExposureTime")),
        "focal_length_mm": _positive(_first_number(tags, "Exif.Photo.FocalLength", "Exif.Image.FocalLength")),
    }
    facts |= {name: value for name, value in known.items() if value is not None}
    return Metadata(exif=tags, captured=captured_at(tags), rating=rating, **facts)


def captured_at(tags: dict[str, Any]) -> CaptureTime | None:
    """DateTimeOriginal, then DateTimeDigitized, then DateTime, each with its sub-seconds and offset.

    Impossible dates (0000:00:00, blanks) and those outside 1826..2200 fall through to the next.
    """
    candidates: tuple[tuple[CapturedSource, tuple[str, ...], str], ...] = (
        ("DateTimeOriginal", ("Exif.Photo.DateTimeOriginal", "Exif.Image.DateTimeOriginal"), "Original"),
        ("DateTimeDigitized", ("Exif.Photo.DateTimeDigitized",), "Digitized"),
        ("DateTime", ("Exif.Image.DateTime",), ""),
    )
    for source, keys, suffix in candidates:
        for key in keys:
            at = exif_time(tags.get(key), tags.get(f"Exif.Photo.SubSecTime{suffix}"))
            if at is not None:
                return CaptureTime(at, _offset_min(tags.get(f"Exif.Photo.OffsetTime{suffix}")), source)
    return None


def exif_time(value: object, subseconds: object = None) -> datetime | None:
    """`2019:12:25 15:44:01` with the digits of SubSecTime as a fraction; None for what is no date."""
    match = _EXIF_TIME.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    *parts, fraction = match.groups()
    digits = re.match(r"\s*(\d{1,9})", str(subseconds)) if subseconds is not None else None
    fraction = digits.group(1) if digits else (fraction or "0")
    year, month, day, hour, minute, second = map(int, parts)
    if not 1826 <= year <= 2200:
        return None
    try:
        return datetime(year, month, day, hour, minute, second, int(fraction[:6].ljust(6, "0")))
    except ValueError:
        return None


def _offset_min(value: object) -> int | None:
    match = _OFFSET.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    minutes = int(match.group(2)) * 60 + int(match.group(3))
    return None if minutes > 14 * 60 else minutes * (-1 if match.group(1) == "-" else 1)


# --- ratings ------------------------------------------------------------------------------------------------------


def sidecar_rating(sidecars: Sequence[Path]) -> tuple[bool, Rating | None]:
    """(whether a sidecar speaks of a rating, the rating). Of several the one saved last speaks."""
    spoken = [(modified, stars) for path in sidecars if (found := _sidecar_stars(path)) for modified, stars in [found]]
    if not spoken:
        return False, None
    stars = max(spoken, key=lambda pair: pair[0])[1]
    return True, None if stars is None else Rating(stars, "sidecar")


def _sidecar_stars(path: Path) -> tuple[int, Stars | None] | None:
    exiv2 = _exiv2()
    try:
        info = path.stat()
        if info.st_size > MAX_SIDECAR_BYTES:
            return None
        text = path.read_bytes()
        if b"<!ENTITY" in text:
            return None
        image = exiv2.ImageFactory.open(text)
        image.readMetadata()
        rating = _xmp_rating(image)
    except Exception:  # a broken sidecar says nothing
        return None
    return None if rating is None or not is_number(rating) else (info.st_mtime_ns, stars_of(rating))


def _xmp_rating(image: Any) -> str | None:
    for datum in image.xmpData():
        if datum.key() == "Xmp.xmp.Rating":
            return str(datum.toString())
    return None


def _embedded_rating(image: Any) -> Rating | None:
    text = _xmp_rating(image)
    stars = stars_of(text) if text is not None else None
    return None if stars is None else Rating(stars, "embedded")


# --- EXIF ---------------------------------------------------------------------------------------------------------


def _exiv2() -> Any:
    import exiv2

    exiv2.LogMsg.setLevel(exiv2.LogMsg.Level.mute)
    return exiv2


def _tags(exif: Any) -> dict[str, Any]:
    tags: dict[str, Any] = {}
    for datum in exif:
        key = str(datum.key())
        if _DROPPED.search(key) or len(tags) >= MAX_TAGS:
            continue
        value = _tag_value(datum)
        if value is not None:
            tags[key] = value
    return tags


def _tag_value(datum: Any) -> Any:
    """Numbers as numbers, rationals as floats, texts cleaned; None for binary and broken values."""
    kind, count = datum.typeName(), datum.count()
    if kind in _BINARY_TYPES and datum.size() > _BINARY_LIMIT:
        return None
    text = datum.toString()
    if kind in ("Short", "Long", "SShort", "SLong", "LongLong", "Rational", "SRational", "Float", "Double"):
        numbers = [_number(part) for part in text.split()[:MAX_NUMBERS]]
        if count > MAX_NUMBERS or not numbers or None in numbers:
            return None
        return numbers[0] if len(numbers) == 1 else numbers
    return clean(text) or None


def _number(text: str) -> int | float | None:
    try:
        if "/" in text:
            above, below = text.split("/")
            return int(above) / int(below) if int(below) else None
        return int(text) if text.lstrip("+-").isdigit() else _finite(float(text))
    except (ValueError, OverflowError):
        return None


def _finite(value: float) -> float | None:
    return value if abs(value) < 1e300 else None


def _known(exiv2: Any, exif: Any) -> dict[str, Any]:
    """What Exiv2 finds in makers' own notes where the common tags are silent."""
    return {
        "lens": _lens_name(_easy_text(exiv2.lensName(exif))),
        "camera_serial": _easy_text(exiv2.serialNumber(exif)),
        "iso": _whole(_easy_number(exiv2.isoSpeed(exif))),
        "aperture": _positive(_easy_number(exiv2.fNumber(exif))),
        "shutter_s": _positive(_easy_number(exiv2.exposureTime(exif))),
        "focal_length_mm": _positive(_easy_number(exiv2.focalLength(exif))),
    }


def _easy_text(datum: Any) -> str | None:
    return (clean(str(datum.print()), 120) or None) if datum is not None else None


def _lens_name(text: str | None) -> str | None:
    """Not the bare number that Exiv2 prints for a lens it does not know."""
    return text if text is not None and re.search(r"[^\W\d_]", text) else None


def _easy_number(datum: Any) -> float | None:
    parts = str(datum.toString()).split() if datum is not None else []
    return _number(parts[0]) if parts else None


def _camera(tags: dict[str, Any]) -> str | None:
    """Make and model, the make not twice (`Canon` `Canon EOS R6`)."""
    make, model = (
        _first_text(tags, "Exif.Image.Make"),
        _first_text(tags, "Exif.Image.Model", "Exif.Image.UniqueCameraModel"),
    )
    if not make or not model:
        return model or make
    first = make.split()[0]
    return model if model.casefold().startswith(first.casefold()) else f"{make} {model}"[:120]


def _first_text(tags: dict[str, Any], *keys: str) -> str | None:
    return next((clean(tags[k], 120) for k in keys if isinstance(tags.get(k), str) and clean(tags[k])), None)


def _first_number(tags: dict[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = tags.get(key)
        value = value[0] if isinstance(value, list) else value
        if isinstance(value, int | float):
            return value
    return None


def _positive(value: float | None) -> float | None:
    return float(value) if value is not None and 0 < value < 1e7 else None


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and 0 < value < 1e7 else None


def _raw_metadata(path: Path) -> Metadata:
    """What LibRaw reads from RAW containers that Exiv2 does not know, and tifffile from BigTIFF."""
    from domain.formats import sniff_bytes

    try:
        with path.open("rb") as file:
            head = file.read(4096)
        if head[:4] in (b"II+\0", b"MM\0+"):
            return _big_tiff_metadata(path)
        if sniff_bytes(head, path.suffix) == "raw":
            return _libraw_metadata(path)
    except Exception:  # as above
        return Metadata()
    return Metadata()


def _libraw_metadata(path: Path) -> Metadata:
    import rawpy

    with rawpy.imread(str(path)) as raw:
        other = raw.other
        tags: dict[str, Any] = {}
        stamp = float(getattr(other, "timestamp", 0) or 0)
        if stamp > 0:  # LibRaw reads the camera's clock as local time of this machine
            tags["Exif.Photo.DateTimeOriginal"] = datetime.fromtimestamp(stamp).strftime("%Y:%m:%d %H:%M:%S")
        return metadata_of(
            tags,
            iso=_whole(getattr(other, "iso_speed", None)),
            aperture=_positive(getattr(other, "aperture", None)),
            shutter_s=_positive(getattr(other, "shutter", None) or getattr(other, "shutter_speed", None)),
            focal_length_mm=_positive(getattr(other, "focal_len", None) or getattr(other, "focal_length", None)),
        )


def _big_tiff_metadata(path: Path) -> Metadata:
    import tifffile

    exiv2 = _exiv2()
    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages.first
        tags: dict[str, Any] = {}
        for name, key in (("Make", "Make"), ("Model", "Model"), ("DateTime", "DateTime")):
            value = page.tags.valueof(name)
            if isinstance(value, str) and clean(value):
                tags[f"Exif.Image.{key}"] = clean(value)
        exif = page.tags.valueof("ExifTag")
        for name, value in exif.items() if isinstance(exif, dict) else ():
            if isinstance(value, str) and clean(value):
                tags[f"Exif.Photo.{name}"] = clean(value)
        xmp = page.tags.valueof("XMP")
    rating = None
    if isinstance(xmp, bytes) and b"<!ENTITY" not in xmp:
        image = exiv2.ImageFactory.open(xmp)
        image.readMetadata()
        rating = _embedded_rating(image)
    return metadata_of(tags, rating)
