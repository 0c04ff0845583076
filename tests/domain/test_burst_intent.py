"""Brackets, focus stacks and panoramas are told from bursts; drift, tracking and shaking are not taken for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from domain import burst_intent
from domain.burst_intent import BRACKET, FOCUS_STACK, NO_INTENT, PANORAMA_SWEEP
from domain.bursts import INTENT_TABLE, KEEPER, OTHER, find
from domain.frame_shift import shift_between, structure
from domain.imaging.hashes import perceptual_hash
from domain.shooting import AUTOMATIC, BRACKETING, FOCUS_STEPS, MANUAL, PANORAMA, TRACKING, exposure_ev, shooting_of

Array = NDArray[Any]
PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "photos"
GAP_S = 5.0
THRESHOLD = 0.90
needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"There are no test photographs in {PHOTOS}.")


def table(n: int, every_s: float = 1.0, **columns: Any) -> Array:
    """`n` frames of one body; columns that are not given are unknown."""
    rows = np.zeros(n, INTENT_TABLE)
    rows["photo_id"] = np.arange(n) + 100
    rows["at_us"] = (np.arange(n) * every_s * 1e6).astype(np.int64)
    rows["focus"] = np.arange(n)
    for name in ("exposure_ev", "exposure_s", "bias_ev", "focal_mm", "distance_m"):
        rows[name] = np.nan
    for name, values in columns.items():
        rows[name] = values
    return rows


def one_scene(n: int) -> Array:
    return np.repeat(np.eye(1, 8, dtype=np.float16), n, axis=0)


def groups(found: Array) -> list[tuple[int, list[int]]]:
    """(intent, photos counted from 0) of each group."""
    return [
        (int(found[found[:, 1] == g, 3][0]), (found[found[:, 1] == g, 0] - 100).tolist())
        for g in np.unique(found[:, 1])
    ]


def intents(rows: Array, vectors: Array | None = None, pictures: list[Image.Image] | None = None) -> Any:
    look: Callable[[int], Array] | None = None
    if pictures is not None:
        rows["phash"] = [perceptual_hash(picture) for picture in pictures]
        look = lambda row: np.asarray(pictures[row].convert("L"))  # noqa: E731
    return groups(find(rows, one_scene(len(rows)) if vectors is None else vectors, THRESHOLD, GAP_S, look))


# --- pictures -----------------------------------------------------------------------------------------------------


@cache
def photograph(name: str) -> Image.Image:
    with Image.open(PHOTOS / name) as picture:
        picture.draft("RGB", (2400, 2400))
        return picture.convert("RGB")


NAMES = tuple(sorted(path.name for path in PHOTOS.glob("*.jpg"))) if PHOTOS.is_dir() else ()


def crop(name: str, left: float, top: float = 0.1, size: float = 0.5) -> Image.Image:
    """A part of the photograph as a thumbnail: `size` of its width and height, from `left` and `top` on."""
    whole = photograph(name)
    w, h = whole.size
    box = [int(v) for v in (left * w, top * h, (left + size) * w, (top + size) * h)]
    part = whole.crop((box[0], box[1], box[2], box[3]))
    part.thumbnail((400, 400))
    return part


def turned(name: str, degrees: float, focal: float = 1.0) -> Image.Image:
    """What a camera sees of the photograph, which hangs before it, when it is turned: not a shift but a perspective.

    `focal`: focal length in frame widths; 1.0 is a 36 mm lens on full frame.
    """
    w, h = 400, 267
    whole = photograph(name)
    pull = whole.width / 3.2 / w  # the camera sees about a third of it
    a = math.radians(degrees)
    f = focal * w
    # Rays of the turned camera meet the plane; homography from thumbnail to photograph.
    turn = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    inner = np.array([[1, 0, -w / 2], [0, 1, -h / 2], [0, 0, f]])
    outer = np.array([[pull * f, 0, whole.width / 2], [0, pull * f, whole.height / 2], [0, 0, 1]])
    m = outer @ turn @ inner
    m = m / m[2, 2]
    flat = m.ravel()[:8]
    return whole.transform((w, h), Image.Transform.PERSPECTIVE, tuple(flat), Image.Resampling.BICUBIC)


def exposed(picture: Image.Image, stops: float) -> Image.Image:
    light = (np.asarray(picture, np.float64) / 255) ** 2.2 * 2.0**stops
    return Image.fromarray((np.clip(light, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8))


# --- what the file says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"Exif.Photo.ExposureMode": 2}, BRACKETING),
        ({"Exif.Photo.ExposureMode": 0}, AUTOMATIC),
        ({"Exif.Photo.ExposureMode": 1, "Exif.CanonFi.BracketMode": 1}, MANUAL | BRACKETING),
        ({"Exif.CanonFi.BracketMode": 2}, 0),  # of the flash
        ({"Exif.Nikon3.ShootingMode": 0x11}, BRACKETING),
        ({"Exif.Nikon3.ShootingMode": 0x41}, 0),  # of the white balance
        ({"Exif.Nikon3.Focus": "AF-C "}, TRACKING),
        ({"Exif.Sony1.ReleaseMode": 5}, BRACKETING),
        ({"Exif.Panasonic.BurstMode": 3}, FOCUS_STEPS),
        ({"Exif.OlympusCs.DriveMode": [5, 3, 64, 0]}, FOCUS_STEPS),
        ({"Exif.OlympusCs.DriveMode": [5, 3, 1, 0]}, BRACKETING),
        ({"Exif.OlympusCs.DriveMode": [1, 3]}, 0),
        ({"Exif.CanonPa.PanoramaFrame": 1}, PANORAMA),
        ({"Exif.OlympusCs.PanoramaMode": [0, 0]}, 0),
        ({"Exif.Photo.ExposureMode": "two", "Exif.Nikon3.ShootingMode": [None], "Exif.Sony1.ReleaseMode": math.nan}, 0),
    ],
)
def test_the_cameras_word(tags: dict[str, Any], said: int) -> None:
    assert shooting_of(tags).said == said


@pytest.mark.parametrize(
    ("tags", "metres"),
    [
        ({"Exif.Photo.SubjectDistance": 2.5}, 2.5),
        ({"Exif.Photo.SubjectDistance": 4294967295}, 10_000),
        ({"Exif.OlympusFi.FocusDistance": 350}, 0.35),
        ({"Exif.CanonFi.FocusDistanceUpper": 120, "Exif.CanonFi.FocusDistanceLower": 110}, 1.2),
        ({"Exif.NikonLd3.FocusDistance": "80"}, 1.0),
        ({"Exif.Photo.SubjectDistance": 0}, None),
        ({"Exif.Photo.SubjectDistance": "²"}, None),
    ],
)
def test_the_focus_distance_in_metres(tags: dict[str, Any], metres: float | None) -> None:
    assert shooting_of(tags).distance_m == pytest.approx(metres)


def test_the_exposure_in_stops() -> None:
    assert exposure_ev(1 / 50, 4, 200) - exposure_ev(1 / 100, 4, 100) == pytest.approx(2)
    assert exposure_ev(1 / 100, None, 100) - exposure_ev(1 / 200, None, 100) == pytest.approx(1)
    assert math.isnan(exposure_ev(None, 4, 100))


# --- brackets -----------------------------------------------------------------------------------------------------


def test_sets_of_a_bracket_that_the_camera_speaks_of() -> None:
    rows = table(7, exposure_ev=[0, -2, 2, 0, -2, 2, 0], bias_ev=[0, -2, 2, 0, -2, 2, 0], said=BRACKETING)
    rows["said"][6] = AUTOMATIC
    assert intents(rows) == [(BRACKET, [0, 1, 2]), (BRACKET, [3, 4, 5])]


def test_a_bracket_has_no_keeper_and_a_burst_beside_it_has() -> None:
    rows = table(5, exposure_ev=[0, -1, 1, 0, 0], bias_ev=[0, -1, 1, 0, 0], said=[BRACKETING] * 3 + [AUTOMATIC] * 2)
    found = find(rows, one_scene(5), THRESHOLD, GAP_S)
    assert found[:, 2].tolist() == [OTHER, OTHER, OTHER, OTHER, KEEPER]
    assert found[:, 3].tolist() == [BRACKET] * 3 + [NO_INTENT] * 2


def test_a_bracket_of_long_exposures_is_whole_though_its_frames_end_far_apart() -> None:
    rows = table(3, every_s=40, exposure_ev=[0, 2, 4], exposure_s=[8, 32, 128], said=BRACKETING)
    rows["at_us"] = np.array([0, 10, 44]) * 1_000_000
    assert intents(rows) == [(BRACKET, [0, 1, 2])]


def test_a_camera_left_in_bracketing_mode_that_exposes_alike_takes_a_burst() -> None:
    assert intents(table(3, exposure_ev=0, bias_ev=0, said=BRACKETING)) == [(NO_INTENT, [0, 1, 2])]


def test_brackets_of_two_scenes_are_two() -> None:
    vectors = np.repeat(np.eye(2, 8, dtype=np.float16), [2, 2], axis=0)
    rows = table(4, exposure_ev=[0, 1, 2, 3], said=BRACKETING)
    assert intents(rows, vectors) == [(BRACKET, [0, 1]), (BRACKET, [2, 3])]


def test_an_automatic_that_drifts_by_a_third_of_a_stop_is_no_bracket() -> None:
    drift = [0, -1 / 3, 0, 1 / 3, 2 / 3]
    assert intents(table(5, exposure_ev=drift, bias_ev=0, said=AUTOMATIC)) == [(NO_INTENT, [0, 1, 2, 3, 4])]


@needs_photos
def test_compensation_dialled_by_hand_is_a_bracket() -> None:
    stops = [0.0, -1.0, 1.0]
    rows = table(3, every_s=6, exposure_ev=stops, bias_ev=stops, said=AUTOMATIC)
    assert intents(rows, pictures=[exposed(crop("creek.jpg", 0.2), s) for s in stops]) == [(BRACKET, [0, 1, 2])]


@needs_photos
def test_shutter_times_set_by_hand_are_a_bracket() -> None:
    stops = [-2.0, 0.0, 2.0]
    rows = table(3, exposure_ev=stops, bias_ev=0, said=MANUAL)
    assert intents(rows, pictures=[exposed(crop("peak.jpg", 0.2), s) for s in stops]) == [(BRACKET, [0, 1, 2])]


@needs_photos
def test_exposure_that_only_followed_the_light_is_no_bracket() -> None:
    """Large even steps, but the pictures are as light as before."""
    rows = table(3, exposure_ev=[-1, 0, 1])
    assert intents(rows, pictures=[crop("peak.jpg", 0.2)] * 3) == [(NO_INTENT, [0, 1, 2])]


@needs_photos
@pytest.mark.parametrize("stops", [[0.0, -1.0], [0.0, -0.7, -2.0]])
def test_a_correction_is_no_bracket(stops: list[float]) -> None:
    rows = table(len(stops), exposure_ev=stops, bias_ev=stops, said=AUTOMATIC)
    pictures = [exposed(crop("creek.jpg", 0.2), s) for s in stops]
    assert [intent for intent, _ in intents(rows, pictures=pictures)] == [NO_INTENT]


# --- focus stacks -------------------------------------------------------------------------------------------------


def test_a_stack_that_the_camera_speaks_of() -> None:
    assert intents(table(4, every_s=0.1, said=FOCUS_STEPS)) == [(FOCUS_STACK, [0, 1, 2, 3])]


@needs_photos
@pytest.mark.parametrize("distances", [[0.30, 0.32, 0.35, 0.39, 0.44], [2.0, 1.7, 1.4, 1.2, 1.0]])
def test_focus_that_goes_through_a_scene_that_stays_is_a_stack(distances: list[float]) -> None:
    pictures = [crop("mushroom-close-up.jpg", 0.2).filter(ImageFilter.GaussianBlur(n / 2)) for n in range(5)]
    rows = table(5, exposure_ev=0, distance_m=distances, said=MANUAL)
    assert intents(rows, pictures=pictures) == [(FOCUS_STACK, [0, 1, 2, 3, 4])]


@needs_photos
def test_focus_that_follows_somebody_is_no_stack() -> None:
    pictures = [crop("sheep.jpg", 0.2)] * 5
    rows = table(5, exposure_ev=0, distance_m=[5, 4.5, 4, 3.5, 3], said=AUTOMATIC | TRACKING)
    assert intents(rows, pictures=pictures) == [(NO_INTENT, [0, 1, 2, 3, 4])]


@needs_photos
def test_focus_found_anew_for_each_frame_is_no_stack() -> None:
    pictures = [crop("sheep.jpg", 0.2)] * 5
    rows = table(5, exposure_ev=0, distance_m=[5, 5.06, 5.1, 5.02, 5.08], said=AUTOMATIC)
    assert intents(rows, pictures=pictures) == [(NO_INTENT, [0, 1, 2, 3, 4])]


# --- panoramas ----------------------------------------------------------------------------------------------------


@needs_photos
@pytest.mark.parametrize("step", [0.15, 0.3, 0.6])
def test_the_shift_of_two_frames_is_measured(step: float) -> None:
    shift = shift_between(
        *(structure(np.asarray(crop("creek.jpg", x, size=0.4).convert("L"))) for x in (0, step * 0.4))
    )
    assert shift is not None
    assert shift.across == pytest.approx(step, abs=0.03)
    assert abs(shift.down) < 0.03


@needs_photos
def test_frames_of_different_photographs_do_not_seem_to_overlap() -> None:
    structures = [structure(np.asarray(crop(n, 0.2).convert("L"))) for n in NAMES]
    shifts = [shift_between(a, b) for i, a in enumerate(structures) for b in structures[:i] if a.shape == b.shape]
    likenesses = np.array([shift.likeness for shift in shifts if shift])
    assert len(likenesses) > 100
    assert np.mean(likenesses >= burst_intent.LIKENESS) <= 0.01


@needs_photos
@pytest.mark.parametrize("name", NAMES)
def test_a_camera_turned_step_by_step_takes_a_panorama(name: str) -> None:
    pictures = [turned(name, degrees) for degrees in (-24, -12, 0, 12, 24)]
    rows = table(5, every_s=2, exposure_ev=0, focal_mm=35, said=MANUAL)
    found = intents(rows, _alike_by(0.85, 5), pictures)
    assert found == [(PANORAMA_SWEEP, [0, 1, 2, 3, 4])]


def _alike_by(cosine: float, n: int) -> Array:
    """Vectors of which neighbours are alike by that cosine."""
    angles = np.arange(n) * math.acos(cosine)
    return np.column_stack([np.cos(angles), np.sin(angles)])


@needs_photos
@pytest.mark.parametrize("name", NAMES[::3])
def test_a_hand_that_shakes_is_no_panorama(name: str) -> None:
    rng = np.random.default_rng(len(name))
    pictures = [crop(name, 0.2 + dx, 0.1 + dy) for dx, dy in rng.uniform(0, 0.02, (5, 2))]
    rows = table(5, every_s=0.5, exposure_ev=0, focal_mm=35, said=AUTOMATIC)
    assert intents(rows, pictures=pictures) == [(NO_INTENT, [0, 1, 2, 3, 4])]


@needs_photos
def test_a_camera_that_goes_to_and_fro_takes_no_panorama() -> None:
    pictures = [crop("creek.jpg", x) for x in (0.1, 0.3, 0.1, 0.3, 0.1)]
    rows = table(5, every_s=2, exposure_ev=0, focal_mm=35, said=MANUAL)
    assert [intent for intent, _ in intents(rows, pictures=pictures)] == [NO_INTENT]


@needs_photos
def test_a_camera_that_follows_somebody_in_fast_frames_takes_no_panorama() -> None:
    pictures = [crop("creek.jpg", 0.1 * n) for n in range(5)]
    rows = table(5, every_s=0.1, exposure_ev=0, focal_mm=35, said=AUTOMATIC)
    assert [intent for intent, _ in intents(rows, pictures=pictures)] == [NO_INTENT]


@needs_photos
def test_another_focal_length_ends_a_panorama() -> None:
    pictures = [crop("creek.jpg", 0.1 * n, size=0.4) for n in range(6)]
    rows = table(6, every_s=2, exposure_ev=0, focal_mm=[35, 35, 35, 50, 50, 50], said=MANUAL)
    assert [i for i, _ in intents(rows, pictures=pictures)] == [PANORAMA_SWEEP, PANORAMA_SWEEP]


def test_thumbnails_that_are_gone_leave_bursts() -> None:
    rows = table(3, every_s=2, exposure_ev=0, focal_mm=35, said=MANUAL, phash=[0, 0xFFFF, 0])
    assert groups(find(rows, one_scene(3), THRESHOLD, GAP_S, lambda _: None)) == [(NO_INTENT, [0, 1, 2])]
