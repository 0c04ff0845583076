"""Files that no library at hand writes: Photoshop documents, and DNGs with an embedded preview."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from imagecodecs import packbits_encode
from numpy.typing import NDArray
from PIL import Image

_ICC_RESOURCE = 1039


def write_psd(
    path: Path, planes: NDArray[Any], *, mode: int, packed: bool = False, icc: bytes = b"", big: bool = False
) -> Path:
    """`planes` (channels, height, width): uint8, uint16 or float32, as they shall lie in the file."""
    channels, height, width = planes.shape
    header = struct.pack(
        ">4sH6xHIIHH", b"8BPS", 2 if big else 1, channels, height, width, planes.dtype.itemsize * 8, mode
    )
    resources = b""
    if icc:
        resources = b"8BIM" + struct.pack(">HxxI", _ICC_RESOURCE, len(icc)) + icc + bytes(len(icc) % 2)
    sections = struct.pack(">I", 0) + struct.pack(">I", len(resources)) + resources
    sections += struct.pack(">Q" if big else ">I", 0)
    stored = planes.astype(planes.dtype.newbyteorder(">"))
    if not packed:
        path.write_bytes(header + sections + b"\0\0" + stored.tobytes())
        return path
    rows = [packbits_encode(row.tobytes()) for row in stored.reshape(channels * height, width)]
    counts = b"".join(len(row).to_bytes(4 if big else 2, "big") for row in rows)
    path.write_bytes(header + sections + b"\0\1" + counts + b"".join(rows))
    return path


def write_dng(path: Path, scene: NDArray[np.uint8], preview: Image.Image | None = None) -> Path:
    """A Bayer DNG (RGGB, 14 bit) of (height, width, 3), with the preview of one's choice as its first page."""
    height, width = scene.shape[0] // 2 * 2, scene.shape[1] // 2 * 2
    linear = np.rint((scene[:height, :width] / 255.0) ** 2.2 * 16383).astype(np.uint16)
    mosaic = linear[:, :, 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = linear[::2, ::2, 0], linear[1::2, 1::2, 2]
    matrix = (31338, 10000, -16168, 10000, -4907, 10000, -9787, 10000, 19161, 10000, 335, 10000)
    matrix += (719, 10000, -2290, 10000, 14052, 10000)
    sensor = [
        (33421, "H", 2, (2, 2), True),  # CFA of 2 x 2
        (33422, "B", 4, bytes((0, 1, 1, 2)), True),
        (50714, "I", 1, 0, True),  # black level
        (50717, "I", 1, 16383, True),  # white level
    ]
    camera = [
        (50706, "B", 4, bytes((1, 4, 0, 0)), True),  # a DNG of version 1.4
        (50708, "s", 0, "Test Camera", True),
        (50721, "2i", 9, matrix, True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),  # neutral
    ]
    with tifffile.TiffWriter(path) as tiff:
        if preview is None:
            tiff.write(mosaic, photometric="cfa", extratags=[*sensor, *camera], metadata=None)
            return path
        pixels = np.asarray(preview.convert("RGB"))
        options: dict[str, Any] = {"compression": "jpeg", "rowsperstrip": pixels.shape[0], "subfiletype": 1}
        tiff.write(pixels, photometric="rgb", subifds=1, extratags=camera, metadata=None, **options)
        tiff.write(mosaic, photometric="cfa", extratags=sensor, metadata=None)
    return path
