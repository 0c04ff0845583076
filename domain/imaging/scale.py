"""Sizes: the reduced picture built band by band, upright, Lanczos to an exact edge, and written atomically."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from domain.imaging.color import has_transform, to_srgb
from domain.imaging.focus import FocusMeter
from domain.imaging.lanczos import shrink
from domain.imaging.picture import Picture, Want

METER_ROWS = 256
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BandSink:
    """Takes a picture's 8-bit bands (`L`, `RGB` or `CMYK`) from top to bottom: reduces them, and meters the focus.

    Bands hold a multiple of `step` rows, except the last.
    """

    def __init__(self, width: int, height: int, mode: str, want: Want) -> None:
        self.width, self.height = width, height
        self.step = want.reduction(width, height)
        self.image = Image.new(mode, (-(-width // self.step), -(-height // self.step)))
        self.meter = FocusMeter(width, height) if want.focus else None
        self._y = 0

    def add(self, band: Image.Image) -> None:
        if self.step == 1 and band.size == self.image.size:
            self.image = band
        else:
            self.image.paste(band if self.step == 1 else band.reduce(self.step), (0, self._y // self.step))
        self._y += band.height
        if self.meter is not None:
            feed(self.meter, band)

    def picture(self, pixel_hash: bytes, *, orientation: int = 1, icc: bytes | None = None) -> Picture:
        box = self.width / self.step, self.height / self.step
        return Picture(self.image, self.width, self.height, *box, pixel_hash, orientation, icc, self.meter)


def feed(meter: FocusMeter, image: Image.Image) -> None:
    """Meters a picture in slices, so that no second full-size copy is made."""
    for top in range(0, image.height, METER_ROWS):
        bottom = min(top + METER_ROWS, image.height)
        rows = image if bottom - top == image.height else image.crop((0, top, image.width, bottom))
        if rows.mode == "CMYK":
            rows = rows.convert("RGB")
        meter.feed(np.asarray(rows if rows.mode == "L" else rows.convert("L")))


def fitted(width: int, height: int, edge: int) -> tuple[int, int]:
    """The size with a long edge of at most `edge`; never enlarged, never below 1 px."""
    factor = min(1.0, edge / max(width, height)) if edge else 1.0
    return max(1, round(width * factor)), max(1, round(height * factor))


def scaled(picture: Picture, edge: int) -> Image.Image:
    """The picture with Lanczos at a long edge of `edge` (0: native), still unturned."""
    size = fitted(picture.width, picture.height, edge)
    box = picture.box_width, picture.box_height
    return picture.image if size == picture.image.size == box else shrink(picture.image, size, box)


def scaled_grey(picture: Picture, edge: int) -> Image.Image:
    """A grey sRGB copy with a long edge of at most `edge`, unturned.

    Made from the decoded picture and not from its preview: scaling twice costs sharpness that is being measured. By
    Pillow, which rounds to the nearest: libvips ends an eighth of a level lower, and a bright sky just below clipping.
    """
    image, box = picture.image, (0.0, 0.0, picture.box_width, picture.box_height)
    if image.mode == "RGB" and not has_transform(image.mode, picture.icc):
        image = image.convert("L")
    size = fitted(picture.width, picture.height, edge)
    return to_srgb(image.resize(size, Image.Resampling.LANCZOS, box=box), picture.icc).convert("L")


def shrunk(image: Image.Image, edge: int) -> Image.Image:
    """A picture with Lanczos at a long edge of at most `edge`."""
    size = fitted(*image.size, edge)
    return image if size == image.size else shrink(image, size)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as EXIF orientation 1..8 says; anything else leaves it."""
    turn = _TRANSPOSE.get(orientation)
    return image if turn is None else image.transpose(turn)


def upright_grid(tiles: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], orientation: int) -> Image.Image:
    """A tile grid turned like its picture."""
    return upright(Image.fromarray(tiles), orientation)


def write_jpeg(image: Image.Image, path: Path, quality: int) -> None:
    """Never seen by halves: see `replacing`."""
    with replacing(path) as part, part.open("wb") as file:
        image.save(file, "JPEG", quality=quality)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file beside `path` to write to; takes its place at the end, so that nobody ever sees half a file.

    No fsync: a derivative lost in a power cut is made again, and syncing each of a million would take hours.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
