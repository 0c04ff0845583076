"""Colour spaces, and what counts as monochrome."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from domain.imaging import color
from tests.domain.imaging.pictures import grey_scene, scene
from tests.domain.imaging.profiles import grey_gamma, wide_rgb


def tinted(strength: float) -> Image.Image:
    """A grey scene with one colour laid over it, strongest in the middle tones, like a toned print."""
    grey = grey_scene().astype(np.float64)
    amount = strength * np.sin(np.pi * grey / 255)
    return Image.fromarray(np.clip(np.stack([grey + amount, grey, grey - amount], axis=2), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("strength", [0, 10, 30])
def test_grey_and_toned_frames_are_monochrome(strength: float) -> None:
    assert color.is_monochrome(tinted(strength))
    assert color.is_monochrome(Image.fromarray(grey_scene()))


def test_coloured_frames_are_not() -> None:
    one_spot = np.stack([grey_scene()] * 3, axis=2)
    one_spot[10:30, 10:40] = (200, 30, 30)

    assert not color.is_monochrome(Image.fromarray(scene()))
    assert not color.is_monochrome(Image.fromarray(one_spot))


@pytest.mark.parametrize(
    ("name", "monochrome"),
    [
        ("attention-to-lighting", True),
        ("overhead-plane", True),
        ("pink-flower", False),
        ("sheep", False),
        ("peak", False),
    ],
)
def test_real_frames(shared_data: object, name: str, monochrome: bool) -> None:
    with Image.open(f"{shared_data}/photos/{name}.jpg") as image:
        image.draft("RGB", (400, 400))
        assert color.is_monochrome(image.convert("RGB")) == monochrome


def test_only_a_profile_of_the_same_kind_is_carried_out() -> None:
    assert color.has_transform("RGB", wide_rgb()) and color.has_transform("L", grey_gamma(1.8))
    assert not color.has_transform("RGB", grey_gamma(1.8)) and not color.has_transform("L", wide_rgb())
    assert not color.has_transform("RGB", None) and not color.has_transform("RGB", b"")


def test_inks_without_a_profile_print_as_expected() -> None:
    inks = {"paper": (0, 0, 0, 0), "black": (0, 0, 0, 255), "cyan": (255, 0, 0, 0), "red": (0, 255, 255, 0)}

    shown = {name: color.to_srgb(Image.new("CMYK", (4, 4), ink), None).getpixel((0, 0)) for name, ink in inks.items()}

    assert min(shown["paper"]) > 245 and max(shown["black"]) < 70  # type: ignore[type-var]
    assert shown["cyan"][2] > 180 > 60 > shown["cyan"][0]  # type: ignore[index]
    assert shown["red"][0] > 180 > 90 > shown["red"][2]  # type: ignore[index]


def test_the_dominant_colour_is_that_of_the_fullest_bin() -> None:
    pixels = np.full((64, 64, 3), (200, 10, 30), np.uint8)
    pixels[:20] = (0, 0, 255)

    assert color.dominant_color(Image.fromarray(pixels)) == 0xC80A1E
