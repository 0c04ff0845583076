"""Which files of a folder are one photo: a RAW with its JPEG, and the sidecars of both.

Stateless: a folder named like `RAW` or `JPG` looks at its siblings, so that each half of a pair decides alike
whichever folder is listed first. Within a folder a pair comes before one across siblings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

from domain.formats import RAW_EXTENSIONS, file_kind

RAW_FOLDERS = frozenset(["raw", "raws", "nef", "cr2", "cr3", "arw", "dng", "raf", "orf", "rw2"])
JPEG_FOLDERS = frozenset(["jpg", "jpeg", "jpegs", "jpgs"])
JPEG_EXTENSIONS = frozenset((".jpg", ".jpeg"))

Found = tuple[str, str]
"""(name of the sibling folder, or "" for the folder itself; file name)."""


@dataclass(frozen=True)
class SiblingFolder:
    """A folder beside the listed one, with the names of its files."""

    name: str
    names: Sequence[str]


@dataclass(frozen=True)
class PairedPhoto:
    """A photo of the listed folder: the RAW of a pair, or a file alone."""

    name: str
    companion: Found | None = None
    sidecars: tuple[Found, ...] = ()


@dataclass
class _Stem:
    raws: list[str] = field(default_factory=list)
    jpegs: list[str] = field(default_factory=list)


def companion_folder_kind(name: str) -> Literal["raw", "jpeg"] | None:
    """Whether a folder's name says that it holds one half of RAW and JPEG pairs."""
    folded = name.casefold()
    if folded in RAW_FOLDERS:
        return "raw"
    return "jpeg" if folded in JPEG_FOLDERS else None


def pair_folder(folder: str, names: Sequence[str], siblings: Sequence[SiblingFolder]) -> list[PairedPhoto]:
    """The photos of `folder`, by name. `names` may hold sidecars and files of no interest."""
    stems = _by_stem(names)
    spoken_for = {jpegs.jpegs[0] for jpegs in stems.values() if jpegs.raws and jpegs.jpegs}
    companions: dict[str, Found] = {s.raws[0]: ("", s.jpegs[0]) for s in stems.values() if s.raws and s.jpegs}
    across, elsewhere = _across_siblings(folder, names, siblings)
    spoken_for |= elsewhere
    companions |= across
    photos = []
    for name in sorted(names):
        if file_kind(name) is None or name in spoken_for:
            continue
        companion = companions.get(name)
        photos.append(PairedPhoto(name, companion, _sidecars(name, companion, names, siblings)))
    return photos


def _stem(name: str) -> str:
    return PurePath(name).stem.casefold()


def _by_stem(names: Iterable[str]) -> dict[str, _Stem]:
    stems: dict[str, _Stem] = defaultdict(_Stem)
    for name in sorted(names):
        extension = PurePath(name).suffix.lower()
        if extension in RAW_EXTENSIONS:
            stems[_stem(name)].raws.append(name)
        elif extension in JPEG_EXTENSIONS:
            stems[_stem(name)].jpegs.append(name)
    return stems


def _unpaired(folders: Iterable[SiblingFolder], kind: str) -> dict[str, Found]:
    """First RAW (or JPEG) of each stem that has no partner in its own folder, over folders by name."""
    found: dict[str, Found] = {}
    for folder in sorted(folders, key=lambda f: f.name):
        if companion_folder_kind(folder.name) != kind:
            continue
        for stem, both in _by_stem(folder.names).items():
            mine, other = (both.raws, both.jpegs) if kind == "raw" else (both.jpegs, both.raws)
            if mine and not other:
                found.setdefault(stem, (folder.name, mine[0]))
    return found


def _across_siblings(
    folder: str, names: Sequence[str], siblings: Sequence[SiblingFolder]
) -> tuple[dict[str, Found], set[str]]:
    """Companions of this folder's RAWs in siblings, and this folder's JPEGs that are companions of a sibling's."""
    every = [SiblingFolder(folder, names), *siblings]
    raws, jpegs = _unpaired(every, "raw"), _unpaired(every, "jpeg")
    companions, elsewhere = {}, set()
    for stem in raws.keys() & jpegs.keys():
        (raw_folder, raw), (jpeg_folder, jpeg) = raws[stem], jpegs[stem]
        if raw_folder == folder:
            companions[raw] = (jpeg_folder, jpeg)
        elif jpeg_folder == folder:
            elsewhere.add(jpeg)
    return companions, elsewhere


def _sidecars(
    name: str, companion: Found | None, names: Sequence[str], siblings: Sequence[SiblingFolder]
) -> tuple[Found, ...]:
    """`IMG.xmp`, `IMG.CR2.xmp` and those of the companion. `IMG.xmp` beside a RAW belongs to the RAW alone."""
    has_raw = any(file_kind(n) == "raw" and _stem(n) == _stem(name) for n in names)
    wanted = {f"{name}.xmp".casefold()}
    if file_kind(name) == "raw" or not has_raw:
        wanted.add(f"{_stem(name)}.xmp")
    found: list[Found] = [("", n) for n in sorted(names) if n.casefold() in wanted]
    if companion is not None:
        sibling, jpeg = companion
        theirs = names if not sibling else next(s.names for s in siblings if s.name == sibling)
        wanted = {f"{jpeg}.xmp".casefold()} | ({f"{_stem(jpeg)}.xmp"} if sibling else set())
        found += [(sibling, n) for n in sorted(theirs) if n.casefold() in wanted]
    return tuple(found)
