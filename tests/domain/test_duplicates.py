"""Versions are found, and what only looks like one is not: burst frames, counters that rolled over, even pictures."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from domain import duplicates
from domain.duplicates import LOOK_BITS, NEAR_BITS, NO_TIME, SAME_INSTANT, SAME_LOOK, SAME_NAME, SAME_PIXELS
from domain.imaging.hashes import perceptual_hash

SHOT = 1_700_000_000_000_000
LEICA, EPSON = 1, 2


def row(path: str, **facts: Any) -> dict[str, Any]:
    """A photo of its own in every respect, but for what is said."""
    return {"path": path} | facts


def found(*rows: dict[str, Any]) -> list[list[str]]:
    """The groups as paths, the front first."""
    return [[path for path, _ in group] for group in explained(*rows)]


def explained(*rows: dict[str, Any]) -> list[list[tuple[str, int]]]:
    table = np.zeros(len(rows), duplicates.TABLE)
    rng = np.random.default_rng(5)
    for n, said in enumerate(rows):
        own = {
            "photo_id": n + 1,
            "at_us": NO_TIME,
            "phash": rng.integers(1, 2**63),
            "pixels": n + 1,
            "area": 24_000_000,
        }
        for name, value in (own | said).items():
            if name != "path":
                table[name][n] = value
    folders, names = zip(*(said["path"].rpartition("/")[::2] for said in rows), strict=True)
    groups: dict[int, list[tuple[str, int]]] = {}
    for photo, number, place, reason in duplicates.find(table, names, folders).tolist():
        groups.setdefault(number, []).append((rows[photo - 1]["path"], reason))
        assert len(groups[number]) == place + 1
    return list(groups.values())


def test_an_edit_is_a_version_with_the_finished_picture_in_front() -> None:
    raw = row("2023/trip/IMG_1234.CR2", at_us=SHOT + 250_000, camera=LEICA, serial=9)
    edit = row("2023/trip/IMG_1234-Edit.tif", at_us=SHOT, camera=LEICA)
    crop = row("2023/trip/edits/IMG_1234_bw.psd", area=2_000_000)
    web = row("2023/trip/web/IMG_1234-web.jpg", at_us=SHOT, area=1_000_000)

    assert found(raw, edit, crop, web) == [[edit["path"], crop["path"], raw["path"], web["path"]]]


@pytest.mark.parametrize("edit", ["IMG_7-edit.jpg", "IMG_7_bw.jpg", "IMG_7 copy.jpg", "IMG_7.tif", "Copy of IMG_7.jpg"])
def test_without_any_time_the_name_in_one_folder_is_enough(edit: str) -> None:
    assert len(found(row("roll/IMG_7.jpg"), row(f"roll/{edit}"))) == 1


def test_a_counter_that_rolled_over_makes_no_version() -> None:
    first = row("2019/IMG_0001.JPG", at_us=SHOT, camera=LEICA)
    years_later = row("2023/IMG_0001.JPG", at_us=SHOT + 10**14, camera=LEICA)
    elsewhere = row("scans/IMG_0001.JPG")
    edit_elsewhere = row("other/IMG_0001-edit.tif")

    assert found(first, years_later, elsewhere, edit_elsewhere) == []


@pytest.mark.parametrize(
    "names", [("IMG_0001.JPG", "IMG_0002.JPG"), ("shot-1.jpg", "shot-2.jpg"), ("a 1.jpg", "a 2.jpg")]
)
@pytest.mark.parametrize("fraction", [0, 1])
def test_frames_of_a_burst_are_no_versions_of_each_other(names: tuple[str, str], fraction: int) -> None:
    same = {"camera": LEICA, "serial": 9, "phash": 77}
    frames = [row(f"day/{name}", at_us=SHOT + n * 100_000 * fraction, **same) for n, name in enumerate(names)]

    assert found(*frames) == []
    assert found(*frames, row(f"day/{names[0][:-4]}-edit.tif", at_us=SHOT, **same)) == [
        [f"day/{names[0][:-4]}-edit.tif", f"day/{names[0]}"]
    ]


def test_frames_that_a_program_numbered_within_their_second_stay_apart() -> None:
    same = {"at_us": SHOT, "camera": LEICA, "phash": 77}
    frames = [row(f"day/20231114-221320{suffix}.jpg", **same) for suffix in ("", "-1", "-2")]

    assert found(*frames) == []


def test_scans_of_a_roll_that_look_alike_stay_apart() -> None:
    assert found(*(row(f"roll/scan_{n:04}.tif", phash=77) for n in range(5))) == []


def test_two_cameras_in_one_second_are_two_photographs() -> None:
    one = row("a/IMG_1.JPG", at_us=SHOT, camera=LEICA)

    assert found(one, row("b/IMG_1.JPG", at_us=SHOT, camera=EPSON)) == []
    assert found(one | {"serial": 1}, row("b/IMG_1.JPG", at_us=SHOT, camera=LEICA, serial=2)) == []


def test_the_same_instant_on_one_camera_is_one_exposure_whatever_the_name() -> None:
    frame = row("a/IMG_0001.CR2", at_us=SHOT + 120_000, camera=LEICA)
    renamed = row("b/Harbour at night.jpg", at_us=SHOT + 120_000, camera=LEICA)

    assert explained(frame, renamed)[0][1][1] == SAME_INSTANT
    assert found(frame | {"at_us": SHOT}, renamed | {"at_us": SHOT}) == []


def test_a_picture_that_lost_its_time_is_known_by_its_look() -> None:
    frame = row("a/IMG_0001.CR2", at_us=SHOT, camera=LEICA, phash=0b1111_0001)
    stripped = row("from a friend/photo_2023.jpg", phash=0b0000_0001, even=False)

    assert [reason for _, reason in explained(frame, stripped)[0]] == [SAME_LOOK, SAME_LOOK]
    assert found(frame, stripped | {"even": True}) == []
    assert found(frame | {"phash": 0b11111_0001}, stripped) == []
    assert found(frame, stripped | {"at_us": SHOT + 5_000_000}) == []


def test_a_look_that_many_pictures_share_says_nothing() -> None:
    assert found(*(row(f"x/{n:c}", phash=77) for n in range(ord("a"), ord("a") + duplicates.POPULAR + 1))) == []


def test_likeness_does_not_wander_from_picture_to_picture() -> None:
    chain = [row(f"x/{chr(97 + n)}.jpg", phash=7 << 60 | ((1 << (4 * n)) - 1)) for n in range(6)]

    assert max(map(len, found(*chain))) <= 3


def test_equal_pixels_are_a_version_wherever_they_lie() -> None:
    one, other = row("a/IMG_1.JPG", at_us=SHOT, pixels=5), row("b/IMG_2.JPG", at_us=SHOT + 10**9, pixels=5)

    assert [reason for _, reason in explained(one, other)[0]] == [SAME_PIXELS, SAME_PIXELS]


def test_a_name_brings_two_exposures_together_only_once() -> None:
    """An edit without a time lies beside two frames of its name: it belongs to the one it looks like; they stay two."""
    first = row("trip/jpg/IMG_1.JPG", at_us=SHOT, camera=LEICA)
    second = row("trip/raw/IMG_1.CR2", at_us=SHOT + 10**9, camera=LEICA, phash=77)
    edit = row("trip/IMG_1-edit.tif", phash=79)

    assert explained(first, second, edit) == [[(edit["path"], SAME_NAME), (second["path"], SAME_NAME)]]


def test_the_order_of_rows_never_matters() -> None:
    rng = np.random.default_rng(0)
    table, names, folders = _archive(rng, 3_000)
    shuffled = rng.permutation(len(table))

    groups = duplicates.find(table, names, folders)
    again = duplicates.find(table[shuffled], [names[i] for i in shuffled], [folders[i] for i in shuffled])

    assert len(groups) > 0
    assert groups.tolist() == again.tolist()


def test_an_empty_archive_has_no_versions() -> None:
    assert duplicates.find(np.empty(0, duplicates.TABLE), [], []).shape == (0, 4)


def _archive(rng: np.random.Generator, n: int) -> tuple[Any, list[str], list[str]]:
    """Frames in bursts of up to five; every tenth has an edit; a third of all lost its time."""
    table = np.zeros(n, duplicates.TABLE)
    table["photo_id"] = np.arange(1, n + 1)
    table["pixels"] = np.arange(1, n + 1)
    table["phash"] = rng.integers(0, 2**64, n, dtype=np.uint64)
    table["area"] = 24_000_000
    table["camera"] = 1
    table["at_us"] = SHOT + np.cumsum(rng.integers(0, 3, n)) * 700_000
    names = [f"DSC_{i % 10_000:04}.NEF" for i in range(n)]
    edits = np.arange(9, n, 10)
    for i in edits:
        names[i] = names[i - 1].replace(".NEF", "-edit.tif")
    table["at_us"][edits] = table["at_us"][edits - 1]
    table["phash"][edits] = table["phash"][edits - 1]
    table["at_us"][rng.random(n) < 1 / 3] = NO_TIME
    return table, names, [f"{i // 1000}" for i in range(n)]


def test_four_times_as_many_equal_files_take_about_four_times_as_long() -> None:
    """A folder that was copied again and again makes one group of thousands."""

    def seconds(n: int) -> float:
        table = np.zeros(n, duplicates.TABLE)
        table["photo_id"] = np.arange(1, n + 1)
        table["at_us"] = NO_TIME
        table["pixels"] = 7
        names, folders = [f"{i:b}.jpg" for i in range(n)], [f"{i}" for i in range(n)]
        began = time.process_time()
        assert len(duplicates.find(table, names, folders)) == n
        return time.process_time() - began

    few, many = (min(seconds(n) for _ in range(3)) for n in (3_000, 12_000))
    assert many < 10 * few


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_photographs_are_grouped_within_a_minute() -> None:
    table, names, folders = _archive(np.random.default_rng(1), 1_000_000)

    began = time.process_time()
    groups = duplicates.find(table, names, folders)

    assert time.process_time() - began < 60
    assert len(np.unique(groups[:, 1])) == pytest.approx(100_000, rel=0.01)


def _reduced(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.draft("RGB", (700, 700))
        image.thumbnail((600, 600))
        return ImageOps.exif_transpose(image).convert("RGB")


def _cropped(image: Image.Image, share: float) -> Image.Image:
    w, h = image.size
    return image.crop((int(w * share), int(h * share), int(w * (1 - share)), int(h * (1 - share))))


_VERSIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "grey": ImageOps.grayscale,
    "sepia": lambda i: ImageOps.colorize(ImageOps.grayscale(i), "#201408", "#fff2d8"),
    "resized": lambda i: i.resize((i.width // 3, i.height // 3), Image.Resampling.LANCZOS),
    "sharpened": lambda i: i.filter(ImageFilter.UnsharpMask(3, 150)),
    "harder": lambda i: ImageEnhance.Contrast(i).enhance(1.3),
    "brighter": lambda i: ImageEnhance.Brightness(i).enhance(1.1),
    "cropped": lambda i: _cropped(i, 0.015),
}


def test_versions_of_real_photographs_are_near_and_other_photographs_far(shared_data: Path) -> None:
    pictures = [_reduced(path) for path in sorted((shared_data / "photos").glob("*.jpg"))]
    hashes = [perceptual_hash(picture) for picture in pictures]
    apart = [
        _bits(perceptual_hash(work(picture)), own)
        for work in _VERSIONS.values()
        for picture, own in zip(pictures, hashes, strict=True)
    ]
    others = [_bits(a, b) for a, b in itertools.combinations(hashes, 2)]

    assert np.mean(np.array(apart) <= LOOK_BITS) >= 0.9
    assert np.mean(np.array(apart) <= NEAR_BITS) >= 0.97
    assert min(others) >= 2 * NEAR_BITS


def _bits(a: int, b: int) -> int:
    return ((a ^ b) & (2**64 - 1)).bit_count()


def test_even_pictures_mean_nothing() -> None:
    """Flat fields of many greys, with grain from none to plenty, as large as previews are."""
    rng = np.random.default_rng(2)
    fields = [rng.uniform(0, 255) + rng.normal(0, rng.uniform(0, 6), (480, 720)) for _ in range(80)]
    pictures = [np.clip(np.rint(field), 0, 255).astype(np.uint8) for field in fields]
    hashes = [perceptual_hash(Image.fromarray(picture)) % 2**64 for picture in pictures]

    assert min(_bits(a, b) for a, b in itertools.combinations(hashes, 2)) <= LOOK_BITS
    assert found(*(row(f"{n}/{chr(97 + n % 26)}.jpg", phash=h) for n, h in enumerate(hashes))) == []
