"""TIFF of every depth and layout, against the same picture written plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from domain.errors import PermanentError
from tests.domain.imaging.notes import write_notes
from tests.domain.imaging.pictures import Converted, converted, grey_scene, rms, scene
from tests.domain.imaging.profiles import grey_gamma, wide_in_srgb, wide_rgb

WIDE_GREY = grey_scene().astype(np.uint16) * 257
WIDE_RGB = scene().astype(np.uint16) * 257
ALPHA = np.tile(np.linspace(0, 65535, 96).astype(np.uint16), (64, 1))


def of(tmp_path: Path, pixels: NDArray[Any], **more: Any) -> Converted:
    original = tmp_path / "scan.tif"
    tifffile.imwrite(original, pixels, **more)
    return converted(original, tmp_path / "out")


def like(result: Converted, pixels: NDArray[Any], limit: float = 3.0) -> None:
    wanted = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=2)
    assert rms(result.pixels, wanted) < limit


# --- depth --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_grey_of_16_bit_is_not_clipped_to_white(tmp_path: Path, byteorder: str) -> None:
    result = of(tmp_path, WIDE_GREY, photometric="minisblack", byteorder=byteorder)

    like(result, grey_scene())
    assert result.preview.mode == "L"


def test_the_shared_grey_scan_has_its_tones(shared_data: Path, tmp_path: Path) -> None:
    original = shared_data / "formats" / "grey16-plane.tif"
    wide = tifffile.imread(original)
    plain = Image.fromarray((wide // 257).astype(np.uint8)).resize((1440, 960), Image.Resampling.LANCZOS)

    result = converted(original, tmp_path)

    assert rms(result.preview, plain) < 2
    assert result.facts.exposure_score == 100


@pytest.mark.parametrize(
    ("bits", "white"),
    [(np.float16, 1.0), (np.float16, 255.0)]
    + [(b, w) for b in (np.float32, np.float64) for w in (1.0, 255.0, 65535.0)],
)
def test_floats_are_not_black(tmp_path: Path, bits: type, white: float) -> None:
    like(of(tmp_path, (grey_scene() / 255 * white).astype(bits), photometric="minisblack"), grey_scene())


def test_floats_that_are_no_numbers_do_no_harm(tmp_path: Path) -> None:
    pixels = (scene() / 255).astype(np.float32)
    pixels[0, 0], pixels[0, 1], pixels[0, 2] = np.nan, np.inf, -np.inf

    result = of(tmp_path, pixels, photometric="rgb")

    assert rms(result.pixels[8:], scene()[8:]) < 3


def test_the_shared_half_float_is_white_and_coloured(shared_data: Path, tmp_path: Path) -> None:
    original = shared_data / "formats" / "float16.tif"
    values = np.clip(tifffile.imread(original).astype(np.float32), 0, 1).mean(axis=2)

    shown = converted(original, tmp_path).pixels.mean(axis=2)

    assert np.median(shown[values > 0.99]) > 250
    assert np.corrcoef(shown.ravel(), values.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("bits", [1, 2, 4, 12, 32])
def test_other_depths(tmp_path: Path, bits: int) -> None:
    levels = (1 << bits) - 1
    pixels = np.rint(grey_scene() / 255 * levels).astype({32: np.uint32, 12: np.uint16}.get(bits, np.uint8))
    more = {} if bits == 32 else {"bitspersample": bits, "compression": None}

    if bits < 8:
        original = tmp_path / "scan.tif"
        packed = np.packbits(np.unpackbits(pixels[:, :, None], axis=2)[:, :, -bits:].reshape(64, -1), axis=1)
        _write_packed(original, packed, bits)
        result = converted(original)
    else:
        result = of(tmp_path, pixels, photometric="minisblack", **more)

    like(result, pixels / levels * 255, 9)


def _write_packed(path: Path, rows: NDArray[np.uint8], bits: int) -> None:
    """A minimal TIFF of one strip."""
    entries = [(256, 4, 96), (257, 4, 64), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    entries += [(278, 4, 64), (279, 4, rows.size)]
    table = len(entries).to_bytes(2, "little")
    for tag, kind, value in entries:
        table += b"".join(n.to_bytes(k, "little") for n, k in ((tag, 2), (kind, 2), (1, 4), (value, 4)))
    path.write_bytes(b"II*\0" + (8 + rows.size).to_bytes(4, "little") + rows.tobytes() + table + bytes(4))


# --- layout -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_rgb_of_16_bit_in_every_layout(tmp_path: Path, compression: str | None, planar: str, tile: Any) -> None:
    pixels = np.moveaxis(WIDE_RGB, 2, 0) if planar == "separate" else WIDE_RGB
    more = {"predictor": True} if compression in ("zlib", "lzw") else {}

    result = of(tmp_path, pixels, photometric="rgb", planarconfig=planar, compression=compression, tile=tile, **more)

    like(result, scene())


def test_layout_and_compression_do_not_change_the_pixel_hash(tmp_path: Path) -> None:
    planes = np.moveaxis(WIDE_RGB, 2, 0)
    hashes = {
        of(tmp_path, WIDE_RGB, photometric="rgb").facts.pixel_hash,
        of(tmp_path, WIDE_RGB, photometric="rgb", byteorder=">").facts.pixel_hash,
        of(tmp_path, WIDE_RGB, photometric="rgb", compression="lzw", rowsperstrip=7).facts.pixel_hash,
        of(tmp_path, WIDE_RGB, photometric="rgb", compression="zlib", predictor=True, tile=(16, 16)).facts.pixel_hash,
        of(tmp_path, planes, photometric="rgb", planarconfig="separate").facts.pixel_hash,
        of(tmp_path, WIDE_RGB, photometric="rgb", bigtiff=True, description="a new title").facts.pixel_hash,
    }

    assert len(hashes) == 1


def test_the_pixel_hash_outlives_rewritten_notes(tmp_path: Path) -> None:
    before = of(tmp_path, WIDE_GREY, photometric="minisblack").facts

    write_notes(tmp_path / "scan.tif", {"Exif.Image.Artist": "someone" * 50, "Xmp.xmp.Rating": "3"})

    after = converted(tmp_path / "scan.tif", tmp_path / "out").facts
    assert after.file_hash != before.file_hash
    assert after.pixel_hash == before.pixel_hash


@pytest.mark.parametrize("at", [(0, 0, 0), (63, 95, 2), (30, 50, 1)])
def test_the_lowest_bit_of_one_pixel_changes_the_pixel_hash(tmp_path: Path, at: tuple[int, int, int]) -> None:
    changed = WIDE_RGB.copy()
    changed[at] ^= 1

    assert (
        of(tmp_path, WIDE_RGB, photometric="rgb").facts.pixel_hash
        != of(tmp_path, changed, photometric="rgb").facts.pixel_hash
    )


def test_rows_that_change_places_change_the_pixel_hash(tmp_path: Path) -> None:
    assert (
        of(tmp_path, WIDE_GREY, photometric="minisblack").facts.pixel_hash
        != of(tmp_path, WIDE_GREY[::-1].copy(), photometric="minisblack").facts.pixel_hash
    )


def test_bigtiff(tmp_path: Path) -> None:
    like(of(tmp_path, WIDE_RGB, photometric="rgb", bigtiff=True), scene())


def test_jpeg_inside(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "a.tif", compression="jpeg", quality=95)

    like(converted(tmp_path / "a.tif"), scene(), 8)


def test_lossless_jpeg_inside(shared_data: Path, tmp_path: Path) -> None:
    original = shared_data / "formats" / "jpeg-lossless-16bit-gray.tif"

    result = converted(original, tmp_path)

    assert result.preview.size == (512, 512)
    assert rms(result.preview, tifffile.imread(original) / 257) < 4
    assert 60 < np.mean(result.preview) < 200


def test_fax_compression(tmp_path: Path) -> None:
    lines = Image.fromarray(grey_scene()).convert("1")
    lines.save(tmp_path / "fax.tif", compression="group4")

    assert rms(converted(tmp_path / "fax.tif").preview, lines.convert("L")) < 40  # JPEG rings at each dot


# --- meaning ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [grey_scene(), WIDE_GREY, (grey_scene() / 255).astype(np.float32)])
def test_white_is_zero(tmp_path: Path, pixels: NDArray[Any]) -> None:
    white = {"u1": 255, "u2": 65535, "f4": 1.0}[pixels.dtype.str[1:]]

    like(of(tmp_path, (white - pixels).astype(pixels.dtype), photometric="miniswhite"), grey_scene())


def test_a_palette(tmp_path: Path) -> None:
    picture = Image.fromarray(scene()).convert("P", palette=Image.Palette.ADAPTIVE)
    picture.save(tmp_path / "a.tif")

    like(converted(tmp_path / "a.tif"), np.asarray(picture.convert("RGB")), 6)


def test_grey_with_alpha_of_16_bit_lies_over_white(tmp_path: Path) -> None:
    pixels = np.stack([WIDE_GREY, ALPHA], axis=2)

    result = of(tmp_path, pixels, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])

    opacity = ALPHA / 65535
    like(result, grey_scene() * opacity + 255 * (1 - opacity))


def test_premultiplied_alpha_lies_over_white(tmp_path: Path) -> None:
    opacity = (ALPHA / 65535)[:, :, None]
    pixels = np.concatenate([np.rint(WIDE_RGB * opacity).astype(np.uint16), ALPHA[:, :, None]], axis=2)

    result = of(tmp_path, pixels, photometric="rgb", extrasamples=["assocalpha"])

    like(result, scene() * opacity + 255 * (1 - opacity))


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_infrared_of_a_scanner_is_no_alpha(tmp_path: Path, planar: str) -> None:
    pixels = np.concatenate([WIDE_RGB, ALPHA[:, :, None]], axis=2)
    pixels = np.moveaxis(pixels, 2, 0) if planar == "separate" else pixels

    like(of(tmp_path, pixels, photometric="rgb", planarconfig=planar, extrasamples=["unspecified"]), scene())


def test_cmyk_inks(shared_data: Path, tmp_path: Path) -> None:
    pixels = converted(shared_data / "formats" / "cmyk.tif", tmp_path).pixels

    cyan, magenta, yellow, black = (pixels[y, x] for y, x in ((25, 25), (25, 75), (75, 25), (75, 75)))
    assert cyan[0] < 90 < 150 < cyan[2] and magenta[1] < 90 < 150 < magenta[0]
    assert yellow[2] < 90 < 150 < yellow[1] and black.max() < 60


@pytest.mark.parametrize("bits", [np.uint8, np.uint16])
def test_cmyk_without_ink_is_white(tmp_path: Path, bits: type) -> None:
    pixels = np.zeros((64, 96, 4), bits)
    pixels[:, 48:, 3] = np.iinfo(bits).max

    shown = of(tmp_path, pixels, photometric="separated").pixels

    assert shown[:, :40].min() > 245 and shown[:, 56:].max() < 60


# --- pages --------------------------------------------------------------------------------------------------------


def written(path: Path, *pages: tuple[NDArray[Any], dict[str, Any]]) -> Path:
    with tifffile.TiffWriter(path) as tiff:
        for pixels, more in pages:
            tiff.write(pixels, photometric="rgb", **more)
    return path


def test_the_first_of_several_pages(tmp_path: Path) -> None:
    original = written(tmp_path / "a.tif", (scene(), {}), (255 - scene(), {}), (scene(960, 10), {}))

    like(converted(original), scene())


@pytest.mark.parametrize("more", [{"subfiletype": 1}, {}])
def test_a_thumbnail_page_before_the_picture_is_passed_over(tmp_path: Path, more: dict[str, int]) -> None:
    """Marked as a reduced copy, or told by its size alone."""
    original = written(tmp_path / "a.tif", (255 - scene(96, 64), more), (scene(960, 640), {}))

    result = converted(original)

    assert result.preview.size == (960, 640)
    like(result, scene(960, 640))


def test_a_mask_page_is_no_picture(tmp_path: Path) -> None:
    original = written(tmp_path / "a.tif", (255 - scene(), {"subfiletype": 2}), (scene(), {}))
    with tifffile.TiffFile(original, mode="r+b") as tiff:
        tiff.pages.first.tags[254].overwrite(4)

    like(converted(original), scene())


def test_smaller_pages_of_a_pyramid_are_not_taken(tmp_path: Path) -> None:
    original = written(
        tmp_path / "a.tif", (scene(960, 640), {"subifds": 1}), (scene(480, 320), {"subfiletype": 1}), (scene(), {})
    )

    assert converted(original).preview.size == (960, 640)


# --- colour -------------------------------------------------------------------------------------------------------


def test_a_wide_profile_is_carried_out_on_16_bit(tmp_path: Path) -> None:
    pixels = np.full((64, 96, 3), (100, 150, 120), np.uint16) * np.uint16(257)

    shown = of(tmp_path, pixels, photometric="rgb", iccprofile=wide_rgb()).pixels[30, 30]

    assert np.abs(shown - wide_in_srgb((100, 150, 120))).max() <= 2.5


@pytest.mark.parametrize(("gamma", "shown"), [(1.0, 188), (1.8, 145), (2.2, 128)])
def test_a_grey_profile_is_carried_out_on_16_bit(tmp_path: Path, gamma: float, shown: int) -> None:
    pixels = np.full((64, 96), 128 * 257, np.uint16)

    result = of(tmp_path, pixels, photometric="minisblack", iccprofile=grey_gamma(gamma))

    assert result.preview.mode == "L"
    assert abs(float(np.mean(result.preview)) - shown) <= 2


@pytest.mark.parametrize("profile", [b"no profile", grey_gamma(1.8), wide_rgb()[:200]])
def test_a_profile_that_makes_no_sense_changes_nothing(tmp_path: Path, profile: bytes) -> None:
    like(of(tmp_path, scene(), photometric="rgb", iccprofile=profile), scene())


def test_lab(tmp_path: Path) -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(Image.fromarray(scene()), to_lab)
    assert lab is not None
    lab.save(tmp_path / "lab.tif")

    like(converted(tmp_path / "lab.tif"), scene(), 6)


@pytest.mark.parametrize("kept", [4, 5, 7, 9, 12, 15])
@pytest.mark.parametrize("head", [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"])
def test_a_head_alone_is_refused(tmp_path: Path, head: bytes, kept: int) -> None:
    original = tmp_path / "a.tif"
    original.write_bytes((head + b"\x08\0\0\0\x10\0\0\0\0\0\0\0")[:kept])

    with pytest.raises(PermanentError, match=r"^a\.tif is damaged"):
        converted(original)
