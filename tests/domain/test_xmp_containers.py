"""XMP inside files: exchanged while every other byte stays; Exiv2, Pillow, tifffile and LibRaw read it."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from domain.errors import PermanentError
from domain.imaging.hashes import blake2b
from domain.xmp import stars_in, with_stars
from domain.xmp_containers import container_of, embedded_packet, image_data_hash, write_with_packet
from tests.conftest import DATA
from tests.domain.xmp_samples import LIGHTROOM, exiv2_properties, exiv2_tags, psd_resource, write_psd

REAL = [
    "formats/grey16-plane.tif", "formats/float16.tif", "formats/cmyk.tif", "formats/flower-rgb-contig-16.tif",
    "formats/jpeg-lossless-16bit-gray.tif", "formats/cmyk-icc.jpg", "formats/cmyk-sample-no-icc.jpg",
    "photos/creek.jpg", "photos/mushroom-close-up.jpg", "photos/windowstill.jpg", "raw/made-bayer.dng",
]  # fmt: skip


def pixels(path: Path) -> bytes:
    """What another program decodes."""
    if path.suffix == ".dng":
        import rawpy

        with rawpy.imread(str(path)) as raw:
            return blake2b(raw.raw_image.tobytes())
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as tiff:
            return blake2b(*(page.asarray().tobytes() for page in tiff.pages))
    with Image.open(path) as image:
        return blake2b(image.tobytes())


def exchanged(path: Path, said: int, target: Path) -> Path:
    write_with_packet(path, with_stars(embedded_packet(path), said), target)
    return target


@pytest.mark.parametrize("name", REAL)
def test_real_files_keep_picture_and_every_other_property(name: str, tmp_path: Path) -> None:
    original = DATA / name
    if not original.exists():
        pytest.skip(f"{original} is not there")

    written = exchanged(original, 4, tmp_path / original.name)

    assert image_data_hash(written) == image_data_hash(original)
    assert pixels(written) == pixels(original)
    assert exiv2_tags(written) == exiv2_tags(original)
    before, after = exiv2_properties(original), exiv2_properties(written)
    assert after.pop("Xmp.xmp.Rating") == "4"
    before.pop("Xmp.xmp.Rating", None)
    assert after == before


@pytest.mark.parametrize("name", ["photos/creek.jpg", "formats/grey16-plane.tif", "raw/made-bayer.dng"])
def test_the_next_change_fits_in_the_place_of_the_last(name: str, tmp_path: Path) -> None:
    original = DATA / name
    if not original.exists():
        pytest.skip(f"{original} is not there")
    first = exchanged(original, 4, tmp_path / f"first{original.suffix}")

    second = exchanged(first, -1, tmp_path / f"second{original.suffix}")

    assert second.stat().st_size == first.stat().st_size
    assert exiv2_properties(second)["Xmp.xmp.Rating"] == "-1"


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"byteorder": ">", "bigtiff": True}])
def test_a_tiff_keeps_all_its_pages_whatever_its_kind(options: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path, **options) as out:
        for n in range(7):
            out.write(np.full((30, 40), n * 1000, np.uint16), photometric="minisblack", compression="zlib")

    written = exchanged(path, 5, tmp_path / "written.tif")

    with tifffile.TiffFile(written) as tiff:
        assert [int(page.asarray()[0, 0]) for page in tiff.pages] == [0, 1000, 2000, 3000, 4000, 5000, 6000]
        assert stars_in(tiff.pages.first.tags.valueof("XMP")) == 5
    assert image_data_hash(written) == image_data_hash(path)


def test_a_psd_keeps_its_other_resources_and_its_pixels(tmp_path: Path) -> None:
    others = psd_resource(1005, b"\0\x48\0\0\0\1\0\1\0\x48\0\0\0\1\0\1") + psd_resource(1060, LIGHTROOM.encode())
    path = write_psd(tmp_path / "a.psd", others + psd_resource(1028, b"odd", b"name"))

    written = exchanged(path, 5, tmp_path / "b.psd")
    again = exchanged(written, -1, tmp_path / "c.psd")

    for result, said in ((written, "5"), (again, "-1")):
        assert image_data_hash(result) == image_data_hash(path)
        assert pixels(result) == pixels(path)
        assert psd_resource(1028, b"odd", b"name") in result.read_bytes()
        properties = exiv2_properties(result)
        assert properties["Xmp.xmp.Rating"] == said
        assert properties["Xmp.crs.ToneCurveName2012"] == "Custom\ntwo lines"
    assert written.stat().st_size == again.stat().st_size


def test_a_psd_without_xmp_gets_it(tmp_path: Path) -> None:
    written = exchanged(write_psd(tmp_path / "a.psd"), 3, tmp_path / "b.psd")

    assert exiv2_properties(written)["Xmp.xmp.Rating"] == "3"
    assert pixels(written) == pixels(tmp_path / "a.psd")


def small_jpeg(path: Path, xmp: bytes = b"") -> Path:
    Image.effect_noise((64, 48), 50).save(path, quality=90, **({"xmp": xmp} if xmp else {}))
    return path


def test_a_jpeg_whose_xmp_is_full_is_left_alone(tmp_path: Path) -> None:
    filler = "".join(random.Random(1).choices("abcdef", k=65_300))
    full = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:m="urn:m" m:filler="{filler}"/></rdf:RDF></x:xmpmeta>'
    )
    path = small_jpeg(tmp_path / "full.jpg", full[:65_500].encode())

    with pytest.raises(PermanentError, match="64 kB"):
        exchanged(path, 5, tmp_path / "out.jpg")


def test_a_jpeg_with_further_pictures_keeps_their_places(tmp_path: Path) -> None:
    """Their offsets count from the MPF segment: XMP ahead of it may grow, behind it must not."""
    plain = small_jpeg(tmp_path / "a.jpg").read_bytes()
    mpf = b"\xff\xe2" + struct.pack(">H", 10) + b"MPF\0abcd"
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + with_stars(None, 1)[:-30].replace(b"Rating", b"Rated_")
    segment = b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp
    ahead = tmp_path / "ahead.jpg"
    ahead.write_bytes(plain[:2] + mpf + plain[2:] + b"second picture")
    behind = tmp_path / "behind.jpg"
    behind.write_bytes(plain[:2] + mpf + segment + plain[2:] + b"second picture")

    written = exchanged(ahead, 5, tmp_path / "b.jpg").read_bytes()

    assert len(written) - written.index(b"MPF\0") == len(ahead.read_bytes()) - ahead.read_bytes().index(b"MPF\0")
    with pytest.raises(PermanentError, match="further pictures"):
        write_with_packet(behind, with_stars(None, 5), tmp_path / "c.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.dng", "a.psd"])
@pytest.mark.parametrize("content", [b"", b"no picture at all", b"II*\0\xff\xff\xff\xff", b"\xff\xd8\xff", b"8BPS\0\1"])
def test_what_is_not_built_as_its_name_says_is_left_alone(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    for work in (embedded_packet, image_data_hash, lambda p: write_with_packet(p, b"<a/>", tmp_path / f"out-{name}")):
        with pytest.raises(PermanentError, match=name):
            work(path)


def test_mutated_files_raise_nothing_but_a_sentence(tmp_path: Path) -> None:
    seed = random.Random(7)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.uint16), photometric="minisblack")
    small_jpeg(tmp_path / "a.jpg", with_stars(None, 2))
    write_psd(tmp_path / "a.psd", psd_resource(1060, with_stars(None, 2)))
    for n in range(600):
        source = tmp_path / ("a.tif", "a.jpg", "a.psd")[n % 3]
        content = bytearray(source.read_bytes())
        for _ in range(seed.randint(1, 8)):
            content[seed.randrange(min(len(content), 400))] = seed.randrange(256)
        broken = tmp_path / f"broken{source.suffix}"
        broken.write_bytes(content[: seed.randint(1, len(content))] if n % 5 == 0 else content)
        try:
            exchanged(broken, 5, tmp_path / f"out{source.suffix}")
            image_data_hash(tmp_path / f"out{source.suffix}")
        except PermanentError as error:
            assert error.sentence


def test_only_these_kinds_are_written_into() -> None:
    assert {container_of(f"a.{e}") for e in ("JPG", "jpeg", "tif", "TIFF", "dng", "psd")} == {"jpeg", "tiff", "psd"}
    assert {container_of(f"a.{e}") for e in ("cr2", "nef", "arw", "heic", "png", "webp", "raw", "")} == {None}
