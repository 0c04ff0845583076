"""A folder's listing: what it holds, what it leaves out and says so, and a library that is away."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain import files
from domain.errors import DomainError, PermanentError, TransientError, UnavailableError
from domain.files import FolderListing, printable, reachable, require_root, walk_folder


def touch(path: Path, *, at: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    if at is not None:
        os.utime(path, (at, at))
    return path


def walked(root: Path) -> Iterator[tuple[str, FolderListing]]:
    """Every folder, as an import goes through them."""
    due = [""]
    while due:
        rel = due.pop()
        listing = walk_folder(root, rel)
        due += listing.folders
        yield rel, listing


def photos(root: Path) -> list[str]:
    return sorted(f.rel_path for _, listing in walked(root) for f in listing.files)


def test_a_tree_is_walked_and_what_is_no_photograph_is_left_out(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.txt", "sub/c.Tif", "sub/deep/d.nef", "sub/e.mov", "empty/f"):
        touch(tmp_path / name)

    assert photos(tmp_path) == ["a.JPG", "sub/c.Tif", "sub/deep/d.nef"]
    assert all(listing.skipped == () for _, listing in walked(tmp_path))


def test_size_time_and_kind_are_told(tmp_path: Path) -> None:
    touch(tmp_path / "a.NEF", at=1_600_000_000)

    [file] = walk_folder(tmp_path, "").files

    assert (file.rel_path, file.kind, file.size, file.mtime_ns) == ("a.NEF", "raw", 1, 1_600_000_000 * 10**9)


def test_dot_names_are_left_out_silently(tmp_path: Path) -> None:
    for name in (".hidden.jpg", "._IMG.jpg", ".trash/a.jpg", "b.jpg"):
        touch(tmp_path / name)

    listing = walk_folder(tmp_path, "")

    assert [f.rel_path for f in listing.files] == ["b.jpg"]
    assert (listing.folders, listing.skipped) == ((), ())


def test_newest_folders_first(tmp_path: Path) -> None:
    for name, at in (("2019", 100), ("2021", 300), ("2020", 200)):
        touch(tmp_path / name / "a.jpg")
        os.utime(tmp_path / name, (at, at))

    assert walk_folder(tmp_path, "").folders == ("2021", "2020", "2019")


def test_a_raw_and_its_jpeg_are_one_photo(tmp_path: Path) -> None:
    for name in ("IMG_1.CR2", "IMG_1.JPG", "IMG_1.xmp"):
        touch(tmp_path / "roll" / name)

    [file] = walk_folder(tmp_path, "roll").files

    assert (file.rel_path, file.companion_rel_path, file.companion_size) == ("roll/IMG_1.CR2", "roll/IMG_1.JPG", 1)
    assert file.companion_mtime_ns == (tmp_path / "roll" / "IMG_1.JPG").stat().st_mtime_ns
    assert file.sidecar_rel_paths == ("roll/IMG_1.xmp",)


def test_a_raw_and_its_jpeg_in_sibling_folders_are_one_photo(tmp_path: Path) -> None:
    for name in ("RAW/IMG_1.CR2", "JPG/IMG_1.JPG", "JPG/IMG_2.JPG", "JPG/IMG_1.xmp"):
        touch(tmp_path / "roll" / name)

    raws, jpegs = walk_folder(tmp_path, "roll/RAW").files, walk_folder(tmp_path, "roll/JPG").files

    assert [(f.rel_path, f.companion_rel_path) for f in raws] == [("roll/RAW/IMG_1.CR2", "roll/JPG/IMG_1.JPG")]
    assert raws[0].sidecar_rel_paths == ("roll/JPG/IMG_1.xmp",)
    assert [f.rel_path for f in jpegs] == ["roll/JPG/IMG_2.JPG"]


def test_names_that_are_not_utf8_are_reported_and_the_walk_goes_on(tmp_path: Path) -> None:
    for name in (b"caf\xe9.jpg", b"fine.jpg", b"caf\xe9.txt"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    os.mkdir(os.fsencode(tmp_path) + b"/\xfftrip")

    listing = walk_folder(tmp_path, "")

    assert [f.rel_path for f in listing.files] == ["fine.jpg"]
    sentences = sorted(s.sentence for s in listing.skipped)
    assert sentences == [
        "\\xfftrip has a name that is not UTF-8 text; rename it to import it.",
        "caf\\xe9.jpg has a name that is not UTF-8 text; rename it to import it.",
    ]
    assert all(s.path.isprintable() and s.path.encode() for s in listing.skipped)


# --- links --------------------------------------------------------------------------------------------------------


def test_a_cycle_of_links_ends(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "b" / "c.jpg")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "x").symlink_to("y")
    (tmp_path / "y").symlink_to("x")

    assert photos(tmp_path) == ["a/b/c.jpg"]


def test_a_cycle_through_a_hidden_folder_ends(tmp_path: Path) -> None:
    touch(tmp_path / ".store" / "a.jpg")
    (tmp_path / "shown").symlink_to(".store")
    (tmp_path / ".store" / "again").symlink_to("../shown")
    (tmp_path / ".store" / "up").symlink_to("..")

    assert photos(tmp_path) == ["shown/a.jpg"]


def test_a_link_out_of_the_library_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "secret" / "a.jpg")
    root = tmp_path / "library"
    root.mkdir()
    (root / "folder").symlink_to(tmp_path / "secret")
    (root / "file.jpg").symlink_to(tmp_path / "secret" / "a.jpg")
    (root / "gone.jpg").symlink_to("nowhere.jpg")

    listing = walk_folder(root, "")

    assert (listing.files, listing.folders) == ((), ())
    assert len(listing.skipped) == 3
    assert sum("leads out of the library" in s.sentence for s in listing.skipped) == 2


def test_a_folder_that_became_a_link_out_is_not_followed(tmp_path: Path) -> None:
    touch(tmp_path / "secret" / "a.jpg")
    root = tmp_path / "library"
    root.mkdir()
    (root / "folder").symlink_to(tmp_path / "secret")

    listing = walk_folder(root, "folder")

    assert listing.files == () and "leads out of the library" in listing.skipped[0].sentence


def test_a_photo_and_a_link_to_it_are_one(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")

    assert photos(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize("rel", ["../other", "/etc", "a/../../b"])
def test_a_path_that_leaves_the_library_is_refused(tmp_path: Path, rel: str) -> None:
    with pytest.raises(PermanentError, match="leaves the library"):
        walk_folder(tmp_path, rel)


# --- what cannot be read ------------------------------------------------------------------------------------------


def test_a_folder_that_may_not_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may list everything, so the system's refusal is played."""
    touch(tmp_path / "closed" / "a.jpg")
    touch(tmp_path / "open" / "b.jpg")
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = dict(walked(tmp_path))

    assert [f.rel_path for listing in found.values() for f in listing.files] == ["open/b.jpg"]
    [skipped] = found["closed"].skipped
    assert skipped.sentence == "closed could not be listed (Permission denied); check the folder's permissions."


