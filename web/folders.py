"""The folder chooser: sub-folders below a library root, symlinks resolved and never followed out of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from domain.formats import file_kind
from web.errors import RequestError

LISTED_AT_MOST = 5_000


def listing(root_path: str, rel_path: str) -> dict[str, Any]:
    """The folder's sub-folders by name and how many photographs lie in it directly. Blocking: run in a thread."""
    root = Path(root_path)
    real_root = root.resolve()
    folder = real_root / rel_path
    folders, pictures = [], 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not _is_text(entry.name):
                    continue
                if _is_folder_below(entry, real_root):
                    folders.append(entry.name)
                elif file_kind(entry.name) is not None:
                    pictures += 1
    except OSError as error:
        raise RequestError(403, f"{folder} cannot be read: {error.strerror or error}.") from error
    names = sorted(folders, key=str.casefold)[:LISTED_AT_MOST]
    shown = root / rel_path if rel_path else root
    return {
        "path": str(shown),
        "root": root_path,
        "parent": str(shown.parent) if rel_path else None,
        "pictures": pictures,
        "folders": [{"name": name, "path": str(shown / name)} for name in names],
    }


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_folder_below(entry: os.DirEntry[str], root: Path) -> bool:
    try:
        return entry.is_dir() and (not entry.is_symlink() or Path(entry.path).resolve().is_relative_to(root))
    except OSError:
        return False
