"""PNG, WebP, BMP, TGA, AVIF and HEIF: what is written plainly is shown alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.domain.imaging.pictures import converted, grey_scene, rms, scene
from tests.domain.imaging.profiles import grey_gamma, wide_in_srgb, wide_rgb

FORMATS = [".png", ".webp", ".bmp", ".tga", ".avif", ".tif", ".jpg"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_colour(tmp_path: Path, suffix: str) -> None:
    original = tmp_path / f"a{suffix}"
    Image.fromarray(scene()).save(original, **({"quality": 95} if suffix in (".webp", ".avif", ".jpg") else {}))

    result = converted(original)

    assert rms(result.preview, scene()) < 6
    assert not result.facts.is_monochrome


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tif", ".jpg"])
@pytest.mark.parametrize("wrong", [".jpg", ".tif", ".heic", ".png", ".nef"])
def test_the_content_counts_and_not_the_name(tmp_path: Path, suffix: str, wrong: str) -> None:
    right, original = tmp_path / f"a{suffix}", tmp_path / f"b{wrong}"
    Image.fromarray(scene()).save(right)
    original.write_bytes(right.read_bytes())

    assert rms(converted(original).preview, scene()) < 10


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tga", ".avif"])
def test_alpha_lies_over_white(tmp_path: Path, suffix: str) -> None:
    original = tmp_path / f"a{suffix}"
    opacity = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))[:, :, None]
    picture = Image.fromarray(np.concatenate([scene(), opacity], axis=2))
    lossless = {".webp": {"lossless": True, "exact": True}, ".avif": {"quality": 100}}
    picture.save(original, **lossless.get(suffix, {}))

    shown = converted(original)

    assert rms(shown.preview, scene() * (opacity / 255.0) + 255 - opacity) < 4


def test_png_grey_with_alpha(tmp_path: Path) -> None:
    opacity = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    Image.merge("LA", [Image.fromarray(grey_scene()), Image.fromarray(opacity)]).save(tmp_path / "a.png")

    shown = converted(tmp_path / "a.png")

    assert shown.preview.mode == "L"
    assert rms(shown.preview, grey_scene() * (opacity / 255.0) + 255 - opacity) < 4


def test_png_grey_of_16_bit_is_not_clipped_to_white(tmp_path: Path) -> None:
    Image.fromarray(grey_scene().astype(np.uint16) * 257).save(tmp_path / "a.png")

    assert rms(converted(tmp_path / "a.png").preview, grey_scene()) < 3


def test_png_with_a_transparent_palette(tmp_path: Path) -> None:
    picture = Image.new("P", (96, 64), 1)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(0, (0, 0, 48, 64))
    picture.save(tmp_path / "a.png", transparency=0)

    pixels = converted(tmp_path / "a.png").pixels

    assert pixels[:, :40].min() > 240  # paper
    assert pixels[:, 60:, 2].min() > 200 > 60 > pixels[:, 60:, 0].max()  # blue


def test_the_shared_png_of_16_bit_with_alpha(shared_data: Path, tmp_path: Path) -> None:
    pixels = converted(shared_data / "formats" / "rgba16.png", tmp_path).pixels

    assert pixels[-4:, 60:68].min() > 230  # transparent
    assert pixels[2, 2, 2] > pixels[2, 2, 0] + 80 and pixels[2, -3, 0] > pixels[2, -3, 2] + 80


@pytest.mark.parametrize("suffix", [".png", ".webp", ".avif"])
def test_a_profile_is_carried_out(tmp_path: Path, suffix: str) -> None:
    original = tmp_path / f"a{suffix}"
    Image.new("RGB", (64, 48), (100, 150, 120)).save(original, icc_profile=wide_rgb(), quality=100)

    assert np.abs(converted(original).pixels[20, 20] - wide_in_srgb((100, 150, 120))).max() <= 4


def test_a_grey_profile_is_carried_out(tmp_path: Path) -> None:
    Image.new("L", (64, 48), 128).save(tmp_path / "a.png", icc_profile=grey_gamma(1.0))

    assert abs(float(np.mean(converted(tmp_path / "a.png").preview)) - 188) <= 2


@pytest.mark.parametrize(
    ("name", "size", "middle"),
    [
        ("pug.heic", (4032, 3024), (100, 190)),
        ("xiaomi.heic", (2592, 1944), (90, 220)),
        ("cat.hif", (4240, 2832), (60, 190)),
    ],
)
def test_shared_heif(
    shared_data: Path, tmp_path: Path, name: str, size: tuple[int, int], middle: tuple[int, int]
) -> None:
    result = converted(shared_data / "formats" / name, tmp_path)

    assert (result.facts.width, result.facts.height) == size
    assert max(result.preview.size) == 1440
    assert middle[0] < result.pixels.mean() < middle[1]
    assert result.facts.warnings == ()


def test_a_nef_that_is_a_jpeg(shared_data: Path, tmp_path: Path) -> None:
    result = converted(shared_data / "formats" / "nef-that-is-a-jpeg.nef", tmp_path)

    assert (result.facts.width, result.facts.height) == (2000, 3008)
    assert result.facts.picture_source == "original"
    assert result.facts.camera == "NIKON D70s"


def test_the_pixel_hash_of_a_png_is_that_of_its_pixels(tmp_path: Path) -> None:
    changed = scene()
    changed[5, 5, 1] ^= 1
    for name, pixels, more in (
        ("a", scene(), {"compress_level": 1}),
        ("b", scene(), {"compress_level": 9, "exif": Image.Exif()}),
        ("c", changed, {}),
    ):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png", **more)
    a, b, c = (converted(tmp_path / f"{name}.png").facts.pixel_hash for name in "abc")

    assert a == b != c
