"""Colour: profiles to sRGB, and what kind of colour a picture has. Works on the reduced picture."""

from __future__ import annotations

import io
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageCms

from domain.imaging.lanczos import vips

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"}
TONE_STRENGTH = 32.0
"""Mean chroma above which one colour is no toning."""
TONE_TOLERANCE = 4.0
"""Chroma levels by which a tinted (sepia, selenium) frame may stray from one colour for each brightness."""


@cache
def _srgb() -> Any:
    return ImageCms.createProfile("sRGB")


@cache
def _default_cmyk_profile() -> bytes | None:
    """libvips' own CMYK profile (freely licensed), for CMYK pictures that bring none."""
    try:
        blob = vips().Operation.call("profile_load", "cmyk")
        return bytes(blob) if blob else None
    except Exception:  # without libvips Pillow's plain formula serves
        return None


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """A transform to sRGB; None for a profile that is sRGB, is broken, or belongs to another kind of picture."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != _SPACES[mode]:
            return None
        if mode == "RGB" and "srgb" in (ImageCms.getProfileDescription(source) or "").lower():
            return None
        return ImageCms.buildTransform(
            source, _srgb(), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def has_transform(mode: str, icc: bytes | None) -> bool:
    """Whether a picture of this mode with this profile changes on its way to sRGB."""
    return mode == "CMYK" or (icc is not None and _transform(icc, mode) is not None)


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """The picture in sRGB, `L` or `RGB`, from `L`, `RGB` or `CMYK` (0 is no ink) with its profile, if it has one."""
    if image.mode == "CMYK":
        icc = icc if icc and _transform(icc, "CMYK") else _default_cmyk_profile()
    transform = _transform(icc, image.mode) if icc else None
    if transform is None:
        return image.convert("RGB") if image.mode == "CMYK" else image
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None
    return converted.convert("L") if image.mode == "L" else converted


def is_monochrome(srgb: Image.Image) -> bool:
    """Grey, or toned: each brightness has one colour. Judged on a copy of at most 160 px."""
    if srgb.mode == "L":
        return True
    small = srgb.copy()
    small.thumbnail((160, 160), Image.Resampling.BOX)
    luma, *chroma = (c.ravel().astype(np.float64) for c in np.moveaxis(np.asarray(small.convert("YCbCr")), 2, 0))
    if all(np.percentile(np.abs(c - 128), 99.5) <= 2 for c in chroma):
        return True
    if any(np.abs(c - 128).mean() > TONE_STRENGTH for c in chroma):
        return False
    return all(np.percentile(np.abs(c - _by_brightness(luma, c)), 99) <= TONE_TOLERANCE for c in chroma)


def _by_brightness(luma: NDArray[np.float64], chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    bins = (luma // 8).astype(np.intp)
    count = np.bincount(bins, minlength=32)
    mean: NDArray[np.float64] = np.bincount(bins, chroma, minlength=32) / np.maximum(count, 1)
    return mean[bins]


def dominant_color(srgb: Image.Image) -> int:
    """0xRRGGBB: the mean of the fullest of 512 colour bins."""
    small = np.asarray(srgb.convert("RGB").resize((64, 64), Image.Resampling.BOX)).reshape(-1, 3)
    bins = (small >> 5).astype(np.intp) @ np.array([64, 8, 1])
    fullest = small[bins == np.bincount(bins).argmax()].mean(axis=0)
    red, green, blue = (round(float(v)) for v in fullest)
    return red << 16 | green << 8 | blue
