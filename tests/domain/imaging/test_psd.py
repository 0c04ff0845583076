"""Photoshop documents: the merged picture of every depth and packing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain.errors import PermanentError
from tests.domain.imaging.documents import write_psd
from tests.domain.imaging.pictures import converted, grey_scene, rms, scene
from tests.domain.imaging.profiles import wide_in_srgb, wide_rgb

GREY, RGB, CMYK, LAB = 1, 3, 4, 9
PLANES = np.moveaxis(scene(), 2, 0)
DEPTHS = {8: PLANES, 16: PLANES.astype(np.uint16) * 257, 32: (PLANES / 255).astype(np.float32)}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("big", [False, True])
def test_rgb(tmp_path: Path, depth: int, packed: bool, big: bool) -> None:
    result = converted(write_psd(tmp_path / "a.psd", DEPTHS[depth], mode=RGB, packed=packed, big=big))

    assert result.preview.size == (96, 64)
    assert rms(result.preview, scene()) < 3


@pytest.mark.parametrize("packed", [False, True])
def test_grey_of_16_bit(tmp_path: Path, packed: bool) -> None:
    planes = grey_scene().astype(np.uint16)[None] * 257

    result = converted(write_psd(tmp_path / "a.psd", planes, mode=GREY, packed=packed))

    assert result.preview.mode == "L"
    assert rms(result.preview, grey_scene()) < 3


@pytest.mark.parametrize("packed", [False, True])
def test_a_further_channel_is_left_out(tmp_path: Path, packed: bool) -> None:
    """Transparency lies over white in the merged picture already."""
    planes = np.concatenate([PLANES, np.zeros((1, 64, 96), np.uint8)])

    assert rms(converted(write_psd(tmp_path / "a.psd", planes, mode=RGB, packed=packed)).preview, scene()) < 3


def test_inks_are_stored_inverted(tmp_path: Path) -> None:
    planes = np.full((4, 64, 96), 255, np.uint8)  # no ink
    planes[3, :, 48:] = 0  # all black

    pixels = converted(write_psd(tmp_path / "a.psd", planes, mode=CMYK)).pixels

    assert pixels[:, :40].min() > 245 and pixels[:, 56:].max() < 60


def test_a_profile_is_carried_out(tmp_path: Path) -> None:
    planes = np.broadcast_to(np.array([100, 150, 120], np.uint8)[:, None, None], (3, 64, 96))

    pixels = converted(write_psd(tmp_path / "a.psd", planes, mode=RGB, icc=wide_rgb())).pixels

    assert np.abs(pixels[30, 30] - wide_in_srgb((100, 150, 120))).max() <= 2.5


def test_packing_does_not_change_the_pixel_hash(tmp_path: Path) -> None:
    a = converted(write_psd(tmp_path / "a.psd", PLANES, mode=RGB)).facts
    b = converted(write_psd(tmp_path / "b.psd", PLANES, mode=RGB, packed=True, icc=wide_rgb())).facts
    c = converted(write_psd(tmp_path / "c.psd", PLANES ^ 1, mode=RGB)).facts

    assert a.pixel_hash == b.pixel_hash != c.pixel_hash


@pytest.mark.parametrize("packed", [False, True])
def test_a_document_cut_short_is_refused(tmp_path: Path, packed: bool) -> None:
    original = write_psd(tmp_path / "a.psd", PLANES, mode=RGB, packed=packed)
    original.write_bytes(original.read_bytes()[:-2000])

    with pytest.raises(PermanentError, match="is cut short"):
        converted(original)


def test_packed_rows_without_sense_are_refused(tmp_path: Path) -> None:
    original = write_psd(tmp_path / "a.psd", PLANES, mode=RGB, packed=True)
    data = bytearray(original.read_bytes())
    data[-300:] = b"\x7f" * 300
    original.write_bytes(data)

    with pytest.raises(PermanentError, match="is damaged"):
        converted(original)


def test_other_colours_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"a\.psd is of a kind that cannot be read here .* save it as RGB or grey"):
        converted(write_psd(tmp_path / "a.psd", PLANES, mode=LAB))


def test_a_hostile_size_is_refused(tmp_path: Path) -> None:
    original = write_psd(tmp_path / "a.psd", PLANES, mode=RGB)
    data = bytearray(original.read_bytes())
    data[14:22] = (300_000).to_bytes(4, "big") * 2
    original.write_bytes(data)

    with pytest.raises(PermanentError, match="claims 300,000 x 300,000 pixels"):
        converted(original)
