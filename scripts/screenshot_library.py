"""What a photographer's folder holds, made from a few photographs: a roll, bursts, a bracket, an edit, broken files.

Every picture is one of those given, whole, cropped, greyed or moved by a few pixels; nothing else is drawn.
"""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

_PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}
_MOST = 40
_EXIF_IFD, _MODEL, _TAKEN, _EXPOSURE_MODE, _BIAS = 0x8769, 0x0110, 0x9003, 0xA402, 0x9204
_STAMP = "%Y:%m:%d %H:%M:%S"
_EDGE = 2400
BLURS = (1.2, 0.0, 1.8, 0.8, 1.5)
"""Of the frames of a burst, in pixels: the second is the best."""


def make_library(source: Path, folder: Path) -> None:
    """Fills `folder` from the photographs of `source`. Raises SystemExit where there are fewer than ten."""
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in _PICTURES)[:_MOST]
    if len(paths) < 10:
        raise SystemExit(f"{source} holds {len(paths)} pictures; ten are needed at least.")
    roll = folder / "2024"
    roll.mkdir(parents=True)
    for path in paths:
        shutil.copy2(path, roll / path.name)
    for number, path in enumerate(paths):
        _crop(path, folder / "Contact sheets" / f"sheet-{number:02}.jpg", number)
    for number, path in enumerate((paths[3], paths[-4], paths[len(paths) // 2])):
        _burst(path, folder / "Bursts", 400 + 20 * number)
    _bracket(paths[6], folder / "Bursts", 480)
    _edit(paths[1], roll)
    (folder / "Old disk").mkdir()
    shutil.copy2(paths[4], folder / "Old disk" / paths[4].name)
    _broken(paths[2], roll)


def _crop(path: Path, to: Path, number: int) -> None:
    """A black-and-white square of the picture's left or right, of another day."""
    to.parent.mkdir(exist_ok=True)
    with Image.open(path) as picture:
        grey = _reduced(picture).convert("L")
        edge = min(grey.size) * 2 // 3
        left = (grey.width - edge) * (number % 2)
        top = (grey.height - edge) // 2
        square = grey.crop((left, top, left + edge, top + edge))
        square.save(to, quality=90, exif=_exif(picture, timedelta(days=40, minutes=3 * number)))


def _burst(path: Path, folder: Path, first: int) -> None:
    folder.mkdir(exist_ok=True)
    with Image.open(path) as picture:
        whole = _reduced(picture)
        for number, blur in enumerate(BLURS):
            moved = whole.crop((4 * number, 3 * number, whole.width - 40 + 4 * number, whole.height - 30 + 3 * number))
            moved.filter(ImageFilter.GaussianBlur(blur)).save(
                folder / f"DSC_{first + number:04}.jpg",
                quality=90,
                exif=_exif(picture, timedelta(days=3, seconds=number)),
            )


def _bracket(path: Path, folder: Path, first: int) -> None:
    with Image.open(path) as picture:
        whole = _reduced(picture)
        for number, stops in enumerate((-2, 0, 2)):
            exif = _exif(picture, timedelta(days=4, seconds=number))
            exif.get_ifd(_EXIF_IFD)[_EXPOSURE_MODE] = 2
            exif.get_ifd(_EXIF_IFD)[_BIAS] = float(stops)
            lit = ImageEnhance.Brightness(whole).enhance(2.0 ** (stops / 2))
            lit.save(folder / f"DSC_{first + number:04}.jpg", quality=90, exif=exif)


def _edit(path: Path, roll: Path) -> None:
    """Its own edit, as an editor leaves it beside the original."""
    with Image.open(path) as picture:
        grey = ImageOps.autocontrast(_reduced(picture).convert("L"), cutoff=1)
        grey.save(roll / f"{path.stem}-Edit.tif", compression="tiff_lzw", exif=_exif(picture, timedelta()))


def _broken(path: Path, roll: Path) -> None:
    content = path.read_bytes()
    (roll / "IMG_4711.jpg").write_bytes(content[: len(content) // 3])
    (roll / "IMG_4712.nef").write_bytes(b"")
    (roll / "notes.jpg").write_text("Sunday: the harbour before six, then the mill.\n")


def _reduced(picture: Image.Image) -> Image.Image:
    if isinstance(picture, JpegImageFile):
        picture.draft("RGB", (_EDGE, _EDGE))  # decoded at half or a quarter of its size
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((_EDGE, _EDGE))
    return upright


def _exif(picture: Image.Image, later: timedelta) -> Image.Exif:
    """Camera and capture time of the picture, so much later."""
    known = picture.getexif()
    taken = known.get_ifd(_EXIF_IFD).get(_TAKEN)
    at = datetime.strptime(str(taken).strip("\0 "), _STAMP) if taken else datetime(2024, 5, 1, 12)
    exif = Image.Exif()
    exif[_MODEL] = known.get(_MODEL, "Camera")
    exif.get_ifd(_EXIF_IFD)[_TAKEN] = (at + later).strftime(_STAMP)
    return exif
