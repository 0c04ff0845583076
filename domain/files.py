"""What a library holds on disk, one folder at a time, and what the operating system says when it is away."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import PermanentError, TransientError, UnavailableError
from domain.formats import SNIFFED_BYTES, FileKind, Format, file_kind, sniff_bytes
from domain.pairing import PairedPhoto, SiblingFolder, companion_folder_kind, pair_folder

_GONE = frozenset((errno.ENOENT, errno.ENOTDIR))
_AWAY = frozenset(
    code
    for name in ("EIO", "ENODEV", "ENXIO", "ESTALE", "ENOTCONN", "EHOSTDOWN", "EHOSTUNREACH", "ETIMEDOUT", "ENOMEDIUM")
    if (code := getattr(errno, name, None)) is not None
)


@dataclass(frozen=True)
class ListedFile:
    """One photo in a folder. Paths are relative to the root, `/`-separated; times are in nanoseconds."""

    rel_path: str
    kind: FileKind
    size: int
    mtime_ns: int
    companion_rel_path: str | None = None
    companion_size: int | None = None
    companion_mtime_ns: int | None = None
    sidecar_rel_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """A path that was left out, printable, and why, in a sentence."""

    path: str
    sentence: str


@dataclass(frozen=True)
class FolderListing:
    """One folder: its photos by name, its sub-folders newest first, and what was left out."""

    files: tuple[ListedFile, ...] = ()
    folders: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def printable(path: str | Path) -> str:
    """The path with bytes that are not UTF-8, and control characters, escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def sniff(path: Path) -> Format:
    """The format of a file by its content.

    Raises TransientError or UnavailableError when the file cannot be reached, PermanentError when it may not be read.
    """
    with reachable(path), path.open("rb") as file:
        return sniff_bytes(file.read(SNIFFED_BYTES), path.suffix)


