"""What every decoder is asked for and hands over."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL.Image import Image

    from domain.imaging.focus import FocusMeter

PREVIEW_EDGE = 1440
THUMB_EDGE = 400
DERIVATIVE_QUALITY = 82
THINNEST = 3

_EXIF_ORIENTATION = 0x0112

PictureSource = Literal["original", "companion", "embedded_preview", "demosaic"]


def orientation_of(value: object) -> int:
    """EXIF orientation 1..8; 1, as it lies, for anything else that stands in the tag."""
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def exif_orientation(image: Image) -> int:
    """1..8 from a Pillow picture; 1 where its EXIF is broken: that alone is no reason to refuse the picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return orientation_of(image.getexif().get(_EXIF_ORIENTATION))
    except (SyntaxError, ValueError, OSError, struct.error, KeyError, IndexError, TypeError):
        return 1


@dataclass(frozen=True)
class Want:
    """`long_edge` pixels suffice for the picture (0: native size); `focus` measures every full-resolution pixel."""

    pixel_cap: int
    long_edge: int = PREVIEW_EDGE
    focus: bool = False

    def reduction(self, width: int, height: int, gap: float = 1.85) -> int:
        """Whole factor by which pixels may be averaged and still leave Lanczos `gap` times the wanted edge."""
        if not self.long_edge:
            return 1
        return max(1, int(max(width, height) / (self.long_edge * gap)))


@dataclass
class Picture:
    """A decoded picture as it lies in its file: not yet upright, not yet sRGB, perhaps already reduced.

    `image` is Pillow `L`, `RGB` or `CMYK` (0 is no ink); `box_width` and `box_height` are the parts of it that
    whole reduced pixels cover. `width` and `height` are full-resolution. `pixel_hash` is 32 bytes.
    """

    image: Image
    width: int
    height: int
    box_width: float
    box_height: float
    pixel_hash: bytes
    orientation: int = 1
    icc: bytes | None = None
    meter: FocusMeter | None = None
    source: PictureSource = "original"
    meter_source: PictureSource | None = None
    """Where the focus was measured, if elsewhere than in `source`."""
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SourceFile:
    """A file to decode, sniffed."""

    path: Path
    format: str
