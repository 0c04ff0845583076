"""JPEG: colours as they were meant, and a hash of the picture that other programs' notes do not change."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from tests.domain.imaging.notes import write_notes
from tests.domain.imaging.pictures import converted, grey_scene, rms, scene
from tests.domain.imaging.profiles import wide_in_srgb, wide_rgb

ADOBE = re.compile(rb"\xff\xee\0\x0eAdobe.{7}", re.DOTALL)


def test_cmyk_of_adobe_is_not_inverted(tmp_path: Path) -> None:
    original = tmp_path / "adobe.jpg"
    Image.fromarray(scene()).convert("CMYK").save(original, quality=95)
    assert ADOBE.search(original.read_bytes())

    pixels = converted(original).pixels

    assert np.corrcoef(pixels.mean(axis=2).ravel(), scene().mean(axis=2).ravel())[0, 1] > 0.9


def test_cmyk_of_others_is_not_inverted(tmp_path: Path) -> None:
    """Without Adobe's note the inks are stored straight: 0 is none."""
    original, adobe = tmp_path / "straight.jpg", tmp_path / "adobe.jpg"
    inks = Image.fromarray(scene()).convert("CMYK")
    inks.save(adobe, quality=95)
    ImageChops.invert(inks).save(original, quality=95)
    original.write_bytes(ADOBE.sub(b"", original.read_bytes()))

    assert rms(converted(original).preview, converted(adobe).preview) < 2


def test_shared_cmyk_pictures_look_like_themselves(shared_data: Path, tmp_path: Path) -> None:
    without = converted(shared_data / "formats" / "cmyk-sample-no-icc.jpg", tmp_path / "a").pixels
    with_profile = converted(shared_data / "formats" / "cmyk-icc.jpg", tmp_path / "b").pixels

    assert without[10:20, 10:20].min() > 240  # paper
    assert without.mean(axis=2).min() < 60  # black ink
    red, _, blue = with_profile[4:10, 4:10].mean(axis=(0, 1))
    assert blue > red + 60  # a blue book


def test_a_profile_is_carried_out(tmp_path: Path) -> None:
    original = tmp_path / "wide.jpg"
    Image.new("RGB", (64, 48), (100, 150, 120)).save(original, quality=100, subsampling=0, icc_profile=wide_rgb())

    shown = converted(original).pixels[20, 20]

    assert np.abs(shown - wide_in_srgb((100, 150, 120))).max() <= 2.5


def test_grey_stays_grey(tmp_path: Path) -> None:
    original = tmp_path / "grey.jpg"
    Image.fromarray(grey_scene()).save(original, quality=95)

    result = converted(original)

    assert result.preview.mode == "L" and result.facts.is_monochrome
    assert rms(result.preview, grey_scene()) < 3


@pytest.mark.parametrize(
    "more", [{"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 0}, {"comment": b"c"}]
)
def test_the_pixel_hash_outlives_rewritten_notes(tmp_path: Path, more: dict[str, object]) -> None:
    original = tmp_path / "a.jpg"
    Image.fromarray(scene(300, 200)).save(original, **more)  # type: ignore[arg-type]
    before = converted(original, tmp_path / "out").facts

    write_notes(
        original, {"Exif.Image.Artist": "someone" * 50, "Xmp.xmp.Rating": "4", "Iptc.Application2.City": "Köln"}
    )

    after = converted(original, tmp_path / "out").facts
    assert after.file_hash != before.file_hash
    assert after.pixel_hash == before.pixel_hash


def test_the_pixel_hash_changes_with_the_picture(tmp_path: Path) -> None:
    pixels = scene(300, 200)
    hashes = set()
    for number in range(3):
        pixels[number, number] ^= 0xFF
        Image.fromarray(pixels).save(tmp_path / f"{number}.jpg", quality=95)
        hashes.add(converted(tmp_path / f"{number}.jpg").facts.pixel_hash)

    assert len(hashes) == 3


def test_a_missing_end_mark_is_said_and_no_damage(tmp_path: Path) -> None:
    original = tmp_path / "endless.jpg"
    Image.fromarray(scene(300, 200)).save(original)
    data = original.read_bytes()
    assert data.endswith(b"\xff\xd9")
    original.write_bytes(data[:-2])

    result = converted(original)

    assert result.facts.warnings == ("The file has no end mark; the picture in it is whole.",)
    assert rms(result.preview, scene(300, 200)) < 6


def test_a_thumbnail_inside_the_notes_is_not_taken_for_the_picture(shared_data: Path, tmp_path: Path) -> None:
    facts = converted(shared_data / "photos" / "stubborn.jpg", tmp_path, want_focus=False).facts

    assert (facts.width, facts.height) == (3520, 5277)