@pytest.mark.skipif(os.geteuid() == 0, reason="Root may list everything.")
def test_a_folder_without_permissions_is_reported(tmp_path: Path) -> None:
    touch(tmp_path / "closed" / "a.jpg")
    (tmp_path / "closed").chmod(0)
    try:
        [skipped] = walk_folder(tmp_path, "closed").skipped
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert "could not be listed" in skipped.sentence


def test_a_folder_that_disappeared_is_reported(tmp_path: Path) -> None:
    [skipped] = walk_folder(tmp_path, "gone").skipped

    assert "disappeared while the library was listed" in skipped.sentence


def test_a_library_that_is_away_is_no_empty_library(tmp_path: Path) -> None:
    for call in (lambda: walk_folder(tmp_path / "drive", ""), lambda: require_root(tmp_path / "drive")):
        with pytest.raises(UnavailableError, match="connect its drive"):
            call()


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENOENT, TransientError, "is no longer in"),
        (errno.EIO, UnavailableError, "its drive does not answer"),
        (errno.ENODEV, UnavailableError, "its drive does not answer"),
        (errno.ESTALE, UnavailableError, "its drive does not answer"),
        (errno.EACCES, PermanentError, "change its permissions"),
        (errno.EISDIR, PermanentError, "is a folder"),
        (errno.ENAMETOOLONG, PermanentError, "has a name that is too long"),
    ],
)
def test_what_the_system_says_becomes_a_sentence(code: int, kind: type[DomainError], words: str) -> None:
    path = Path("/photos/a.jpg")

    with pytest.raises(kind, match=f"a.jpg .*{words}") as raised, reachable(path):
        raise OSError(code, os.strerror(code), str(path))

    assert type(raised.value) is kind and raised.value.op == "read"


def test_a_full_disk_is_nothing_about_the_original() -> None:
    with pytest.raises(OSError, match="No space"), reachable(Path("/photos/a.jpg")):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_sniffing_a_folder_or_a_lost_file(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="is a folder"):
        files.sniff(tmp_path)
    with pytest.raises(TransientError, match="put the file back"):
        files.sniff(tmp_path / "gone.jpg")


def test_printable_names() -> None:
    assert printable(os.fsdecode(b"a\xe9\n\x1b[31m.jpg")) == "a\\xe9\\n\\x1b[31m.jpg"
    assert printable("Köln.jpg") == "Köln.jpg"
