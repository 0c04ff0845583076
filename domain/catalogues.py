"""Ratings in the catalogues of other programs: Lightroom Classic's `.lrcat` and darktable's `library.db`.

Both are SQLite. A catalogue is copied first and the copy alone is opened, read-only and immutable: nothing is ever
written to, locked in or repaired in somebody's catalogue.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from domain.errors import PermanentError
from domain.files import printable, reachable

Program = Literal["lightroom", "darktable"]

_JOURNALS = ("-wal", "-journal")
_REJECTED = -1
_STARS_BITS, _REJECTED_BIT, _OLD_REJECTED = 7, 8, 6
"""darktable's `images.flags`: stars in the lowest three bits (6 once meant rejected), rejected in the fourth."""


@dataclass(frozen=True)
class CatalogueEntry:
    """One file of a catalogue. `stars`: 1..5, -1 a reject, 0 neither; `path` is `/`-separated, as the catalogue has it.

    `untouched`: darktable gives every picture one star on import, so one star alone says nothing. `copies`: virtual
    copies (Lightroom) or duplicates (darktable) of the file; a file without stars takes the most stars of its copies.
    """

    path: str
    stars: int
    untouched: bool = False
    copies: int = 0
    from_copy: bool = False


@dataclass(frozen=True)
class Catalogue:
    program: Program
    entries: Sequence[CatalogueEntry]


def read_catalogue(path: Path, scratch: Path | None = None) -> Catalogue:
    """Everything the catalogue says of ratings, by path. `scratch`: where its copy lies meanwhile.

    Raises PermanentError with a sentence for what is no catalogue, is of an unknown version, or is being written now.
    """
    with _copied(path, scratch) as copy, _opened(copy, path) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        try:
            if {"Adobe_images", "AgLibraryFile", "AgLibraryFolder", "AgLibraryRootFolder"} <= tables:
                return Catalogue("lightroom", list(_by_file(_lightroom(database))))
            if {"film_rolls", "images"} <= tables:
                return Catalogue("darktable", list(_by_file(_darktable(database))))
        except (sqlite3.DatabaseError, TypeError, ValueError) as error:
            raise PermanentError(
                f"{printable(path.name)} is damaged or of a version that is not known: {error}.", detail=str(error)
            ) from error
    raise PermanentError(f"{printable(path.name)} is neither a Lightroom Classic catalogue nor darktable's library.db.")


# --- the copy ---------------------------------------------------------------------------------------------------------


@contextmanager
def _copied(path: Path, scratch: Path | None) -> Iterator[Path]:
    """A copy with what its program has not yet folded in, gone again afterwards."""
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="catalogue-", dir=scratch) as folder:
        copy = Path(folder) / "catalogue.db"
        with reachable(path):
            before = _state(path)
            _require_room(path, folder)
            shutil.copyfile(path, copy)
            for ending in _JOURNALS:
                journal = Path(f"{path}{ending}")
                if journal.exists():
                    shutil.copyfile(journal, f"{copy}{ending}")
            if _state(path) != before:
                raise PermanentError(
                    f"{printable(path.name)} was written to while it was copied. Close its program, then try again."
                )
        yield copy


def _state(path: Path) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for name in (str(path), *(f"{path}{ending}" for ending in _JOURNALS)):
        try:
            info = os.stat(name)  # noqa: PTH116
        except FileNotFoundError:
            if name == str(path):
                raise
            found.append(None)
        else:
            found.append((info.st_size, info.st_mtime_ns))
    return found


def _require_room(path: Path, folder: str) -> None:
    needed, free = path.stat().st_size, shutil.disk_usage(folder).free
    if needed > free // 2:
        raise PermanentError(
            f"A copy of {printable(path.name)} needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free."
        )


@contextmanager
def _opened(copy: Path, path: Path) -> Iterator[sqlite3.Connection]:
    try:
        if any(Path(f"{copy}{ending}").exists() for ending in _JOURNALS):
            with closing(sqlite3.connect(copy)) as ours:  # folds in what was not yet, in our copy
                ours.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                ours.execute("SELECT count(*) FROM sqlite_master").fetchone()
        database = sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        raise PermanentError(
            f"{printable(path.name)} is no catalogue that can be read: {error}.", detail=str(error)
        ) from error
    database.text_factory = lambda raw: raw.decode("utf-8", "replace")
    with closing(database):
        yield database


# --- what they hold ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Version:
    """A picture of a file: the file itself, or a copy of it."""

    path: str
    is_copy: bool
    stars: int
    untouched: bool = False


def _by_file(versions: Iterator[_Version]) -> Iterator[CatalogueEntry]:
    """`versions` of one file follow each other, the file itself first."""
    group: list[_Version] = []
    for version in versions:
        if group and group[0].path != version.path:
            yield _entry(group)
            group = []
        group.append(version)
    if group:
        yield _entry(group)


def _entry(group: list[_Version]) -> CatalogueEntry:
    first = group[0]
    said = first
    if first.stars == 0 or first.untouched:
        copies = [v for v in group[1:] if v.stars > 0 and not v.untouched]
        said = max(copies, key=lambda v: v.stars, default=first)
    return CatalogueEntry(first.path, said.stars, said.untouched, len(group) - 1, said is not first)


_LIGHTROOM = """
SELECT r.absolutePath, d.pathFromRoot, f.baseName, f.extension, {master} AS is_copy, i.rating, {pick} AS pick
FROM Adobe_images i JOIN AgLibraryFile f ON f.id_local = i.rootFile
JOIN AgLibraryFolder d ON d.id_local = f.folder JOIN AgLibraryRootFolder r ON r.id_local = d.rootFolder
ORDER BY f.id_local, is_copy, i.id_local
"""


def _lightroom(database: sqlite3.Connection) -> Iterator[_Version]:
    columns = {row[1] for row in database.execute("PRAGMA table_info(Adobe_images)")}
    query = _LIGHTROOM.format(
        master="i.masterImage IS NOT NULL" if "masterImage" in columns else "0",
        pick="i.pick" if "pick" in columns else "NULL",
    )
    for root, folder, name, extension, is_copy, rating, pick in database.execute(query):
        leaf = f"{name}.{extension}" if extension else str(name)
        stars = _REJECTED if pick is not None and pick < 0 else _stars(rating)
        yield _Version(_folder(root) + _folder(folder) + leaf, bool(is_copy), stars)


def _folder(path: str | None) -> str:
    """With one slash at its end; empty for the root's own."""
    folder = (path or "").replace("\\", "/")
    return folder if not folder or folder.endswith("/") else f"{folder}/"


def _stars(rating: float | None) -> int:
    return min(max(round(float(rating)), 0), 5) if rating is not None else 0


_DARKTABLE = """
SELECT f.folder, i.filename, {version} AS version, i.flags FROM images i JOIN film_rolls f ON f.id = i.film_id
ORDER BY f.folder, i.filename, version, i.id
"""


def _darktable(database: sqlite3.Connection) -> Iterator[_Version]:
    columns = {row[1] for row in database.execute("PRAGMA table_info(images)")}
    query = _DARKTABLE.format(version="i.version" if "version" in columns else "0")
    before = ""
    for folder, name, _, flags in database.execute(query):
        path = f"{_folder(folder)}{name}"
        stars = (flags or 0) & _STARS_BITS
        rejected = bool((flags or 0) & _REJECTED_BIT) or stars == _OLD_REJECTED
        stars = _REJECTED if rejected else min(stars, 5)
        yield _Version(path, path == before, stars, untouched=stars == 1)
        before = path
