"""What an extension promises, and what the first bytes show."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from domain.files import sniff
from domain.formats import PICTURE_EXTENSIONS, RAW_EXTENSIONS, file_kind, sniff_bytes

PICTURES = ".tif .tiff .jpg .jpeg .png .webp .bmp .tga .psd .heic .heif .hif .avif"
RAWS = ".cr2 .cr3 .crw .nef .arw .dng .raf .orf .rw2 .pef .srw .x3f .3fr .erf .mef .mos .nrw .kdc .dcr .raw"


def test_the_extensions_are_those_of_the_manual() -> None:
    assert frozenset(PICTURES.split()) == PICTURE_EXTENSIONS
    assert frozenset(RAWS.split()) == RAW_EXTENSIONS


@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_case_does_not_matter(spell: object) -> None:
    assert callable(spell)
    assert all(file_kind("a" + spell(e)) == "picture" for e in PICTURE_EXTENSIONS)
    assert all(file_kind("a" + spell(e)) == "raw" for e in RAW_EXTENSIONS)


@pytest.mark.parametrize("name", ["a.txt", "a", ".jpg", "jpg", "a.jpg.part", "a.xmp", "a.mov", "a.gif", "a."])
def test_what_is_no_photograph(name: str) -> None:
    assert file_kind(name) is None


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp", "tiff", "avif"])
@pytest.mark.parametrize("extension", ["", ".jpg", ".tif", ".heic", ".psd"])
def test_the_content_counts(kind: str, extension: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind)

    assert sniff_bytes(file.getvalue()[:4096], extension) == kind


def test_a_raw_in_a_tiff_is_told_by_its_name_alone() -> None:
    assert sniff_bytes(b"II*\0\x08\0\0\0", ".NEF") == "raw"
    assert sniff_bytes(b"II*\0\x08\0\0\0", ".tif") == "tiff"
    assert sniff_bytes(b"MM\0+\0\x08\0\0", "") == "tiff"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", "empty"),
        (b"8BPS\0\1", "psd"),
        (b"FUJIFILMCCD-RAW ", "raw"),
        (b"IIRO\x08\0\0\0", "raw"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "raw"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "avif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "heif"),
        (b"\0\0\0\x18ftypqt  \0\0\0\0qt  qt  ", "unknown"),
        (b"BMW and other cars\n", "text"),
        ("Grüße aus Köln\r\n".encode(), "text"),
        (b"\x80\x81\x82\x83", "unknown"),
    ],
)
def test_heads(head: bytes, kind: str) -> None:
    assert sniff_bytes(head, ".jpg") == kind


def test_shared_files(shared_data: Path) -> None:
    found = {f"{p.parent.name}/{p.name}": sniff(p) for p in sorted(shared_data.glob("[fbr]*/*")) if p.is_file()}

    assert {n: k for n, k in found.items() if n.startswith("raw/")} == dict.fromkeys(
        ("raw/canon.crw", "raw/kodak-c330.raw", "raw/kodak-dc50.kdc", "raw/made-bayer.dng"), "raw"
    )
    assert found["formats/nef-that-is-a-jpeg.nef"] == "jpeg"
    assert found["broken/text.jpg"] == "text"
    assert found["broken/zero-bytes.nef"] == found["broken/empty.heic"] == "empty"
    assert all(k == "heif" for n, k in found.items() if re.search(r"formats/.*\.(heic|hif)$", n))
