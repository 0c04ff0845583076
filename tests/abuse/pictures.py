"""Small pictures of every kind that fineshyt reads, and 5,000 ways to damage them; the same seed, the same files."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms

_LARGEST = 60_000
"""Bytes of a seed: damage is wanted, not work."""
_SIDE = 96
_HEADS = tuple(
    bytes.fromhex(head)
    for head in (
        "ffd8ffe000104a46494600", "ffd8ffe10020457869660000 49492a0008000000", "49492a0008000000", "4d4d002a00000008",
        "49492b00080000001000000000000000", "89504e470d0a1a0a0000000d49484452", "52494646001000005745425056503820",
        "424d36000000000000003600000028000000", "384250530001000000000000000300000064", "000000186674797068656963",
        "000000186674797063727820", "0000001c6674797061766966", "46554a4946494c4d4343442d52415720",
        "49491a0000004845415043434452", "4949550018000000", "464f566200000200",
    )
)  # fmt: skip
_ENDINGS = (
    ".jpg", ".tif", ".tiff", ".png", ".webp", ".bmp", ".tga", ".psd", ".heic", ".hif", ".avif", ".cr2", ".cr3", ".crw",
    ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef", ".x3f", ".kdc", ".raw", ".TIF",
)  # fmt: skip
_EXTREMES = (
    0,
    1,
    2,
    3,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1_000_000,
    65_500,
)


@dataclass(frozen=True)
class Seed:
    name: str
    ending: str
    body: bytes


def _scene(mode: str, rng: np.random.Generator) -> Image.Image:
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return coarse.resize((_SIDE, _SIDE * 2 // 3), Image.Resampling.BICUBIC).convert(mode)


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112], exif[0x013B] = "Maker", "Camera", 6, "Somebody"
    shot = exif.get_ifd(0x8769)
    shot[0x9003], shot[0x829A], shot[0x829D], shot[0xA434] = "2024:05:01 12:00:00", 0.01, 2.8, "A lens"
    exif.get_ifd(0x8825)[0x0002] = (50.0, 5.0, 0.0)
    return exif


_XMP = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmp:Rating="4"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag>
<rdf:li>fog</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    held = io.BytesIO()
    image.save(held, kind, **options)
    return held.getvalue()


def _tiff(array: np.ndarray[Any, Any], **options: Any) -> bytes:
    held = io.BytesIO()
    tifffile.imwrite(held, array, **options)
    return held.getvalue()


def _written(rng: np.random.Generator) -> Iterator[Seed]:
    """Files that are made here."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    colour, grey = _scene("RGB", rng), _scene("L", rng)
    told = {"exif": _exif(), "icc_profile": profile}
    yield Seed("tagged", ".jpg", _saved(colour, "JPEG", quality=85, xmp=_XMP, **told))
    yield Seed("progressive", ".jpg", _saved(colour, "JPEG", progressive=True, **told))
    yield Seed("grey", ".jpg", _saved(grey, "JPEG", exif=_exif()))
    yield Seed("cmyk", ".jpg", _saved(colour.convert("CMYK"), "JPEG"))
    yield Seed("png", ".png", _saved(colour, "PNG", **told))
    yield Seed("alpha", ".png", _saved(colour.convert("RGBA"), "PNG"))
    yield Seed("palette", ".png", _saved(colour.convert("P"), "PNG"))
    yield Seed("webp", ".webp", _saved(colour, "WEBP", xmp=_XMP, **told))
    yield Seed("bmp", ".bmp", _saved(colour, "BMP"))
    yield Seed("tga", ".tga", _saved(colour, "TGA"))
    array = np.asarray(colour)
    deep = np.asarray(grey).astype(np.uint16) * 257
    for name, options in {
        "plain": {}, "deflated": {"compression": "zlib", "predictor": 2}, "lzw": {"compression": "lzw"},
        "planar": {"planarconfig": "separate"}, "tiled": {"tile": (32, 32)}, "big": {"bigtiff": True},
        "motorola": {"byteorder": ">"}, "jpeg": {"compression": "jpeg"},
    }.items():  # fmt: skip
        shaped = np.moveaxis(array, 2, 0) if name == "planar" else array
        yield Seed(f"tiff-{name}", ".tif", _tiff(shaped, photometric="rgb", **options))
    yield Seed("tiff-deep", ".tif", _tiff(deep, photometric="minisblack"))
    yield Seed("tiff-white", ".tif", _tiff(deep, photometric="miniswhite"))
    yield Seed("tiff-float", ".tif", _tiff(deep.astype(np.float32) / 65535))
    yield Seed("tiff-half", ".tif", _tiff((deep / 65535).astype(np.float16)))
    yield Seed("tiff-infrared", ".tif", _tiff(np.dstack([array, array[..., :1]]), photometric="rgb"))
    pages = [grey, colour, grey.resize((20, 20))]
    yield Seed("tiff-pages", ".tif", _saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    yield Seed("tiff-tagged", ".tif", _saved(colour, "TIFF", exif=_exif(), icc_profile=profile))
    yield Seed("psd", ".psd", _psd(array))
    yield from _heif(colour)


def _psd(array: np.ndarray[Any, Any]) -> bytes:
    height, width, _ = array.shape
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, height, width, 8, 3)
    return head + struct.pack(">III", 0, 0, 0) + struct.pack(">H", 0) + np.moveaxis(array, 2, 0).tobytes()


