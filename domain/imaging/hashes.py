"""Fingerprints: of a file's bytes, of its pixels, and of what it looks like."""

from __future__ import annotations

import hashlib
import struct
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

DIGEST_BYTES = 32
_BLOCK = 1 << 20


def blake2b(*parts: bytes | memoryview) -> bytes:
    """BLAKE2b-256 over the parts in a row, 32 bytes."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.digest()


def file_hash(path: Path) -> bytes:
    """BLAKE2b-256 of a file's bytes, in constant memory."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    with path.open("rb", buffering=0) as file:
        block = memoryview(bytearray(_BLOCK))
        while count := file.readinto(block):
            digest.update(block[:count])
    return digest.digest()


class FileHashing:
    """Hashes a large file on a thread beside its decoding: both read the same pages, so the disk reads them once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest: bytes | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="file-hash", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._digest = file_hash(self._path)
        except BaseException as error:  # handed to the waiting thread
            self._error = error

    def result(self) -> bytes:
        """Waits for the digest; raises what reading raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._digest is not None
        return self._digest


class PixelHash:
    """BLAKE2b-256 over a CRC-32 and an Adler-32 of every row of decoded samples, and over shape and type.

    A row's two checksums cost a thirtieth of BLAKE2b over the row, which at 45 megapixels of 16 bit would take as
    long as everything else. Two pictures share a hash only if each pair of rows collides in 64 bits. Rows are hashed
    as little-endian samples, so strips, tiles, compression and byte order do not matter.
    """

    def __init__(self, width: int, height: int, samples: int, dtype: np.dtype[Any]) -> None:
        self._digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        self._digest.update(struct.pack("<III", width, height, samples) + dtype.str[1:].encode())

    def update(self, rows: NDArray[Any]) -> None:
        """The next rows, (n, width) or (n, width, samples)."""
        from imagecodecs import deflate_adler32, deflate_crc32

        rows = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<"))
        flat: Any = rows.reshape(len(rows), -1).view(np.uint8)  # typed as bytes alone, takes any buffer
        sums = [(deflate_crc32(row), deflate_adler32(row)) for row in flat]
        self._digest.update(np.array(sums, "<u4").tobytes())

    def digest(self) -> bytes:
        return self._digest.digest()


def pixels_hash(pixels: NDArray[Any]) -> bytes:
    """`PixelHash` of a whole picture, (h, w) or (h, w, samples)."""
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    hashing = PixelHash(pixels.shape[1], pixels.shape[0], samples, pixels.dtype)
    hashing.update(pixels)
    return hashing.digest()


@cache
def _dct_rows() -> NDArray[np.float64]:
    """The eight lowest rows of a 32-point DCT-II, the constant first."""
    n = np.arange(32)
    rows: NDArray[np.float64] = np.cos(np.pi / 64 * np.outer(np.arange(8), 2 * n + 1))
    return rows


def perceptual_hash(upright: Image) -> int:
    """64 signs of the lowest 8 x 8 DCT coefficients of a 32 x 32 grey copy against their median, as signed int64."""
    from PIL import Image as PILImage

    grey = np.asarray(upright.convert("L").resize((32, 32), PILImage.Resampling.BOX), np.float64)
    low = _dct_rows() @ grey @ _dct_rows().T
    bits = (low > np.median(low.ravel()[1:])).ravel()
    return int(np.packbits(bits).view(">i8")[0])
