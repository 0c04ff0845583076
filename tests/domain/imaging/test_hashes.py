"""Fingerprints of looks; those of bytes and pixels are tested where files are read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from domain.imaging.hashes import FileHashing, PixelHash, perceptual_hash, pixels_hash
from tests.domain.imaging.pictures import scene


def reduced(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.draft("RGB", (800, 800))
        return image.convert("RGB")


def distance(a: Image.Image, b: Image.Image) -> int:
    return ((perceptual_hash(a) ^ perceptual_hash(b)) & (2**64 - 1)).bit_count()


def test_a_picture_looks_like_its_smaller_and_brighter_copies(shared_data: Path) -> None:
    a, b = (reduced(shared_data / "photos" / name) for name in ("sheep.jpg", "peak.jpg"))

    assert distance(a, a.resize((300, 200))) <= 4
    assert distance(a, ImageEnhance.Brightness(a).enhance(1.15)) <= 6
    assert distance(a, b) >= 16


def test_the_hash_of_looks_fits_a_signed_column() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 32, 32), dtype=np.uint8)

    found = [perceptual_hash(Image.fromarray(n)) for n in noise]

    assert all(-(2**63) <= f < 2**63 for f in found) and len(set(found)) == len(found)


@pytest.mark.parametrize("split", [1, 7, 64])
def test_the_hash_of_pixels_does_not_depend_on_bands(split: int) -> None:
    pixels = scene().astype(np.uint16)
    hashing = PixelHash(96, 64, 3, pixels.dtype)
    for top in range(0, 64, split):
        hashing.update(pixels[top : top + split])

    assert hashing.digest() == pixels_hash(pixels)
    assert pixels_hash(pixels) == pixels_hash(pixels.astype(">u2")) != pixels_hash(pixels.astype(np.uint8))


def test_shape_counts() -> None:
    assert pixels_hash(np.zeros((4, 6), np.uint8)) != pixels_hash(np.zeros((6, 4), np.uint8))


def test_a_file_is_hashed_beside_its_decoding(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(3_000_000))

    assert FileHashing(tmp_path / "a").result() == hashlib.blake2b(bytes(3_000_000), digest_size=32).digest()
    with pytest.raises(FileNotFoundError):
        FileHashing(tmp_path / "b").result()
