"""What names say: suffixes that versions carry, and digits that are a counter's own."""

from __future__ import annotations

import pytest

from domain.version_names import folder_family, picture_name


@pytest.mark.parametrize(
    "name",
    [
        "IMG_1234-Edit-2.tif", "IMG_1234-edit.tif", "IMG_1234_bw.psd", "Copy of IMG_1234.jpg", "IMG_1234 copy 2.tif",
        "IMG_1234 - Copy (2).JPG", "IMG_E1234.HEIC", "IMG_1234-Enhanced-NR.dng", "IMG_1234_final_print.tif",
        "img_1234.edit.jpg", "IMG_1234-v2.tif",
    ],
)  # fmt: skip
def test_a_word_after_the_stem_says_that_it_was_worked_on(name: str) -> None:
    read = picture_name(name)

    assert (read.base, read.worked, read.number) == ("img_1234", True, 0)


@pytest.mark.parametrize(
    ("name", "number"),
    [("IMG_1234-2.jpg", 2), ("IMG_1234 (1).jpg", 1), ("IMG_1234_2.jpg", 2), ("IMG_1234 2.jpg", 2), ("IMG_1234.jpg", 0)],
)
def test_a_small_number_is_kept_apart(name: str, number: int) -> None:
    assert picture_name(name)[:3] == ("img_1234", False, number)


@pytest.mark.parametrize("name", ["DSC_0001.NEF", "scan_0012.tif", "edit.jpg", "deer-1-.jpg", "L1000123.DNG", "-2.jpg"])
def test_a_counter_and_a_whole_name_are_no_suffix(name: str) -> None:
    assert picture_name(name).base == name.rpartition(".")[0].casefold()


def test_a_number_after_any_other_word_counts_photographs() -> None:
    assert picture_name("wedding-web-12.jpg")[:3] == ("wedding", True, 12)
    assert picture_name("roll3-scan-1.tif")[:3] == ("roll3", True, 1)


def test_folders_of_one_shoot_are_a_family() -> None:
    assert {folder_family(f"2020/trip{sub}") for sub in ("", "/edits", "/RAW", "/B&W", "/exports")} == {"2020/trip"}
    assert folder_family("2020/trip/day 2") == "2020/trip/day 2"
