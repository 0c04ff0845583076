"""Small photographs, made for a test: every one different, with a camera and a capture time."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

_MADE = datetime(2024, 5, 1, 12)


def make_photographs(folder: Path, n: int, *, seed: int, size: tuple[int, int] = (160, 120)) -> list[Path]:
    """Writes `n` JPEGs of `size` (width, height) into `folder`, a minute apart on a day of the seed's own.

    The same seed gives the same pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for number in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        exif = Image.Exif()
        exif[0x0110] = "Test Camera"
        exif.get_ifd(0x8769)[0x9003] = (_MADE + timedelta(days=seed, minutes=number)).strftime("%Y:%m:%d %H:%M:%S")
        path = folder / f"picture-{seed}-{number:04d}.jpg"
        coarse.resize(size, Image.Resampling.BICUBIC).save(path, quality=90, exif=exif)
        paths.append(path)
    return paths


def make_burst(folder: Path, n: int, *, seed: int, size: tuple[int, int] = (2000, 1500)) -> list[Path]:
    """Writes `n` JPEGs of one scene, a second apart, each a little less sharp than the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    scene = Image.fromarray(rng.integers(0, 256, (size[1] // 20, size[0] // 20), dtype=np.uint8))
    scene = scene.resize(size, Image.Resampling.NEAREST).convert("RGB")
    paths = []
    for number in range(n):
        exif = Image.Exif()
        exif[0x0110] = "Test Camera"
        exif.get_ifd(0x8769)[0x9003] = (_MADE + timedelta(days=seed, seconds=number)).strftime("%Y:%m:%d %H:%M:%S")
        path = folder / f"burst-{seed}-{number:04d}.jpg"
        scene.filter(ImageFilter.GaussianBlur(1.5 * number)).save(path, quality=92, exif=exif)
        paths.append(path)
    return paths
