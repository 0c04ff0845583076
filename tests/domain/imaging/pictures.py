"""Pictures made for a test, and the conversion of one file as a worker does it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from domain.imaging.conversion import Conversion, convert

CAP = 1_000_000_000
ORIENTATIONS = range(9)
_AS_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True)
class Converted:
    """Facts of a conversion, and the two pictures that it wrote."""

    facts: Conversion
    preview: Image.Image
    thumb: Image.Image

    @property
    def pixels(self) -> NDArray[np.int16]:
        """Of the preview, RGB."""
        return np.asarray(self.preview.convert("RGB")).astype(np.int16)


def converted(original: Path, out: Path | None = None, **more: Any) -> Converted:
    """Converts into `out`, by default a folder of the original's own."""
    out = out or original.parent / f"{original.name}.out"
    more = {"pixel_cap": CAP, **more}
    facts = convert(original, preview_path=out / "preview.jpg", thumb_path=out / "thumb.jpg", **more)
    return Converted(facts, read(out / "preview.jpg"), read(out / "thumb.jpg"))


def read(path: Path) -> Image.Image:
    """Detached from its file."""
    return Image.open(io.BytesIO(path.read_bytes()))


def scene(width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """(height, width, 3): smooth, coloured, and different in each corner, so that any turn or flip shows."""
    return _scene(width, height).copy()


@cache
def _scene(width: int, height: int) -> NDArray[np.uint8]:
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    wave = 0.5 + 0.5 * np.sin(7 * x + 3 * y)
    planes = np.stack([0.15 + 0.7 * x, 0.1 + 0.5 * y + 0.3 * wave, 0.8 - 0.6 * x * y], axis=2)
    return np.rint(planes * 255).astype(np.uint8)


def grey_scene(width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """(height, width)"""
    return np.asarray(Image.fromarray(scene(width, height)).convert("L"))


def stored_as(upright: Image.Image, orientation: int) -> Image.Image:
    """The pixels as a camera stores them that notes `orientation` for this upright picture."""
    turn = _AS_STORED.get(orientation)
    return upright if turn is None else upright.transpose(turn)


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    return made


def rms(a: Any, b: Any) -> float:
    """Root mean square difference in grey levels."""
    return float(np.sqrt(np.mean((np.asarray(a, np.float64) - np.asarray(b, np.float64)) ** 2)))