def _heif(image: Image.Image) -> Iterator[Seed]:
    import pi_heif

    if hasattr(pi_heif, "register_heif_opener"):
        pi_heif.register_heif_opener()
    for name, kind in (("heic", "HEIF"), ("avif", "AVIF")):
        try:
            yield Seed(name, f".{name}", _saved(image, kind, exif=_exif()))
        except (KeyError, ValueError, OSError):
            continue  # this machine's libraries only read it


def _scaled(path: Path) -> Seed:
    """A photograph with its own tags, small."""
    with Image.open(path) as image:
        exif = image.getexif()
        image.draft("RGB", (400, 400))
        image.thumbnail((240, 240))
        return Seed(path.stem, ".jpg", _saved(image.convert("RGB"), "JPEG", quality=80, exif=exif))


def _found(data: Path) -> Iterator[Seed]:
    for path in sorted((data / "photos").glob("*.jpg"))[:4] + sorted((data / "orientation").glob("*.jpg"))[:3]:
        yield _scaled(path)
    for path in sorted(p for folder in ("formats", "raw", "broken") for p in (data / folder).iterdir()):
        body = path.read_bytes()
        if path.suffix and path.suffix not in (".md", ".txt"):
            yield Seed(path.stem, path.suffix, body[:_LARGEST] if len(body) > 3 * _LARGEST else body)


def seeds(data: Path, seed: int = 1) -> list[Seed]:
    """Written here, photographs scaled down, and files of every kind; the head of those that are large."""
    return [*_written(np.random.default_rng(seed)), *_found(data)]


# --- damage -------------------------------------------------------------------------------------------------------


def _flip_bits(body: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 2, 8, 64, 512))):
        place = rng.randrange(len(body)) if rng.random() < 0.5 else rng.randrange(min(len(body), 512))
        body[place] ^= 1 << rng.randrange(8)


def _truncate(body: bytearray, rng: random.Random) -> None:
    del body[rng.randrange(len(body)) if rng.random() < 0.7 else rng.randrange(min(64, len(body))) :]


def _insert(body: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(body))
    body[place:place] = rng.randbytes(rng.choice((1, 2, 3, 16, 300, 5000)))


def _remove(body: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(body))
    del body[place : place + rng.choice((1, 2, 4, 64, 1000))]


def _duplicate(body: bytearray, rng: random.Random) -> None:
    place, size = rng.randrange(len(body)), rng.choice((2, 12, 64, 512, 4096))
    body[place:place] = body[place : place + size] * rng.choice((1, 2, 20))


def _swap(body: bytearray, rng: random.Random) -> None:
    size = rng.choice((2, 4, 12, 256))
    one, two = (rng.randrange(max(1, len(body) - size)) for _ in range(2))
    first, second = bytes(body[one : one + size]), bytes(body[two : two + size])
    body[one : one + len(second)], body[two : two + len(first)] = second, first


def _extreme(body: bytearray, rng: random.Random) -> None:
    """Sizes, counts and offsets that mean the whole world or nothing."""
    for _ in range(rng.choice((1, 1, 2, 6))):
        width = rng.choice((2, 4))
        place = rng.randrange(min(len(body), 600)) if rng.random() < 0.7 else rng.randrange(len(body))
        value = rng.choice(_EXTREMES) & (256**width - 1)
        body[place : place + width] = value.to_bytes(width, rng.choice(("little", "big")))


def _zero(body: bytearray, rng: random.Random) -> None:
    place, size = rng.randrange(len(body)), rng.choice((1, 16, 500, 4096))
    body[place : place + size] = rng.choice((b"\0", b"\xff")) * len(body[place : place + size])


