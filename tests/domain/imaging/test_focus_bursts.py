"""Focus on real photographs: the sharpest of a burst is picked, more blur is never more focus, a border is nothing.

The bursts are those of `scripts/bench_focus.py`; a few of them here, more with the long tests.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from domain.imaging.focus import Focus, FocusMeter, content_box

SCRIPTS = str(Path(__file__).parents[3] / "scripts")
PHOTOS = Path(__file__).parents[4] / "shared" / "data" / "photos"
sys.path.insert(0, SCRIPTS)

import bench_focus  # noqa: E402
import focus_cases  # noqa: E402

sys.path.remove(SCRIPTS)

EVERY = 4
"""One photograph in so many is tried in every run, all of them with the long tests."""
photographs = pytest.mark.parametrize(
    "photo",
    [
        pytest.param(name, marks=[pytest.mark.slow] if n % EVERY else [])
        for n, name in enumerate(sorted(path.name for path in PHOTOS.glob("*.jpg")) or ["none.jpg"])
    ],
)


@pytest.fixture
def grey(shared_data: Path, photo: str) -> NDArray[np.uint8]:
    return middle(shared_data / "photos" / photo)


def middle(path: Path) -> NDArray[np.uint8]:
    """The middle of a photograph at half its size, so that its pixels are sharp."""
    with Image.open(path) as image:
        image.draft("L", (image.width // 2, image.height // 2))
        x, y = image.width // 2 - 720, image.height // 2 - 720
        return np.asarray(image.convert("L").crop((x, y, x + 1440, y + 1440)))


def focus_of(grey: NDArray[np.uint8]) -> Focus:
    meter = FocusMeter(grey.shape[1], grey.shape[0])
    meter.feed(grey)
    small = Image.fromarray(grey)
    small.thumbnail((720, 720), Image.Resampling.LANCZOS)
    found = meter.result(content_box(np.asarray(small)))
    assert found is not None
    return found


@photographs
@pytest.mark.parametrize("blur", ["gaussian", "disc", "motion"])
def test_more_blur_is_less_focus(grey: NDArray[np.uint8], blur: str) -> None:
    spectrum = focus_cases.Spectrum(focus_cases.LIGHT[grey])
    rng = np.random.default_rng(0)

    scores = []
    for pixels in (0.0, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0):
        levels = focus_cases.developed(spectrum.blurred(blur, pixels, 0.7), 0, 0.0, 0.0, rng)
        scores.append(focus_of(np.rint(levels * 255).astype(np.uint8)).score)

    assert np.all(np.diff(scores) < 0)


@photographs
@pytest.mark.parametrize("level", [0, 255])
def test_a_border_changes_nothing(grey: NDArray[np.uint8], level: int) -> None:
    whole_cells = ((96, 128), (80, 112))  # places lie where they lay; what moving does is the next test's
    framed = np.pad(grey, whole_cells, constant_values=level)

    # What the border cuts is not measured: some pixels at each edge of so small a frame.
    assert focus_of(framed).score == pytest.approx(focus_of(grey).score, rel=0.08)


def test_moving_the_camera_by_some_pixels_is_within_the_noise(shared_data: Path) -> None:
    """For all but those of which something sharp leaves the frame."""
    apart = []
    for path in sorted((shared_data / "photos").glob("*.jpg")):
        whole = middle(path)
        still, moved = focus_of(whole[:-9, :-9]), focus_of(whole[9:, 5:-4])
        apart.append(abs(still.score - moved.score) / np.hypot(still.noise, moved.noise))

    assert np.median(apart) < 1.5
    assert np.mean(np.array(apart) < 3) >= 0.8


def few(number: int) -> focus_cases.Case:
    """A small frame of a case, and three frames of its burst."""
    case = focus_cases.case(number)
    blurs = sorted(case.blurs)
    return replace(case, megapixels=1.0, halved=True, blurs=(blurs[1], blurs[0], blurs[-1]))


def test_the_sharpest_of_some_small_bursts_is_picked(shared_data: Path) -> None:
    """Of every blur, depth, noise and grain. Small frames hold few places: photographs of today are easier."""
    found = [bench_focus.outcome(few(number)) for number in range(0, 96, 7)]

    assert np.mean([o.right for o in found]) >= 0.9
    assert not any(o.wrong for o in found)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_what_is_picked_is_seldom_wrong(shared_data: Path) -> None:
    """A guard of what is reached; 95 % of 500 are asked for, and `make bench PARTS=focus` tells how far that is."""
    found = bench_focus.outcomes(range(48))

    assert bench_focus.percent(o.right for o in found) >= 80
    assert bench_focus.percent(o.wrong for o in found) <= 3
