"""One pass over an original: sizes, orientation, writing, pairs, and that originals stay as they are."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from domain.errors import PermanentError, TransientError, UnavailableError
from domain.imaging.conversion import render
from domain.imaging.picture import DERIVATIVE_QUALITY
from tests.domain.imaging.notes import write_notes
from tests.domain.imaging.pictures import CAP, ORIENTATIONS, converted, exif, read, rms, scene, stored_as


def saved(path: Path, pixels: Any, **more: Any) -> Path:
    Image.fromarray(pixels).save(path, **more)
    return path


# --- orientation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg", ".avif"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_gives_the_same_upright_picture(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = Image.fromarray(scene())
    original = tmp_path / f"turned{suffix}"
    lossless = {".webp": {"lossless": True}, ".jpg": {"quality": 100, "subsampling": 0}, ".avif": {"quality": 100}}
    stored_as(upright, orientation).save(original, exif=exif(orientation), **lossless.get(suffix, {}))

    result = converted(original)

    assert (result.facts.width, result.facts.height) == upright.size == result.preview.size
    assert rms(result.preview, upright) < 4
    assert result.facts.focus_grid is None or result.facts.focus_grid[0] <= result.facts.focus_grid[1]


def test_the_pictures_of_every_orientation_are_like_the_one_that_needs_no_turn(
    shared_data: Path, tmp_path: Path
) -> None:
    def upright(orientation: int) -> np.ndarray[Any, Any]:
        result = converted(shared_data / "orientation" / f"Landscape_{orientation}.jpg", tmp_path / str(orientation))
        assert result.preview.size == (1440, 960)
        pixels = np.asarray(result.thumb.convert("L").resize((90, 60)), np.float64)
        pixels[20:40, 35:55] = 0  # the number that is written in the middle
        return pixels

    reference = upright(1)
    differences = {o: rms(upright(o), reference) for o in ORIENTATIONS if o != 1}

    assert max(differences.values()) < 3, differences


def test_an_orientation_that_does_not_exist_leaves_the_picture(tmp_path: Path) -> None:
    result = converted(saved(tmp_path / "nine.jpg", scene(), exif=exif(9)))

    assert (result.facts.width, result.facts.height) == result.preview.size == (96, 64)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("broken", [b"Exif\0\0no TIFF at all", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"])
def test_broken_exif_is_no_reason_to_refuse_a_picture(tmp_path: Path, suffix: str, broken: bytes) -> None:
    result = converted(saved(tmp_path / f"broken{suffix}", scene(), exif=broken))

    assert rms(result.preview, scene()) < 10


def test_the_focus_tiles_are_turned_with_the_picture(tmp_path: Path) -> None:
    pixels = scene(1024, 640)
    pixels[:128, -128:] = np.random.default_rng(0).integers(0, 256, (128, 128, 1), dtype=np.uint8)  # top right
    original = tmp_path / "turned.png"
    stored_as(Image.fromarray(pixels), 6).save(original, exif=exif(6))

    facts = converted(original).facts

    assert facts.focus_grid is not None and facts.focus_tiles is not None
    tiles = np.frombuffer(facts.focus_tiles, np.uint8).reshape(facts.focus_grid)
    row, column = np.unravel_index(tiles.argmax(), tiles.shape)
    assert row < tiles.shape[0] / 2 and column > tiles.shape[1] / 2


# --- preview and thumbnail ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "preview", "thumb"),
    [
        ((2400, 1600), (1440, 960), (400, 267)),
        ((700, 2100), (480, 1440), (133, 400)),
        ((1440, 100), (1440, 100), (400, 28)),
        ((500, 300), (500, 300), (400, 240)),
        ((40, 30), (40, 30), (40, 30)),
        ((3, 3), (3, 3), (3, 3)),
    ],
)
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_derivatives_are_shrunk_to_their_edges_and_never_enlarged(
    tmp_path: Path, suffix: str, size: tuple[int, int], preview: tuple[int, int], thumb: tuple[int, int]
) -> None:
    result = converted(saved(tmp_path / f"sized{suffix}", scene(*size)))

    assert result.preview.size == (result.facts.preview_width, result.facts.preview_height) == preview
    assert result.thumb.size == (result.facts.thumb_width, result.facts.thumb_height) == thumb
    assert (result.facts.width, result.facts.height) == size


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_the_preview_is_the_lanczos_of_all_pixels(tmp_path: Path, suffix: str) -> None:
    pixels = np.asarray(Image.fromarray(scene(2301, 1535)))
    original = saved(tmp_path / f"large{suffix}", pixels)
    plain = read(original).resize((1440, 961), Image.Resampling.LANCZOS)

    result = converted(original)

    assert result.preview.size == plain.size
    assert rms(result.preview, plain) < 1.5


def test_derivatives_are_srgb_jpegs_of_quality_82(tmp_path: Path) -> None:
    reference = tmp_path / "reference.jpg"
    Image.fromarray(scene()).save(reference, quality=DERIVATIVE_QUALITY)

    result = converted(saved(tmp_path / "scan.tif", scene()))

    assert DERIVATIVE_QUALITY == 82
    assert result.preview.format == result.thumb.format == "JPEG"
    assert result.preview.quantization == read(reference).quantization  # type: ignore[attr-defined]
    assert "icc_profile" not in result.preview.info


def test_nothing_is_left_of_a_preview_that_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = saved(tmp_path / "scan.tif", scene())

    def full_disk(self: Image.Image, file: Any, *_: object, **__: object) -> None:
        file.write(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        converted(original, tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []


def test_an_older_preview_stays_whole_until_the_new_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    converted(saved(tmp_path / "scan.tif", scene()), out)
    before = (out / "preview.jpg").read_bytes()
    monkeypatch.setattr(Image.Image, "save", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))

    with pytest.raises(OSError, match="full"):
        converted(tmp_path / "scan.tif", out)

    assert (out / "preview.jpg").read_bytes() == before
    assert sorted(p.name for p in out.iterdir()) == ["preview.jpg", "thumb.jpg"]


def test_originals_are_not_touched(tmp_path: Path, shared_data: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    for name in ("formats/cmyk.tif", "formats/pug.heic", "raw/made-bayer.dng", "orientation/Landscape_6.jpg"):
        shutil.copy(shared_data / name, folder)
    (folder / "made-bayer.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    state = {p: (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_mode) for p in folder.iterdir()}

    for original in state:
        if original.suffix != ".xmp":
            converted(original, tmp_path / "out" / original.name, sidecars=[folder / "made-bayer.xmp"])

    assert {p: (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_mode) for p in folder.iterdir()} == state


def test_a_rendering_has_every_pixel_upright(tmp_path: Path) -> None:
    upright = Image.fromarray(scene(1800, 1600))
    stored_as(upright, 8).save(tmp_path / "scan.tif", exif=exif(8))

    made = render(tmp_path / "scan.tif", render_path=tmp_path / "rendering.jpg", pixel_cap=CAP)

    rendering = read(tmp_path / "rendering.jpg")
    assert (made.width, made.height) == rendering.size == (1800, 1600)
    assert rms(rendering, upright) < 2


# --- facts --------------------------------------------------------------------------------------------------------


def test_the_file_hash_is_blake2b_of_the_bytes(tmp_path: Path) -> None:
    for name in ("a.tif", "a.png", "a.jpg"):
        original = saved(tmp_path / name, scene())
        facts = converted(original).facts
        assert facts.file_hash == hashlib.blake2b(original.read_bytes(), digest_size=32).digest()
        assert (facts.file_size, facts.mtime_ns) == (original.stat().st_size, original.stat().st_mtime_ns)


def test_without_focus_nothing_is_said_of_it(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    for name in ("a.tif", "a.jpg"):
        original = saved(tmp_path / name, pixels)
        without, with_it = converted(original, want_focus=False).facts, converted(original).facts
        assert (without.focus_score, without.focus_source, without.focus_tiles) == (None, None, None)
        assert with_it.focus_score is not None and with_it.focus_source == "original"


@pytest.mark.parametrize("name", ["photos/deer-2-.jpg", "formats/grey16-plane.tif", "photos/windowstill.jpg"])
def test_scores_are_close_to_those_of_a_plain_full_decode(shared_data: Path, tmp_path: Path, name: str) -> None:
    """DESIGN.md: a scaled decode shifts baseline sharpness by up to 4 points."""
    from domain.quality import LONG_EDGE, baseline_quality

    original = shared_data / name
    full = read(original)
    full = (
        Image.fromarray((np.asarray(full) / 257).astype(np.uint8)) if full.mode.startswith("I") else full.convert("L")
    )
    full.thumbnail((LONG_EDGE, LONG_EDGE), Image.Resampling.LANCZOS, reducing_gap=None)
    plain = baseline_quality(np.asarray(full))

    facts = converted(original, tmp_path).facts

    assert abs(facts.sharpness_score - plain.sharpness) <= 4
    assert abs(facts.exposure_score - plain.exposure) <= 4


# --- RAW and JPEG pairs -------------------------------------------------------------------------------------------


def pair(shared_data: Path, tmp_path: Path) -> tuple[Path, Path]:
    raw, jpeg = tmp_path / "IMG_1.dng", tmp_path / "IMG_1.JPG"
    shutil.copy(shared_data / "raw" / "made-bayer.dng", raw)
    saved(jpeg, scene(1500, 1000), quality=95)
    return raw, jpeg


def test_a_pair_takes_its_jpegs_picture_and_its_raws_identity(shared_data: Path, tmp_path: Path) -> None:
    raw, jpeg = pair(shared_data, tmp_path)
    alone, beside = converted(raw).facts, converted(jpeg)

    result = converted(raw, companion=jpeg)

    assert result.facts.picture_source == result.facts.focus_source == "companion"
    assert rms(result.preview, beside.preview) == 0
    assert (result.facts.file_hash, result.facts.pixel_hash) == (alone.file_hash, alone.pixel_hash)
    assert result.facts.camera == alone.camera == "SONY ILCE-7RM3"
    assert result.facts.warnings == ()


@pytest.mark.parametrize("damage", [b"", b"no picture, but text", None])
def test_a_damaged_companion_gives_way_to_the_raw_with_a_warning(
    shared_data: Path, tmp_path: Path, damage: bytes | None
) -> None:
    raw, jpeg = pair(shared_data, tmp_path)
    jpeg.write_bytes(jpeg.read_bytes()[:3000] if damage is None else damage)

    result = converted(raw, companion=jpeg)

    assert result.facts.picture_source == "demosaic"
    assert rms(result.preview, converted(raw).preview) == 0
    [warning] = result.facts.warnings
    assert "IMG_1.JPG" in warning and warning.startswith("Its JPEG cannot be used")


def test_a_damaged_raw_of_a_pair_is_shown_by_its_jpeg_with_a_warning(shared_data: Path, tmp_path: Path) -> None:
    raw, jpeg = pair(shared_data, tmp_path)
    raw.write_bytes(raw.read_bytes()[:20_000])

    result = converted(raw, companion=jpeg)

    assert result.facts.picture_source == "companion"
    assert result.facts.warnings == ("IMG_1.dng cannot be decoded; the picture is its JPEG.",)


def test_both_halves_of_a_pair_damaged_is_a_refusal(shared_data: Path, tmp_path: Path) -> None:
    raw, jpeg = pair(shared_data, tmp_path)
    raw.write_bytes(b"")
    jpeg.write_bytes(b"")

    with pytest.raises(PermanentError, match=r"IMG_1\.dng is empty"):
        converted(raw, companion=jpeg)


# --- away ---------------------------------------------------------------------------------------------------------


def test_a_lost_file_may_come_back(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=r"gone\.tif is no longer in") as raised:
        converted(tmp_path / "gone.tif", tmp_path / "out")

    assert not isinstance(raised.value, UnavailableError)


def test_an_unplugged_library_pauses_instead_of_losing_the_file(tmp_path: Path) -> None:
    root = tmp_path / "drive"

    with pytest.raises(UnavailableError, match="connect its drive"):
        converted(root / "a.tif", tmp_path / "out", root=root)


def test_a_drive_that_goes_away_while_it_is_read_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = saved(tmp_path / "a.jpg", scene())

    def unplugged(self: Path) -> bytes:
        raise OSError(5, os.strerror(5))  # read() names no file

    monkeypatch.setattr(Path, "read_bytes", unplugged)
    with pytest.raises(UnavailableError, match="its drive does not answer"):
        converted(original)


# --- ratings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sidecar", "stars", "where"),
    [(None, 4, "embedded"), ("2", 2, "sidecar"), ("0", None, None), ("good", 4, "embedded")],
)
def test_a_sidecar_that_speaks_wins_over_the_embedded_rating(
    tmp_path: Path, sidecar: str | None, stars: int | None, where: str | None
) -> None:
    original, beside = saved(tmp_path / "a.jpg", scene()), tmp_path / "a.xmp"
    write_notes(original, {"Xmp.xmp.Rating": "4"})
    if sidecar is not None:
        beside.write_text(
            "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
            f"<rdf:Description xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='{sidecar}'/></rdf:RDF></x:xmpmeta>"
        )

    found = converted(original, sidecars=[beside] if sidecar is not None else []).facts.found_rating

    assert (found and found.stars, found and found.where) == (stars, where)


def test_a_pair_takes_the_rating_of_its_jpeg_where_the_raw_has_none(shared_data: Path, tmp_path: Path) -> None:
    raw, jpeg = pair(shared_data, tmp_path)
    write_notes(jpeg, {"Xmp.xmp.Rating": "3"})

    found = converted(raw, companion=jpeg).facts.found_rating

    assert found is not None and found.stars == 3


# --- preloading ---------------------------------------------------------------------------------------------------

FORKED = """
import os, sys
from pathlib import Path
from domain.imaging import conversion
conversion.preload()
print(len(os.listdir("/proc/self/task")), flush=True)
if os.fork() == 0:
    loaded = set(sys.modules)
    conversion.convert(Path(sys.argv[1]), preview_path=Path(sys.argv[2]), thumb_path=Path(sys.argv[3]), pixel_cap=10**9)
    late = {name.partition(".")[0] for name in set(sys.modules) - loaded}
    print(sorted(late & {"pyvips", "rawpy", "exiv2", "tifffile"}), flush=True)
    os._exit(0)
print(os.wait()[1])
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="Counts threads in Linux's own list.")
def test_what_is_preloaded_starts_no_thread_and_works_after_a_fork(tmp_path: Path) -> None:
    original = saved(tmp_path / "a.tif", scene(2000, 1500))

    out = subprocess.run(
        [sys.executable, "-c", FORKED, str(original), str(tmp_path / "p.jpg"), str(tmp_path / "t.jpg")],
        cwd=Path(__file__).parents[3],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    ).stdout.split("\n")

    assert out[:3] == ["1", "[]", "0"]
    assert read(tmp_path / "p.jpg").size == (1440, 1080)
