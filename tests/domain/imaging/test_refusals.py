"""Files that will never work: each is refused with a sentence of its own, before it costs anything."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from PIL import Image

from domain.errors import PermanentError
from tests.domain.imaging.pictures import converted, scene

BROKEN = {
    "broken-adobe-segment-length-beyond-eof.jpg": "sent as text",
    "broken-bogus-segment-length.jpg": "picture data make no sense",
    "broken-no-sof-ascii-transfer-mode.jpg": "sent as text",
    "broken-sos-before-sof.jpg": "begins before its size is told",
    "canon-r6-pruned.cr3": "RAW data end early or were cut out",
    "claims-800x3billion.tif": "claims 800 x 3,036,676,696 pixels, more than the 1,000 megapixels allowed",
    "corrupted.heic": "HEIF header cannot be understood",
    "empty.heic": r"is empty \(0 bytes\)",
    "text.jpg": "holds text and no picture",
    "truncated-photo.jpg": "is cut short",
    "zero-bytes.nef": r"is empty \(0 bytes\)",
}


def refusal(original: Path, out: Path, **more: int) -> PermanentError:
    with pytest.raises(PermanentError) as raised:
        converted(original, out, **more)
    return raised.value


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_a_sentence_of_its_own(shared_data: Path, tmp_path: Path, name: str) -> None:
    error = refusal(shared_data / "broken" / name, tmp_path / "out")

    assert error.sentence.startswith(name) and error.sentence.endswith(".")
    with pytest.raises(PermanentError, match=BROKEN[name]):
        raise error
    assert ";" in error.sentence  # what to do follows
    assert not (tmp_path / "out").exists()


def test_every_broken_file_is_known_here(shared_data: Path) -> None:
    assert {p.name for p in (shared_data / "broken").iterdir()} == set(BROKEN)


def test_what_is_broken_in_different_ways_is_told_in_different_words(shared_data: Path, tmp_path: Path) -> None:
    sentences = {
        name: refusal(shared_data / "broken" / name, tmp_path).sentence.removeprefix(name).split(";")[0]
        for name in BROKEN
    }
    contents = {(shared_data / "broken" / name).read_bytes() for name in BROKEN}

    assert len(set(sentences.values())) == len(contents) == 9


def test_a_thumbnail_that_stands_for_a_lost_picture_is_said(shared_data: Path, tmp_path: Path) -> None:
    facts = converted(shared_data / "formats" / "thumbnail-only.heic", tmp_path).facts

    [warning] = facts.warnings
    assert "16 x 16" in warning and "32 x 32" in warning


def test_a_hostile_size_is_refused_from_the_header_alone(shared_data: Path, tmp_path: Path) -> None:
    original = shared_data / "broken" / "claims-800x3billion.tif"
    refusal(original, tmp_path)  # imports are not to be counted

    tracemalloc.start()
    refusal(original, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 16 << 20


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp", ".tga", ".avif"])
def test_the_pixel_cap_holds_for_every_format(tmp_path: Path, suffix: str) -> None:
    original = tmp_path / f"large{suffix}"
    Image.fromarray(scene(100, 80)).save(original)

    assert "claims 100 x 80 pixels" in refusal(original, tmp_path / "out", pixel_cap=7_999).sentence
    converted(original, tmp_path / "out", pixel_cap=8_000)


@pytest.mark.parametrize("size", [(2, 50), (50, 1), (2, 2)])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_thinner_than_three_pixels_is_no_photograph(tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    original = tmp_path / f"thin{suffix}"
    Image.fromarray(scene(*size)).save(original)

    assert f"is only {size[0]} x {size[1]} pixels" in refusal(original, tmp_path / "out").sentence


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp", ".tga", ".avif"])
def test_a_file_cut_short_is_refused(tmp_path: Path, suffix: str) -> None:
    original = tmp_path / f"cut{suffix}"
    Image.effect_noise((200, 150), 80).convert("RGB").save(original)
    data = original.read_bytes()
    original.write_bytes(data[: len(data) * 2 // 3])

    assert refusal(original, tmp_path / "out").sentence.startswith(original.name)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.heic", "a.nef", "a.psd", "a.tga", "a.x3f"])
def test_a_file_of_noise_is_refused_whatever_its_name(tmp_path: Path, name: str) -> None:
    original = tmp_path / name
    original.write_bytes(bytes(range(128, 256)) * 100)

    assert refusal(original, tmp_path / "out").sentence.startswith(name)


def test_a_name_with_odd_bytes_is_printable_in_its_sentence(tmp_path: Path) -> None:
    original = tmp_path / "odd\n\udce9.jpg"
    original.write_bytes(b"")

    sentence = refusal(original, tmp_path / "out").sentence

    assert sentence.isprintable() and sentence.startswith("odd\\n\\xe9.jpg is empty")
