"""Free space where derivatives are written: imports are refused and convert pauses below the limit."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from contracts.settings import Settings

_GB = 1_000_000_000


def nearest(path: Path) -> Path:
    """The path itself, or the nearest folder above that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def free_gb(path: Path) -> float:
    """Free gigabytes on the disk that holds `path`, or will hold it."""
    return shutil.disk_usage(nearest(path)).free / _GB


def shortage(settings: Settings) -> str | None:
    """A sentence when less than the limit is free; None when there is room."""
    free = free_gb(settings.derivatives_dir)
    if free >= settings.free_disk_gb:
        return None
    return (
        f"Only {free:.1f} GB are free on the disk that holds {settings.derivatives_dir}; previews need at least "
        f"{settings.free_disk_gb:g} GB. Free some space, and work goes on by itself."
    )


def sync_folder(folder: Path) -> None:
    """Makes what was put into `folder`, or renamed there, last through a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
