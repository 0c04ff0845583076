"""Matrices on their way to a consumer: memory-mapped `.npy` files on the shared disk.

Named by stage and generation, synced before the claim is published, deleted by the writer with the result.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.settings import Settings


class MatrixLostError(RuntimeError):
    """Use this when a matrix does not lie where it was put, or is none."""


def matrix_path(settings: Settings, stage: str, generation: int, name: str) -> Path:
    return settings.transit_dir / f"{stage}-{generation}-{name}.npy"


def load(path: Path) -> NDArray[Any]:
    """A whole matrix. Raises MatrixLostError, and never OSError: that would be taken for a database that is away."""
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise MatrixLostError(f"{path.name} cannot be read: {error}") from error
    return array


def files_of(settings: Settings, stage: str, generation: int) -> list[Path]:
    """Every matrix of this run and of earlier ones that were left behind."""
    kept = []
    for path in settings.transit_dir.glob(f"{stage}-*-*.npy"):
        number = path.name.split("-")[1]
        if number.isdigit() and int(number) <= generation:
            kept.append(path)
    return kept


def save(path: Path, array: NDArray[Any]) -> None:
    """Writes and syncs `array`, so that a consumer on another machine sees all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
