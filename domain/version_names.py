"""What a file's name says about the picture in it: which photograph it comes from, and that it was worked on.

`IMG_1234-Edit-2.tif`, `IMG_1234_bw.psd`, `Copy of IMG_1234.jpg` and `IMG_E1234.HEIC` all come from `IMG_1234`. A number
of one or two digits (`-2`, `(1)`) may be a copy's or a frame's, so it is kept apart: other evidence has to decide.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import NamedTuple

_COPIES = r"edit|edited|edits|bearbeitet|copy|kopie|copie|copia|v|version"
_WORKS = (
    r"bw|b&w|b\+w|sw|nb|mono|monochrome|final|finished|master|crop|cropped|retouch|retouched|enhanced|nr|sr|denoise|"
    r"denoised|sharp|sharpened|dxo|deepprime|topaz|nik|silver|toned|sepia|print|web|small|large|full|lowres|hires|"
    r"resized|export|exported|srgb|adobe|ps|lr|scan|flat|layers"
)
_WORD = re.compile(rf"(?<=[^\W_])[-_ .]+\(?(?:({_COPIES})|{_WORKS})\)?(?:[-_ ]?\(?([1-9]\d?)\)?)?$")
# `_2` only after a counter; a leading zero is a counter's own.
_NUMBER = re.compile(r"(?<=[^\W_])(?: ?\(([1-9]\d?)\)|-([1-9]\d?)| ([1-9])|(?<=\d\d\d)_([1-9]))$")
_COUNTER_AT_END = re.compile(r"\d{3}$")
_COPY_OF = re.compile(r"^(?:copy of|kopie von|copie de|copia de) +")
_PHONE_EDIT = re.compile(r"^(img_)e(\d{4})$")
_DIGITS = re.compile(r"\d+")
_OWN_FOLDER = re.compile(
    r"edits?|edited|bearbeitet|finals?|finished|exports?|exported|prints?|web|bw|b&w|mono|tiffs?|tif|psds?|jpe?gs?|raws?|"
    r"scans?|selects?|crops|copies|output|processed",
    re.IGNORECASE,
)


class PictureName(NamedTuple):
    """`base`: the photograph's own stem, folded. `worked`: a word says that it was worked on or copied. `number`: a
    copy's or a frame's, 0 for none. `pattern`: the base with its digits left out. `extension`: with its dot, folded."""

    base: str
    worked: bool
    number: int
    pattern: str
    extension: str


def picture_name(name: str) -> PictureName:
    """Reads the name of a file, without its folder."""
    path = PurePath(name.casefold())
    base, copied = _COPY_OF.subn("", path.stem)
    base, worked, number = _without_words(base)
    if not number and (found := _NUMBER.search(base)):
        number = int(next(filter(None, found.groups())))
        base, more, _ = _without_words(base[: found.start()])
        worked = worked or more
    base, phone = _PHONE_EDIT.subn(r"\1\2", base)
    return PictureName(base, bool(worked or copied or phone), number, _DIGITS.sub("#", base), path.suffix)


def _without_words(stem: str) -> tuple[str, bool, int]:
    """`(base, whether words were taken off, number)`. `IMG_1234-Edit-2` is a second edit of one photograph;
    `wedding-web-2` is the second of several photographs."""
    worked, number = False, 0
    while found := _WORD.search(stem):
        stem, worked = stem[: found.start()], True
        if found[2] and not (found[1] and _COUNTER_AT_END.search(stem)):
            number = int(found[2])
    return stem, worked, number


def folder_family(folder: str) -> str:
    """The folder that a folder's pictures belong to: `trip/edits` and `trip/RAW` are both of `trip`."""
    parent, _, last = folder.rpartition("/")
    return parent if _OWN_FOLDER.fullmatch(last) else folder
