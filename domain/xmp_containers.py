"""The XMP packet inside a JPEG, TIFF, DNG or PSD: read, and replaced while every other byte stays as it is.

Exiv2 writes all of these too, but builds the file anew: of a TIFF with seven pages it kept four, it moved IPTC into
other blocks and doubled a lossless-JPEG TIFF. Here the packet alone is exchanged; a hash of the image data
proves it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from domain.errors import PermanentError
from domain.files import printable, reachable
from domain.xmp import padded
from domain.xmp_tiff import Tiff

Container = Literal["jpeg", "tiff", "psd"]
PADDING = 2048
"""Room after a packet, so that the next change fits in its place."""

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_SEGMENT_BYTES = 65533
_SOS, _APP0, _APP1, _APP2 = 0xDA, 0xE0, 0xE1, 0xE2
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))
_PSD_XMP = 1060
_BLOCK = 1 << 20
_ENDINGS: dict[str, Container] = {
    ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff", ".dng": "tiff", ".psd": "psd",
}  # fmt: skip


def container_of(name: str) -> Container | None:
    """By the extension; None: a format whose embedded XMP is never written."""
    return _ENDINGS.get(os.path.splitext(name)[1].lower())  # noqa: PTH122 - a name, not a path


def embedded_packet(path: Path) -> bytes | None:
    """The packet in the file, with its padding; None where there is none.

    Raises PermanentError where the file is not what its name says, and what `reachable` raises.
    """
    with reachable(path), path.open("rb") as file:
        return _packet(file, path)


def _packet(file: BinaryIO, path: Path) -> bytes | None:
    try:
        match container_of(path.name):
            case "jpeg":
                return next((s.packet(file) for s in _segments(file) if s.is_xmp), None)
            case "tiff":
                return Tiff(file).packet()
            case "psd":
                return next((r.data(file) for r in _resources(file) if r.number == _PSD_XMP), None)
    except (struct.error, ValueError, IndexError) as error:
        raise _broken(path, error) from error
    raise PermanentError(f"XMP is not written into files like {printable(path.name)}.")


def _broken(path: Path, error: Exception) -> PermanentError:
    return PermanentError(
        f"{printable(path.name)} is not built as its format says, so it was left alone.", detail=str(error)
    )


def write_with_packet(path: Path, packet: bytes, target: Path) -> None:
    """Writes to `target` the file at `path` with its XMP packet exchanged for `packet`; `path` stays as it is.

    Raises PermanentError where that cannot be done without touching anything else; `target` is worthless then.
    """
    with reachable(path), path.open("rb") as file:
        try:
            match container_of(path.name):
                case "jpeg":
                    _write_jpeg(file, packet, target, path.name)
                case "tiff":
                    shutil.copyfile(path, target)
                    with target.open("r+b") as copy:
                        Tiff(copy).set_packet(packet, PADDING)
                case "psd":
                    _write_psd(file, packet, target)
                case None:
                    raise PermanentError(f"XMP is not written into files like {printable(path.name)}.")
        except (struct.error, ValueError, IndexError) as error:
            raise _broken(path, error) from error


def image_data_hash(path: Path) -> bytes:
    """BLAKE2b-256 over what makes the picture, and nothing that describes it; equal whatever the XMP says.

    JPEG: every segment but APPn and comments, and all from the first scan on. TIFF and DNG: the strips and tiles of
    every page and sub-image. PSD: all but the image resources.
    """
    digest = hashlib.blake2b(digest_size=32)
    with reachable(path), path.open("rb") as file:
        try:
            match container_of(path.name):
                case "jpeg":
                    ranges = _jpeg_image(file)
                case "tiff":
                    ranges = Tiff(file).image_ranges()
                case "psd":
                    ranges = _psd_image(file)
                case None:
                    raise PermanentError(f"XMP is not written into files like {printable(path.name)}.")
            for start, length in ranges:
                for block in _blocks(file, start, length):
                    digest.update(block)
        except (struct.error, ValueError, IndexError) as error:
            raise _broken(path, error) from error
    return digest.digest()


def _blocks(file: BinaryIO, start: int, length: int | None) -> Iterator[bytes]:
    """What stands at `start`, as far as the file goes; None: all of it."""
    file.seek(start)
    left = length
    while left is None or left > 0:
        block = file.read(_BLOCK if left is None else min(_BLOCK, left))
        if not block:
            return
        yield block
        left = None if left is None else left - len(block)


# --- JPEG -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Segment:
    marker: int
    start: int
    """Of its 0xFF."""
    length: int
    """Of all of it."""
    head: bytes

    @property
    def is_xmp(self) -> bool:
        return self.marker == _APP1 and self.head.startswith(_JPEG_XMP)

    @property
    def is_mpf(self) -> bool:
        return self.marker == _APP2 and self.head.startswith(b"MPF\0")

    def packet(self, file: BinaryIO) -> bytes:
        file.seek(self.start + 4 + len(_JPEG_XMP))
        return file.read(self.length - 4 - len(_JPEG_XMP))


def _segments(file: BinaryIO) -> list[_Segment]:
    """Up to and with the start of the first scan. Raises ValueError where there is none."""
    file.seek(0)
    if file.read(2) != b"\xff\xd8":
        raise ValueError("no JPEG")
    found, at = [], 2
    while True:
        file.seek(at)
        if file.read(1) != b"\xff":
            raise ValueError(f"no marker at {at}")
        while (marker := file.read(1)) == b"\xff":
            pass
        start = file.tell() - 2
        length = 2 if marker[0] in _BARE else 2 + struct.unpack(">H", file.read(2))[0]
        found.append(_Segment(marker[0], start, length, file.read(min(length, 40))))
        if marker[0] == _SOS:
            return found
        at = start + length


def _write_jpeg(file: BinaryIO, packet: bytes, target: Path, name: str) -> None:
    segments = _segments(file)
    old = next((s for s in segments if s.is_xmp), None)
    body = _jpeg_body(packet, old)
    if len(body) > _JPEG_SEGMENT_BYTES:
        raise PermanentError(f"The XMP of {printable(name)} is full: a JPEG holds 64 kB of it. Nothing was written.")
    at = old.start if old else _after_exif(segments)
    end = old.start + old.length if old else at
    written = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    if len(written) != end - at and any(s.is_mpf and s.start < at for s in segments):
        raise PermanentError(f"{printable(name)} holds further pictures whose places would shift. Nothing was written.")
    with target.open("wb") as out:
        _copy(file, out, 0, at)
        out.write(written)
        _copy(file, out, end, None)


def _jpeg_body(packet: bytes, old: _Segment | None) -> bytes:
    """As long as the old one where it fits, so that nothing after it moves."""
    room = old.length - 4 - len(_JPEG_XMP) if old else 0
    wanted = room if room >= len(packet) else min(len(packet) + PADDING, _JPEG_SEGMENT_BYTES - len(_JPEG_XMP))
    return _JPEG_XMP + (padded(packet, wanted) if wanted >= len(packet) else packet)


def _after_exif(segments: list[_Segment]) -> int:
    """Behind JFIF and Exif, ahead of everything else."""
    at = 2
    for segment in segments:
        exif = segment.marker == _APP1 and segment.head.startswith(b"Exif\0")
        if segment.marker != _APP0 and not exif:
            break
        at = segment.start + segment.length
    return at


def _jpeg_image(file: BinaryIO) -> Iterator[tuple[int, int | None]]:
    for segment in _segments(file):
        if segment.marker == _SOS:
            yield segment.start, None
        elif not 0xE0 <= segment.marker <= 0xEF and segment.marker != 0xFE:
            yield segment.start, segment.length


def _copy(file: BinaryIO, out: BinaryIO, start: int, end: int | None) -> None:
    for block in _blocks(file, start, None if end is None else end - start):
        out.write(block)


# --- PSD --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Resource:
    number: int
    start: int
    data_start: int
    data_length: int

    @property
    def end(self) -> int:
        return self.data_start + self.data_length + self.data_length % 2

    def data(self, file: BinaryIO) -> bytes:
        file.seek(self.data_start)
        return file.read(self.data_length)


def _psd_resources_span(file: BinaryIO) -> tuple[int, int]:
    """Where the image resources begin (behind their length) and end."""
    file.seek(0)
    head = file.read(30)
    if head[:4] != b"8BPS" or head[4:6] not in (b"\0\1", b"\0\2"):
        raise ValueError("no PSD")
    start = 30 + struct.unpack(">I", head[26:30])[0] + 4
    file.seek(start - 4)
    end = start + struct.unpack(">I", file.read(4))[0]
    if end > file.seek(0, os.SEEK_END):
        raise ValueError("image resources longer than the file")
    return start, end


def _resources(file: BinaryIO) -> list[_Resource]:
    at, end = _psd_resources_span(file)
    found = []
    while at + 12 <= end:
        file.seek(at)
        signature, number, name_length = struct.unpack(">4sHB", file.read(7))
        if not signature.startswith((b"8B", b"Me", b"Ph", b"Ag", b"DC")):
            raise ValueError(f"no image resource at {at}")
        name_end = at + 6 + (name_length + 2) // 2 * 2
        file.seek(name_end)
        found.append(_Resource(number, at, name_end + 4, struct.unpack(">I", file.read(4))[0]))
        at = found[-1].end
    return found


def _write_psd(file: BinaryIO, packet: bytes, target: Path) -> None:
    start, end = _psd_resources_span(file)
    old = next((r for r in _resources(file) if r.number == _PSD_XMP), None)
    room = old.data_length if old else 0
    content = padded(packet, room if room >= len(packet) else (len(packet) + PADDING) // 2 * 2)
    block = b"8BIM" + struct.pack(">HHI", _PSD_XMP, 0, len(content)) + content + b"\0" * (len(content) % 2)
    cut = (old.start, old.end) if old else (end, end)
    with target.open("wb") as out:
        _copy(file, out, 0, start - 4)
        out.write(struct.pack(">I", end - start - (cut[1] - cut[0]) + len(block)))
        _copy(file, out, start, cut[0])
        out.write(block)
        _copy(file, out, cut[1], None)


def _psd_image(file: BinaryIO) -> Iterator[tuple[int, int | None]]:
    start, end = _psd_resources_span(file)
    yield 0, start - 4
    yield end, None
