"""Focus ranks frames of a burst: by what is sharp at full resolution, not by noise, grain or borders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from domain.imaging.focus import Focus, FocusMeter, content_box
from domain.quality import laplacian_variance

WIDTH, HEIGHT = 2400, 1600


def focus_of(grey: NDArray[np.uint8], *, slices: int = 256) -> Focus:
    meter = FocusMeter(grey.shape[1], grey.shape[0])
    for top in range(0, len(grey), slices):
        meter.feed(grey[top : top + slices])
    small = Image.fromarray(grey)
    small.thumbnail((720, 720), Image.Resampling.LANCZOS)
    focus = meter.result(content_box(np.asarray(small)))
    assert focus is not None
    return focus


@pytest.fixture(scope="module")
def frame() -> NDArray[np.uint8]:
    """A subject with fine detail before a soft background: spectra fall with frequency as in photographs."""
    rng = np.random.default_rng(1)
    fy, fx = np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None, :]
    spectrum = 1 / np.maximum(np.hypot(fy, fx), 1 / WIDTH) ** 1.2
    texture = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((HEIGHT, WIDTH))) * spectrum, (HEIGHT, WIDTH))
    texture = 128 + 40 * texture / texture.std()
    soft = np.asarray(blurred(texture.clip(0, 255).astype(np.uint8), 12), np.float64)
    soft[500:1000, 900:1500] = texture[500:1000, 900:1500]
    return soft.clip(0, 255).astype(np.uint8)


def blurred(grey: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(radius)))


def noisy(grey: NDArray[np.uint8], sigma: float, seed: int = 0, *, grain: float = 0.0) -> NDArray[np.uint8]:
    """Sensor noise, independent between pixels; or grain, which spans `grain` pixels."""
    noise = np.random.default_rng(seed).standard_normal(grey.shape).astype(np.float32)
    if grain:
        spread = blurred(np.rint(128 + 40 * noise).clip(0, 255).astype(np.uint8), grain).astype(np.float32)
        noise = (spread - spread.mean()) / spread.std()
    return np.rint(grey + sigma * noise).clip(0, 255).astype(np.uint8)


def apart(sharper: Focus, softer: Focus, sigmas: float = 3) -> bool:
    return sharper.score - softer.score > sigmas * float(np.hypot(sharper.noise, softer.noise))


@pytest.mark.parametrize("radius", [0.6, 1.0, 2.0])
def test_a_slightly_soft_frame_ranks_below_a_sharp_one(frame: NDArray[np.uint8], radius: float) -> None:
    assert apart(focus_of(frame), focus_of(blurred(frame, radius)))


def test_a_miss_that_the_baseline_cannot_see_at_42_megapixels(shared_data: Path) -> None:
    with Image.open(shared_data / "photos" / "poof.jpg") as image:
        grey = image.convert("L")
    sharp, soft = np.asarray(grey), blurred(np.asarray(grey), 0.6)

    def baseline(full: NDArray[np.uint8]) -> float:
        small = Image.fromarray(full)
        small.thumbnail((1024, 1024), Image.Resampling.LANCZOS, reducing_gap=None)
        return laplacian_variance(np.asarray(small))

    assert abs(baseline(soft) / baseline(sharp) - 1) < 0.03
    assert apart(focus_of(sharp), focus_of(soft), 10)


def test_shallow_depth_of_field_is_no_fault(frame: NDArray[np.uint8]) -> None:
    """A small sharp subject scores like a frame that is sharp all over."""
    # Mirrored: a seam would be sharper than anything in it.
    everywhere = np.pad(frame[500:1000, 900:1500], ((0, HEIGHT - 500), (0, WIDTH - 600)), "symmetric")

    assert focus_of(frame).score > 0.6 * focus_of(everywhere).score


@pytest.mark.parametrize("level", [0, 128, 255])
def test_uniform_borders_change_nothing(frame: NDArray[np.uint8], level: int) -> None:
    framed = np.full((HEIGHT + 400, WIDTH + 300), level, np.uint8)
    framed[200:-200, 150:-150] = frame

    plain, bordered = focus_of(frame), focus_of(framed)

    assert bordered.score == pytest.approx(plain.score, rel=0.06)


def test_the_edge_of_a_border_is_not_the_sharpest_thing(frame: NDArray[np.uint8]) -> None:
    soft = blurred(frame, 6)
    framed = np.full((HEIGHT + 384, WIDTH + 384), 255, np.uint8)
    framed[192:-192, 192:-192] = soft // 3

    assert focus_of(framed).score < 0.25 * focus_of(frame).score


@pytest.mark.parametrize(("sigma", "grain"), [(4, 0.0), (10, 0.0), (6, 0.8), (10, 1.2)])
def test_neither_noise_nor_grain_makes_a_soft_frame_sharp(frame: NDArray[np.uint8], sigma: float, grain: float) -> None:
    """ISO 6400, and film: the softer of two frames stays the softer, however rough it is."""
    sharp, soft = focus_of(noisy(frame, 2)), focus_of(noisy(blurred(frame, 3), sigma, 1, grain=grain))

    assert apart(sharp, soft)


@pytest.mark.parametrize("length", [0.5, 1.0, 2.0])
def test_motion_along_fine_detail_never_adds_to_focus(length: float) -> None:
    """Twigs, hair, cloth: a product of neighbouring lines is less for what changes from one to the next."""
    rng = np.random.default_rng(3)
    fy, fx = np.fft.fftfreq(800)[:, None], np.fft.rfftfreq(800)[None, :]
    fine = (np.abs(fx - 0.35) < 0.1) & (np.abs(np.abs(fy) - 0.2) < 0.08)
    spectrum = np.fft.rfft2(rng.standard_normal((800, 800))) * (fine + 0.15 / (1 + 400 * np.hypot(fy, fx) ** 2))

    def moved(path: float) -> Focus:
        light = np.fft.irfft2(spectrum * np.sinc(path * fx), (800, 800))
        return focus_of(noisy((128 + 90 * light).clip(0, 255).astype(np.uint8), 1))

    assert apart(moved(0.0), moved(length), 2)


@pytest.mark.parametrize("moved", [16, 40])
def test_a_large_frame_with_few_sharp_things_is_as_sharp_wherever_they_fall(moved: int) -> None:
    """Lamps at night: all cells count alike."""
    rng = np.random.default_rng(5)
    night = np.full((3200, 4160), 40, np.uint8)
    for row, column in rng.integers(200, 2900, (12, 2)):
        night[row : row + 12, column : column + 12] = rng.integers(0, 255, (12, 12))

    still, away = focus_of(night), focus_of(np.roll(night, (moved, moved), (0, 1)))

    assert away.score == pytest.approx(still.score, rel=0.02)


@pytest.mark.parametrize("sigma", [3, 8])
def test_the_ranking_holds_under_the_same_noise(frame: NDArray[np.uint8], sigma: float) -> None:
    assert apart(focus_of(noisy(frame, sigma, 0)), focus_of(noisy(blurred(frame, 1.2), sigma, 1)), 2)


def test_the_noise_is_a_standard_error(frame: NDArray[np.uint8]) -> None:
    """Frames of one scene, moved by some pixels and with noise of their own, scatter as `noise` says."""
    rng = np.random.default_rng(5)
    found = []
    for seed in range(8):
        y, x = rng.integers(0, 48, 2)
        found.append(focus_of(noisy(frame[y : y + 1536, x : x + 2304], 5, seed)))
    scores, stated = np.array([f.score for f in found]), np.mean([f.noise for f in found])

    assert stated / 4 < scores.std(ddof=1) < 3 * stated
    assert stated < 0.1 * scores.mean()


def test_a_uniform_frame_has_no_focus() -> None:
    flat = focus_of(np.full((600, 900), 77, np.uint8))

    assert (flat.score, flat.tiles.max()) == (0.0, 0)


@pytest.mark.parametrize("size", [(3, 3), (3, 900), (20, 900), (900, 20), (33, 33)])
def test_a_frame_too_small_to_measure_says_so(size: tuple[int, int]) -> None:
    meter = FocusMeter(*size)
    meter.feed(np.zeros((size[1], size[0]), np.uint8))

    assert meter.result((0.0, 0.0, 1.0, 1.0)) is None


@pytest.mark.parametrize("slices", [1, 7, 100, 5000])
def test_slices_do_not_matter(frame: NDArray[np.uint8], slices: int) -> None:
    part = frame[400:1100, 800:1600]

    assert focus_of(part, slices=slices).score == pytest.approx(focus_of(part).score, rel=1e-6)


def test_the_tiles_show_where_it_is_sharp(frame: NDArray[np.uint8]) -> None:
    tiles = focus_of(frame).tiles

    assert max(tiles.shape) <= 24 and tiles.max() == 255
    row, column = (int(i.mean()) for i in np.nonzero(tiles > 128))
    assert abs(row / tiles.shape[0] - 750 / HEIGHT) < 0.1 and abs(column / tiles.shape[1] - 1200 / WIDTH) < 0.1


def test_a_border_of_a_scan_is_found() -> None:
    grey = np.full((100, 200), 250, np.uint8)
    grey[10:80, 20:190] = np.random.default_rng(0).integers(0, 200, (70, 170))

    left, top, right, bottom = content_box(grey)

    assert (left * 200, top * 100, right * 200, bottom * 100) == pytest.approx((22, 12, 188, 78), abs=1.01)


def test_a_frame_without_border_is_taken_whole() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (100, 200), dtype=np.uint8)

    assert content_box(grey) == (0.0, 0.0, 1.0, 1.0)
    assert content_box(np.zeros((50, 50), np.uint8)) == (0.0, 0.0, 1.0, 1.0)
