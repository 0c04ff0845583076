"""Previews of real photographs, for tests and benchmarks of what reads previews."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image


def make_previews(photographs: Sequence[Path], folder: Path) -> list[Path]:
    """1440 px previews of `photographs` in `folder`, by a scaled decode as convert's may be."""
    made = []
    for path in photographs:
        with Image.open(path) as image:
            image.draft("RGB", (1440, 1440))
            picture = image.convert("RGB")
        picture.thumbnail((1440, 1440))
        made.append(folder / path.name)
        picture.save(made[-1], quality=82)
    return made
