"""A RAW and its JPEG are one photo; nothing is lost and nothing is there twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.formats import file_kind
from domain.pairing import PairedPhoto, SiblingFolder, pair_folder

STEMS = st.sampled_from(["IMG_1", "img_1", "IMG_2", "a.b", "DSC"])
EXTENSIONS = st.sampled_from([".CR2", ".nef", ".JPG", ".jpeg", ".tif", ".xmp", ".CR2.xmp", ".txt"])
NAMES = st.lists(st.builds(str.__add__, STEMS, EXTENSIONS), unique=True, max_size=12)
FOLDERS = st.lists(st.sampled_from(["RAW", "JPG", "jpeg", "NEF"]), unique=True, min_size=2, max_size=4)


def pairs(names: list[str]) -> dict[str, str | None]:
    return {p.name: p.companion[1] if p.companion else None for p in pair_folder("roll", names, [])}


def listed(folders: dict[str, list[str]]) -> dict[str, list[PairedPhoto]]:
    return {
        name: pair_folder(name, names, [SiblingFolder(n, other) for n, other in folders.items() if n != name])
        for name, names in folders.items()
    }


def test_one_stem_in_one_folder() -> None:
    assert pairs(["IMG_1.CR2", "IMG_1.JPG", "IMG_2.JPG"]) == {"IMG_1.CR2": "IMG_1.JPG", "IMG_2.JPG": None}


def test_case_does_not_matter() -> None:
    assert pairs(["IMG_1.cr2", "img_1.Jpeg"]) == {"IMG_1.cr2": "img_1.Jpeg"}


def test_other_pictures_of_the_stem_stay_photos_of_their_own() -> None:
    assert pairs(["IMG_1.CR2", "IMG_1.jpg", "IMG_1.tif", "IMG_1.nef", "IMG_1.jpeg"]) == {
        "IMG_1.CR2": "IMG_1.jpeg",
        "IMG_1.jpg": None,
        "IMG_1.nef": None,
        "IMG_1.tif": None,
    }


def test_counters_that_roll_over_do_not_meet_across_folders() -> None:
    """The same stem in two ordinary folders is two photos."""
    folders = {"2019": ["IMG_1.CR2"], "2020": ["IMG_1.JPG"]}

    assert [p.companion for photos in listed(folders).values() for p in photos] == [None, None]


def test_sibling_folders_of_raw_and_jpg() -> None:
    found = listed({"RAW": ["IMG_1.CR2", "IMG_2.CR2"], "JPG": ["IMG_1.JPG", "IMG_3.JPG"]})

    assert found["RAW"] == [PairedPhoto("IMG_1.CR2", ("JPG", "IMG_1.JPG")), PairedPhoto("IMG_2.CR2")]
    assert found["JPG"] == [PairedPhoto("IMG_3.JPG")]


def test_a_pair_in_one_folder_comes_before_one_across() -> None:
    found = listed({"RAW": ["IMG_1.CR2", "IMG_1.JPG"], "JPG": ["IMG_1.JPG"]})

    assert found["RAW"] == [PairedPhoto("IMG_1.CR2", ("", "IMG_1.JPG"))]
    assert found["JPG"] == [PairedPhoto("IMG_1.JPG")]


def sidecars(photos: list[PairedPhoto]) -> dict[str, list[str]]:
    return {p.name: ["/".join(s).lstrip("/") for s in p.sidecars] for p in photos}


def test_sidecars_of_both_spellings() -> None:
    names = ["IMG_1.CR2", "IMG_1.xmp", "IMG_1.CR2.xmp", "img_2.tif", "IMG_2.XMP", "IMG_3.xmp"]

    assert sidecars(pair_folder("roll", names, [])) == {
        "IMG_1.CR2": ["IMG_1.CR2.xmp", "IMG_1.xmp"],
        "img_2.tif": ["IMG_2.XMP"],
    }


def test_a_sidecar_of_the_stem_belongs_to_the_raw() -> None:
    names = ["IMG_1.CR2", "IMG_1.tif", "IMG_1.xmp", "IMG_1.tif.xmp"]

    assert sidecars(pair_folder("roll", names, [])) == {"IMG_1.CR2": ["IMG_1.xmp"], "IMG_1.tif": ["IMG_1.tif.xmp"]}


def test_sidecars_of_a_companion_count_for_the_photo() -> None:
    found = listed({"RAW": ["IMG_1.CR2"], "JPG": ["IMG_1.JPG", "IMG_1.xmp"]})

    assert sidecars(found["RAW"]) == {"IMG_1.CR2": ["JPG/IMG_1.xmp"]}


@given(NAMES)
def test_each_picture_of_a_folder_is_in_exactly_one_photo(names: list[str]) -> None:
    photos = pair_folder("roll", names, [])

    used = Counter([p.name for p in photos] + [p.companion[1] for p in photos if p.companion])
    assert used == Counter(n for n in names if file_kind(n) is not None)
    assert all(p.companion is None or file_kind(p.name) == "raw" for p in photos)


@given(FOLDERS, st.data())
def test_each_picture_of_siblings_is_in_exactly_one_photo(names: list[str], data: st.DataObject) -> None:
    folders = {name: data.draw(NAMES) for name in names}
    found = listed(folders)

    used = Counter((folder, p.name) for folder, photos in found.items() for p in photos)
    used += Counter(
        (p.companion[0] or folder, p.companion[1]) for folder, photos in found.items() for p in photos if p.companion
    )
    assert used == Counter((f, n) for f, listing in folders.items() for n in listing if file_kind(n) is not None)


@given(NAMES)
def test_each_sidecar_belongs_to_one_photo_at_most(names: list[str]) -> None:
    """But for twins that differ in case or extension alone: what is said of one is said of both."""
    photos = [p for p in pair_folder("roll", names, []) if file_kind(p.name) == "raw"]

    for photo in photos:
        assert all(found[1].casefold().startswith(photo.name.rpartition(".")[0].casefold()) for found in photo.sidecars)


@given(NAMES)
def test_the_order_of_a_listing_does_not_matter(names: list[str]) -> None:
    assert pair_folder("roll", names, []) == pair_folder("roll", names[::-1], [])