class reachable:  # noqa: N801 - reads as a statement: `with reachable(path):`
    """Turns the operating system's errors about `path` into ours, each with its sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and (error.filename is not None or error.errno in _AWAY):
            _raise_unreachable(self.path, error)  # a drive that goes away while it is read names no file


def _raise_unreachable(path: Path, error: OSError) -> None:
    name = printable(path.name)
    more: dict[str, Any] = {"op": "read", "detail": str(error)}
    if error.errno in _AWAY:
        raise UnavailableError(
            f"{name} cannot be read because its drive does not answer; connect the drive again.", **more
        ) from error
    if error.errno in _GONE:
        raise TransientError(
            f"{name} is no longer in {printable(path.parent)}; connect its drive, or put the file back.", **more
        ) from error
    if error.errno in (errno.EACCES, errno.EPERM):
        raise PermanentError(
            f"{name} may not be read by this program; change its permissions and retry.", **more
        ) from error
    if error.errno == errno.EISDIR:
        raise PermanentError(f"{name} is a folder and no photograph.", **more) from error
    if error.errno == errno.ENAMETOOLONG:
        raise PermanentError(f"{name} has a name that is too long for its drive.", **more) from error


def require_root(root: Path) -> None:
    """Raises UnavailableError when a library root is missing or cannot be listed (an unplugged drive)."""
    try:
        with os.scandir(root) as entries:
            next(entries, None)
    except OSError as error:
        raise UnavailableError(
            f"The library {printable(root)} is not there or cannot be read; connect its drive. Nothing was deleted.",
            op="read_library",
            detail=str(error),
        ) from error


def walk_folder(root: Path, rel: str) -> FolderListing:
    """The photos and sub-folders of one folder below `root`; `rel` is `/`-separated, "" for the root itself.

    Dot names are left out silently. What cannot be read, has a name that is not UTF-8, or is a link that would be
    listed twice or leads out of the root, is an entry of `skipped`. A RAW and its JPEG are one photo (see
    `domain.pairing`). Raises UnavailableError when the root is away, PermanentError when `rel` leaves the root.
    """
    require_root(root)
    if rel.startswith("/") or ".." in rel.split("/"):
        raise PermanentError(f"{printable(rel)} leaves the library {printable(root)}.", op="scan")
    return _FolderWalk(root, rel).listing()


def _join(rel: str, name: str) -> str:
    return f"{rel}/{name}" if rel else name


class _FolderWalk:
    """State of one listing."""

    def __init__(self, root: Path, rel: str) -> None:
        self.root, self.rel = root, rel
        self.folder = root / rel if rel else root
        self.real_root = os.path.realpath(root)
        self.stats: dict[str, os.stat_result] = {}
        self.names: list[str] = []
        self.folders: list[tuple[int, str]] = []
        self.skipped: list[Skipped] = []

    def listing(self) -> FolderListing:
        real = os.path.realpath(self.folder)
        if not _inside(real, self.real_root):
            self._skip(self.folder, "leads out of the library through a link, so it was left out.")
            return FolderListing(skipped=tuple(self.skipped))
        for entry in self._entries(self.folder):
            self._sort_in(entry)
        photos = pair_folder(self.folder.name, sorted(self.names), self._siblings())
        files = tuple(file for photo in photos if (file := self._listed(photo)) is not None)
        newest_first = sorted(self.folders, key=lambda pair: (-pair[0], pair[1]))
        return FolderListing(files, tuple(_join(self.rel, name) for _, name in newest_first), tuple(self.skipped))

    def _skip(self, path: str | Path, why: str) -> None:
        self.skipped.append(Skipped(printable(path), f"{printable(Path(path).name)} {why}"))

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except FileNotFoundError:
            self._skip(folder, "disappeared while the library was listed; import again if it comes back.")
        except OSError as error:
            self._skip(folder, f"could not be listed ({error.strerror}); check the folder's permissions.")
        return []

    def _sort_in(self, entry: os.DirEntry[str]) -> None:
        if entry.name.startswith("."):
            return
        if not _is_utf8(entry.name):
            if _worth_reporting(entry):
                self._skip(entry.path, "has a name that is not UTF-8 text; rename it to import it.")
            return
        wanted = file_kind(entry.name) is not None or entry.name.lower().endswith(".xmp")
        try:
            if entry.is_symlink() and not self._link_is_wanted(entry, wanted):
                return
            info = entry.stat()
        except OSError as error:
            if wanted:
                self._skip(entry.path, f"could not be read ({error.strerror}); check its permissions or its link.")
            return
        if stat.S_ISDIR(info.st_mode):
            self.folders.append((info.st_mtime_ns, entry.name))
        elif stat.S_ISREG(info.st_mode) and wanted:
            self.names.append(entry.name)
            self.stats[_join(self.rel, entry.name)] = info

    def _link_is_wanted(self, entry: os.DirEntry[str], wanted_file: bool) -> bool:
        """A link to what the walk lists anyway would show it twice, or never end; one that leads out is refused."""
        if not wanted_file and not entry.is_dir():
            return False
        real = os.path.realpath(entry.path)
        if not _inside(real, self.real_root):
            self._skip(entry.path, "is a link that leads out of the library, so it was left out.")
            return False
        if self._is_walked(real):
            self._skip(entry.path, "is a link to what is listed at its real place, so it was left out.")
            return False
        return True

    def _is_walked(self, real: str) -> bool:
        inner = Path(os.path.relpath(real, self.real_root))
        hidden = any(part.startswith(".") and part != "." for part in inner.parts)
        return not hidden or _inside(os.path.realpath(self.folder), real)

    def _siblings(self) -> list[SiblingFolder]:
        """Folders beside this one that may hold the other halves of its pairs."""
        if not self.rel or companion_folder_kind(self.folder.name) is None:
            return []
        found = []
        for name in sorted(_folder_names(self.folder.parent)):
            if name != self.folder.name and companion_folder_kind(name) is not None:
                found.append(SiblingFolder(name, sorted(_file_names(self.folder.parent / name))))
        return found

    def _listed(self, photo: PairedPhoto) -> ListedFile | None:
        info = self._stat(_join(self.rel, photo.name))
        kind = file_kind(photo.name)
        if info is None or kind is None:
            return None
        companion = self._rel_of(photo.companion) if photo.companion else None
        beside = self._stat(companion) if companion else None
        return ListedFile(
            rel_path=_join(self.rel, photo.name),
            kind=kind,
            size=info.st_size,
            mtime_ns=info.st_mtime_ns,
            companion_rel_path=companion if beside else None,
            companion_size=beside.st_size if beside else None,
            companion_mtime_ns=beside.st_mtime_ns if beside else None,
            sidecar_rel_paths=tuple(self._rel_of(sidecar) for sidecar in photo.sidecars),
        )

    def _rel_of(self, found: tuple[str, str]) -> str:
        """`found` is (sibling folder or "", name)."""
        sibling, name = found
        if not sibling:
            return _join(self.rel, name)
        parent = self.rel.rpartition("/")[0]
        return _join(_join(parent, sibling), name)

    def _stat(self, rel_path: str) -> os.stat_result | None:
        if rel_path not in self.stats:
            try:
                self.stats[rel_path] = (self.root / rel_path).stat()
            except OSError:
                return None
        return self.stats[rel_path]


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _worth_reporting(entry: os.DirEntry[str]) -> bool:
    try:
        return file_kind(entry.name) is not None or entry.is_dir()
    except OSError:
        return True


def _listable(folder: Path, want_folders: bool) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [
                e.name
                for e in entries
                if not e.name.startswith(".") and _is_utf8(e.name) and not e.is_symlink() and e.is_dir() == want_folders
            ]
    except OSError:
        return []


def _folder_names(folder: Path) -> list[str]:
    return _listable(folder, want_folders=True)


def _file_names(folder: Path) -> list[str]:
    return _listable(folder, want_folders=False)
