"""Catalogues as Lightroom Classic 13 and darktable 4 lay them out; columns that we never read are left out."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

_LIGHTROOM = """
CREATE TABLE AgLibraryRootFolder (id_local INTEGER PRIMARY KEY, id_global UNIQUE NOT NULL,
    absolutePath UNIQUE NOT NULL DEFAULT '', name NOT NULL DEFAULT '', relativePathFromCatalog);
CREATE TABLE AgLibraryFolder (id_local INTEGER PRIMARY KEY, id_global UNIQUE NOT NULL,
    pathFromRoot NOT NULL DEFAULT '', rootFolder INTEGER NOT NULL DEFAULT 0, visibility INTEGER);
CREATE TABLE AgLibraryFile (id_local INTEGER PRIMARY KEY, id_global UNIQUE NOT NULL, baseName NOT NULL DEFAULT '',
    extension NOT NULL DEFAULT '', folder INTEGER NOT NULL DEFAULT 0, idx_filename NOT NULL DEFAULT '',
    originalFilename NOT NULL DEFAULT '', sidecarExtensions);
CREATE TABLE Adobe_images (id_local INTEGER PRIMARY KEY, id_global UNIQUE NOT NULL, captureTime, copyName,
    fileFormat NOT NULL DEFAULT 'unset', masterImage INTEGER, pick NOT NULL DEFAULT 0, rating,
    rootFile INTEGER NOT NULL DEFAULT 0);
"""
_DARKTABLE = """
CREATE TABLE film_rolls (id INTEGER PRIMARY KEY, access_timestamp INTEGER, folder VARCHAR(1024) NOT NULL);
CREATE TABLE images (id INTEGER PRIMARY KEY AUTOINCREMENT, group_id INTEGER, film_id INTEGER, width INTEGER,
    height INTEGER, filename VARCHAR, flags INTEGER, version INTEGER, max_version INTEGER, position INTEGER);
"""

Picture = tuple[str, float | None, int, bool]
"""(path below the root, rating, pick, whether it is a virtual copy)."""


def write_lightroom(path: Path, root: str, pictures: Sequence[Picture]) -> Path:
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_LIGHTROOM)
        database.execute("INSERT INTO AgLibraryRootFolder VALUES (1, 'r', ?, 'Photos', NULL)", (root,))
        files: dict[str, int] = {}
        masters: dict[str, int] = {}
        for n, (rel_path, rating, pick, is_copy) in enumerate(pictures, 100):
            folder, _, name = rel_path.rpartition("/")
            base, _, extension = name.rpartition(".")
            inside = f"{folder}/" if folder else ""
            database.execute(
                "INSERT INTO AgLibraryFolder (id_global, pathFromRoot, rootFolder) SELECT ?, ?, 1 "
                "WHERE NOT EXISTS (SELECT 1 FROM AgLibraryFolder WHERE pathFromRoot = ?)",
                (f"d{n}", inside, inside),
            )
            if rel_path not in files:
                files[rel_path] = n
                database.execute(
                    "INSERT INTO AgLibraryFile SELECT ?, ?, ?, ?, id_local, ?, ?, NULL FROM AgLibraryFolder "
                    "WHERE pathFromRoot = ?",
                    (n, f"f{n}", base, extension, name, name, inside),
                )
            master = masters.get(rel_path) if is_copy else None
            masters.setdefault(rel_path, n)
            database.execute(
                "INSERT INTO Adobe_images VALUES (?, ?, NULL, ?, 'RAW', ?, ?, ?, ?)",
                (n, f"i{n}", "Copy 1" if is_copy else None, master, pick, rating, files[rel_path]),
            )
    return path


def write_darktable(path: Path, pictures: Sequence[tuple[str, str, int, int]]) -> Path:
    """`pictures`: (folder, name, version, flags)."""
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_DARKTABLE)
        for folder in dict.fromkeys(picture[0] for picture in pictures):
            database.execute("INSERT INTO film_rolls (folder) VALUES (?)", (folder,))
        database.executemany(
            """INSERT INTO images (film_id, filename, version, flags)
               SELECT id, ?, ?, ? FROM film_rolls WHERE folder = ?""",
            [(name, version, flags, folder) for folder, name, version, flags in pictures],
        )
    return path
