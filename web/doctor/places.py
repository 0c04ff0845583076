"""Disk, permissions and mounts: what the file system says, and the versions of what runs here."""

from __future__ import annotations

import os
import platform
import stat
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from contracts.settings import Settings
from web import disk
from web.doctor.finding import Finding
from web.roots import offline_reason

PYTHON = (3, 11)
_FEW_FILES = 10_000
_LOOKED_AT = 2_000
"""Folders of a root that are tried; the walk of an import names every one that it cannot read."""


def versions() -> Finding:
    try:
        ours = version("fineshyt")
    except PackageNotFoundError:
        ours = "from its sources"
    old = sys.version_info < PYTHON
    said = f"fineshyt {ours}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    needed = f"Python {'.'.join(map(str, PYTHON))} or newer is needed: install it, and run scripts/setup again."
    return Finding("versions", not old, said, needed if old else "")


def disk_space(settings: Settings) -> list[Finding]:
    """Room for previews, in bytes and in files."""
    shortage = disk.shortage(settings)
    free = f"{disk.free_gb(settings.derivatives_dir):.0f} GB free for previews"
    found = [Finding("disk", shortage is None, shortage or free, "Free some space on that disk." if shortage else "")]
    folder = disk.nearest(settings.derivatives_dir)
    left = os.statvfs(folder)
    if left.f_files > 0 and left.f_favail < _FEW_FILES:
        found.append(
            Finding("files", False, f"The disk that holds {folder} has room for {left.f_favail:,} more files only.",
                    "Remove many small files there, or move the previews: FINESHYT_DERIVATIVES.")
        )  # fmt: skip
    return found


def permissions(settings: Settings) -> list[Finding]:
    """Folders that must be written, and the state of a home that only its user may read."""
    folders = {"home": settings.home, "derivatives": settings.derivatives_dir, "transit": settings.transit_dir}
    found = []
    for what, folder in folders.items():
        there = disk.nearest(folder)
        if not os.access(there, os.W_OK | os.X_OK):
            mend = f"Make it yours: sudo chown -R $USER {there}"
            found.append(Finding(what, False, f"{folder} cannot be written.", mend))
    running = settings.home / "run.json"
    if running.is_file() and running.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        found.append(
            Finding("secrets", False, f"{running} holds passwords, and others can read it.", f"chmod 600 {running}")
        )
    return found or [Finding("permissions", True, f"{settings.home} can be written")]


def library(path: str, photos: int, settings: Settings) -> Finding:
    """One root: there, mounted, readable all the way down, and not the place where previews are written."""
    reason = offline_reason(path, has_photos=photos > 0)
    if reason is not None:
        return Finding(
            path, False, reason,
            f"Connect or mount the drive; if the folder moved: fineshyt roots relocate {path} NEW_FOLDER",
        )  # fmt: skip
    closed = _closed_folders(Path(path))
    if closed:
        return Finding(
            path, False, f"{len(closed)} folders cannot be read, such as {closed[0]}.", f"chmod -R u+rX {closed[0]}"
        )
    if settings.derivatives_dir.resolve().is_relative_to(Path(path).resolve() / "") and not _hidden(settings, path):
        return Finding(
            path, False, f"Previews are written inside it, to {settings.derivatives_dir}, and would be imported.",
            "Move them out of the library: FINESHYT_HOME or FINESHYT_DERIVATIVES.",
        )  # fmt: skip
    return Finding(path, True, f"{photos:,} photographs")


def _hidden(settings: Settings, root: str) -> bool:
    """The walk of an import skips dot names."""
    below = settings.derivatives_dir.resolve().relative_to(Path(root).resolve())
    return any(part.startswith(".") for part in below.parts)


def _closed_folders(root: Path) -> list[Path]:
    closed = []
    for number, (folder, names, _) in enumerate(os.walk(root)):
        if number >= _LOOKED_AT:
            break
        names[:] = [name for name in names if not name.startswith(".")]
        closed += [Path(folder) / name for name in names if not os.access(Path(folder) / name, os.R_OK | os.X_OK)]
    return closed
