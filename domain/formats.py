"""File formats: what an extension promises, and what the first bytes show."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

PICTURE_EXTENSIONS = frozenset(
    [".tif", ".tiff", ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tga", ".psd", ".heic", ".heif", ".hif", ".avif"]
)
RAW_EXTENSIONS = frozenset(
    [
        ".cr2",
        ".cr3",
        ".crw",
        ".nef",
        ".arw",
        ".dng",
        ".raf",
        ".orf",
        ".rw2",
        ".pef",
        ".srw",
        ".x3f",
        ".3fr",
        ".erf",
        ".mef",
        ".mos",
        ".nrw",
        ".kdc",
        ".dcr",
        ".raw",
    ]
)
PHOTO_EXTENSIONS = PICTURE_EXTENSIONS | RAW_EXTENSIONS

FileKind = Literal["picture", "raw"]
Format = Literal["jpeg", "tiff", "png", "webp", "bmp", "tga", "psd", "heif", "avif", "raw", "text", "empty", "unknown"]

SNIFFED_BYTES = 4096
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"MiHE", b"MiHB"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_RAW_MAGICS: tuple[tuple[int, bytes], ...] = (
    (6, b"HEAPCCDR"),  # Canon CRW
    (0, b"FUJIFILMCCD-RAW"),
    (0, b"FOVb"),  # Sigma X3F
    (0, b"IIRO"),  # Olympus ORF
    (0, b"IIRS"),
    (0, b"MMOR"),
    (0, b"IIU\0"),  # Panasonic RW2, old Leica RAW
    (0, b"\0MRM"),
)
_BMP_HEADERS = frozenset((12, 16, 40, 52, 56, 64, 108, 124))
"""Sizes of the second header of a BMP: "BM" alone begins many a text."""
_PLAIN_MAGICS: tuple[tuple[bytes, Format], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"8BPS", "psd"),
)


def file_kind(name: str) -> FileKind | None:
    """What the extension promises; None for anything that is no photograph."""
    extension = PurePath(name).suffix.lower()
    if extension in RAW_EXTENSIONS:
        return "raw"
    return "picture" if extension in PICTURE_EXTENSIONS else None


def sniff_bytes(head: bytes, extension: str = "") -> Format:
    """The format that the first bytes show. RAW files inside a TIFF container are told by `extension` alone."""
    if not head:
        return "empty"
    if any(head.startswith(magic, offset) for offset, magic in _RAW_MAGICS):
        return "raw"
    if head.startswith(b"\xff\xd8"):
        return "jpeg"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "raw" if extension.lower() in RAW_EXTENSIONS else "tiff"
    if head[4:8] == b"ftyp":
        return _sniff_iso(head)
    return _sniff_plain(head, extension.lower())


def _sniff_iso(head: bytes) -> Format:
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4], "big"), 256), 4))}
    if b"crx " in brands:
        return "raw"
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heif" if brands & _HEIF_BRANDS else "unknown"


def _sniff_plain(head: bytes, extension: str) -> Format:
    for magic, found in _PLAIN_MAGICS:
        if head.startswith(magic):
            return found
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "bmp"
    return "text" if _is_text(head) else _promised(extension)


def _promised(extension: str) -> Format:
    """What only the extension can tell: TGA, and some RAW files, begin with nothing of their own."""
    if extension in RAW_EXTENSIONS:
        return "raw"
    return "tga" if extension == ".tga" else "unknown"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8") if len(head) < SNIFFED_BYTES else head.decode("ascii")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\t\r\n\f" for c in text)
