"""Metadata written into a file as other programs write it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import exiv2


def write_notes(path: Path, notes: Mapping[str, str]) -> None:
    """Sets tags such as `Exif.Photo.DateTimeOriginal` and `Xmp.xmp.Rating`, and keeps the others."""
    image = exiv2.ImageFactory.open(str(path))
    image.readMetadata()
    kinds = {"Exif": image.exifData(), "Xmp": image.xmpData(), "Iptc": image.iptcData()}
    for key, value in notes.items():
        kinds[key.split(".")[0]][key] = value
    image.writeMetadata()