def _tags(body: bytearray) -> list[tuple[int, str]]:
    """Where the entries of the first directories of a TIFF (or of an Exif block) begin, and their byte order."""
    found: list[tuple[int, str]] = []
    for mark, order in ((b"II*\0", "<"), (b"MM\0*", ">")):
        start = body.find(mark)
        if start < 0 or start + 8 > len(body):
            continue
        at = start + struct.unpack_from(f"{order}I", body, start + 4)[0]
        if at + 2 > len(body):
            continue
        count = struct.unpack_from(f"{order}H", body, at)[0]
        found += [(at + 2 + 12 * n, order) for n in range(min(count, 40)) if at + 14 + 12 * n < len(body)]
    return found


def _spoil_tags(body: bytearray, rng: random.Random) -> None:
    """Another type, a count of millions, an offset beyond the end, two tags in each other's place, or a huge width."""
    entries = _tags(body)
    if not entries:
        _extreme(body, rng)
        return
    for _ in range(rng.choice((1, 2, 5))):
        at, order = rng.choice(entries)
        part, kind = rng.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I")))
        value = rng.choice(_EXTREMES) & (0xFFFF if kind == "H" else 0xFFFFFFFF)
        struct.pack_into(f"{order}{kind}", body, at + part, value)
    if rng.random() < 0.3:
        (one, _), (two, _) = rng.choice(entries), rng.choice(entries)
        body[one : one + 12], body[two : two + 12] = bytes(body[two : two + 12]), bytes(body[one : one + 12])


def _loop(body: bytearray, rng: random.Random) -> None:
    """Directories that lead to themselves, or to one another."""
    entries = _tags(body)
    if not entries:
        _duplicate(body, rng)
        return
    first, order = entries[0]
    last = entries[-1][0] + 12
    start = body.find(b"II*\0" if order == "<" else b"MM\0*")
    if last + 4 <= len(body):
        struct.pack_into(f"{order}I", body, last, first - 2 - start)
    at, _ = rng.choice(entries)
    struct.pack_into(f"{order}HHII", body, at, rng.choice((0x014A, 0x8769, 0x8825, 0xA005)), 4, 1, first - 2 - start)


def _spoil_words(body: bytearray, rng: random.Random) -> None:
    """Rubbish in EXIF, XMP and ICC: entities, markup, zero characters, endless names."""
    rubbish = (
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>', b"<" * 400, b"\0" * 60, b"&b;" * 99,
        b"\xed\xa0\x80\xff\xfe", b"%s%n%x" * 30, b"<script>window.hostile=1</script>", b"9" * 400, b"rdf:li>" * 90,
    )  # fmt: skip
    for mark in (b"xmpmeta", b"Exif\0\0", b"rdf:", b"ICC_PROFILE", b"acsp", b"2024:"):
        place = body.find(mark)
        if place >= 0 and rng.random() < 0.6:
            block = rng.choice(rubbish)
            place += rng.randrange(60)
            if rng.random() < 0.5:
                body[place : place + len(block)] = block
            else:
                body[place:place] = block


def _behead(body: bytearray, rng: random.Random) -> None:
    """Noise with a picture's head."""
    body[:] = rng.choice(_HEADS) + rng.randbytes(rng.choice((0, 8, 200, 5000)))


DAMAGE: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip_bits, _truncate, _insert, _remove, _duplicate, _swap, _extreme, _zero, _spoil_tags, _loop, _spoil_words,
    _behead,
)  # fmt: skip


def damaged(seed: Seed, rng: random.Random) -> tuple[str, bytes]:
    """`(ending, body)`: one to three kinds of damage, and now and then another kind's name."""
    body = bytearray(seed.body)
    for spoil in rng.choices(DAMAGE, k=rng.choice((1, 1, 2, 3))):
        if body:
            spoil(body, rng)
    return (rng.choice(_ENDINGS) if rng.random() < 0.1 else seed.ending), bytes(body)


def write_damaged(folder: Path, data: Path, n: int, *, seed: int) -> list[Path]:
    """Writes `n` damaged pictures, a hundred to a folder. Every seed is used, and every kind of damage."""
    rng = random.Random(seed)
    chosen = seeds(data)
    paths = []
    for number in range(n):
        origin = chosen[number % len(chosen)]
        ending, body = damaged(origin, rng)
        path = folder / f"{number // 100:03d}" / f"{number:05d}-{origin.name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        paths.append(path)
    return paths
