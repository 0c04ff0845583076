"""One preview decoded and scaled for a network, in Pillow and numpy alone.

Pillow lets go of the interpreter lock while it decodes and scales, so several threads prepare pictures at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from domain.errors import PermanentError

ResizeMode = Literal["shortest", "squash", "longest"]
_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_DRAFT_MARGIN = 1.0
"""A scaled JPEG decode keeps at least this many times the pixels that are asked for along each edge. Twice would cost
twice the time and change a vector's cosine by 0.002 (24 photographs, EfficientNet-Lite2)."""


@dataclass(frozen=True)
class Framing:
    """How a picture becomes a network's square input of `size` pixels."""

    size: int
    mode: ResizeMode = "shortest"
    interpolation: str = "bicubic"
    fill: int = 0


def prepare_preview(picture: Path | str | NDArray[np.uint8], framing: Framing) -> NDArray[np.uint8]:
    """uint8 (size, size, 3) RGB of a JPEG's path or of an uint8 (h, w, 3) array."""
    if isinstance(picture, np.ndarray):
        return _framed(Image.fromarray(picture).convert("RGB"), framing)
    path = Path(picture)
    try:
        with Image.open(path) as image:
            width, height = _scaled_size(image.size, framing)
            image.draft("RGB", (round(width * _DRAFT_MARGIN), round(height * _DRAFT_MARGIN)))
            return _framed(image.convert("RGB"), framing)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise PermanentError(
            f"The preview {path.name} cannot be read, so it cannot be compared with other photographs; "
            "retry the photo to have its preview made again.",
            op="embed.prepare",
            context={"path": str(path)},
            detail=repr(e),
        ) from e


def _scaled_size(size: tuple[int, int], framing: Framing) -> tuple[int, int]:
    width, height = size
    if framing.mode == "squash":
        return framing.size, framing.size
    against = min(size) if framing.mode == "shortest" else max(size)
    # Truncated like torchvision's Resize, so that the pixels are those the network was trained with.
    return max(1, int(width * framing.size / against)), max(1, int(height * framing.size / against))


def _framed(image: Image.Image, framing: Framing) -> NDArray[np.uint8]:
    scaled = image.resize(_scaled_size(image.size, framing), _FILTERS[framing.interpolation], reducing_gap=3.0)
    left, top = round((scaled.width - framing.size) / 2), round((scaled.height - framing.size) / 2)
    if framing.mode == "longest":
        canvas = Image.new("RGB", (framing.size, framing.size), (framing.fill,) * 3)
        canvas.paste(scaled, (-left, -top))
        return np.array(canvas)
    return np.array(scaled.crop((left, top, left + framing.size, top + framing.size)))
