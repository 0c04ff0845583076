"""Synthetic bursts of real photographs: frames that differ in blur, noise and grain, as cameras and scanners give them.

Blur is optics, so it is worked out on light and not on grey levels, exactly, by its transfer function; noise is counted
photons and the sensor's own; grain spans pixels and lies in the film. Each frame is moved by some whole pixels,
has noise and grain of its own, and is written as a JPEG or a 16-bit TIFF. Every case follows from its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.special
import tifffile
from numpy.typing import NDArray
from PIL import Image

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos"
SEED = 7
MEGAPIXELS = (2, 2, 2, 2, 2, 6, 6, 6, 12, 12)
EVERY_WHOLE = 25
"""One case in so many is a whole photograph."""
BLURS = ("gaussian", "motion", "disc", "motion")
DEPTHS = ("whole frame", "shallow depth")
FULL_WELL = {"no noise": 0, "ISO 400": 12_600, "ISO 1600": 3_150, "ISO 6400": 790}
"""Electrons of a pixel at white, for pixels of 4.5 micrometres, which took most of the photographs: 50,400 at ISO 100,
by 15,871 levels and 0.315 levels an electron (Claff 2015, "Sony A7RM2 DR-Pix Read Noise", photonstophotos.net)."""
READ_NOISE = 3.0  # electrons
GRAIN = {"no grain": (0.0, 0.0), "fine grain": (0.7, 4.0), "coarse grain": (1.2, 9.0)}
"""Radius in pixels, and scatter in levels of 255 at middle grey."""
STEPS = (0.5, 0.5, 0.5, 0.75, 1.0, 2.0)
"""By how many pixels the second sharpest frame is softer: standard deviation, radius of the disc, length of motion."""
SHARPEST = (0.0, 0.0, 0.5, 1.0, 1.5, 2.0)
"""Blur of the sharpest frame, in the same pixels, on top of the photograph's own."""
MARGIN = 12
"""Frames are moved by up to so many pixels."""
PAD = 64
_ENCODED = np.linspace(0, 1, 256)
LIGHT = np.where(_ENCODED <= 0.04045, _ENCODED / 12.92, ((_ENCODED + 0.055) / 1.055) ** 2.4).astype(np.float32)
_LINEAR = np.linspace(0, 1, 65536)
LEVEL = np.where(_LINEAR <= 0.0031308, 12.92 * _LINEAR, 1.055 * _LINEAR ** (1 / 2.4) - 0.055).astype(np.float32)
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """One burst. `blurs`: pixels, one for each frame in the order of capture; one of them is the smallest by `step`."""

    number: int
    photo: str
    megapixels: float
    halved: bool
    blur: str
    depth: str
    noise: str
    grain: str
    file: str
    step: float
    blurs: tuple[float, ...]

    @property
    def sharpest(self) -> int:
        return int(np.argmin(self.blurs))


def case(number: int) -> Case:
    """Blur, depth, noise and grain take turns: any 96 in a row hold every combination; the photographs too."""
    rng = np.random.default_rng([SEED, number])
    photos = sorted(path.name for path in PHOTOS.glob("*.jpg"))
    deck = np.random.default_rng([SEED, 1, number // len(photos)]).permutation(photos)
    step, softest = float(rng.choice(STEPS)), float(rng.choice(SHARPEST))
    more = softest + step + rng.uniform(0, 2, rng.integers(1, 5))
    whole = number % EVERY_WHOLE == EVERY_WHOLE - 1
    return Case(
        number=number,
        photo=str(deck[number % len(photos)]),
        megapixels=np.inf if whole else float(rng.choice(MEGAPIXELS)),
        halved=not whole and bool(rng.random() < 0.5),
        blur=BLURS[number % 4],
        depth=DEPTHS[number // 4 % 2],
        noise=list(FULL_WELL)[number // 8 % 4],
        grain=list(GRAIN)[number // 32 % 3],
        file=("jpeg", "tiff")[int(rng.random() < 0.4)],
        step=step,
        blurs=tuple(float(b) for b in rng.permutation([softest, softest + step, *more])),
    )


def frames(case: Case, folder: Path) -> Iterator[Path]:
    """Writes the frames of a case, one after the other, in the order of `case.blurs`."""
    rng = np.random.default_rng([SEED, 2, case.number])
    light, (y, x) = scene(case, rng)
    spectrum, angle, quality = Spectrum(light), rng.uniform(0, np.pi), int(rng.integers(88, 97))
    behind = spectrum.blurred("disc", rng.uniform(8, 16)) if case.depth == "shallow depth" else None
    subject = None if behind is None else _subject(light.shape, y, x, rng)
    for number, blur in enumerate(case.blurs):
        frame = spectrum.blurred(case.blur, blur, angle)
        if behind is not None:
            frame = behind + subject * (frame - behind)
        top, left = rng.integers(0, 2 * MARGIN, 2)
        frame = frame[top : len(frame) - 2 * MARGIN + top, left : frame.shape[1] - 2 * MARGIN + left]
        levels = developed(frame, FULL_WELL[case.noise], *GRAIN[case.grain], rng)
        yield written(levels, folder / f"{number}.{case.file}", quality)


def scene(case: Case, rng: np.random.Generator) -> tuple[Float, tuple[int, int]]:
    """The part of the photograph that the burst shows, as light (0..1), and where in it there is detail (y, x)."""
    with Image.open(PHOTOS / case.photo) as image:
        image.draft("L", image.size)
        grey = np.asarray(image.convert("L").reduce(2 if case.halved else 1))
    y, x = _detailed(grey, rng)
    share = min(1.0, (case.megapixels * 1e6 / grey.size) ** 0.5)
    size = [round(edge * share) for edge in grey.shape]
    top, left = (
        int(np.clip(at - rng.uniform(0.2, 0.8) * part, 0, edge - part))
        for at, part, edge in zip((y, x), size, grey.shape, strict=True)
    )
    return LIGHT[grey[top : top + size[0], left : left + size[1]]], (y - top, x - left)


def _detailed(grey: NDArray[np.uint8], rng: np.random.Generator) -> tuple[int, int]:
    """A place among the most detailed: a burst is of something."""
    cell, step = 64, 4
    rows, columns = grey.shape[0] // cell, grey.shape[1] // cell
    lines = grey[: rows * cell : step, : columns * cell].astype(np.int16)
    rough = np.abs(lines[:, 1:] - lines[:, :-1])
    rough = np.pad(rough, ((0, 0), (0, 1))).reshape(rows, cell // step, columns, cell).mean(axis=(1, 3))
    best = np.argsort(rough, axis=None)[-max(1, rough.size // 50) :]
    row, column = np.unravel_index(rng.choice(best), rough.shape)
    return int((row + 0.5) * cell), int((column + 0.5) * cell)


def _subject(shape: Sequence[int], y: int, x: int, rng: np.random.Generator) -> Float:
    """1 inside an ellipse of 4 to 20 % of the frame, 0 outside, soft between."""
    area, stretch = rng.uniform(0.04, 0.2) * shape[0] * shape[1] / np.pi, rng.uniform(0.6, 1.6)
    down, across = (area * stretch) ** 0.5, (area / stretch) ** 0.5
    rows = ((np.arange(shape[0], dtype=np.float32) - y) / down)[:, None]
    columns = ((np.arange(shape[1], dtype=np.float32) - x) / across)[None, :]
    return np.clip((1.15 - np.hypot(rows, columns)) / 0.3, 0, 1).astype(np.float32)


class Spectrum:
    """A scene's transform, of which blurred copies are taken. Its edges are joined smoothly."""

    def __init__(self, light: Float) -> None:
        self.shape = light.shape
        self.size = tuple(scipy.fft.next_fast_len(edge + PAD, real=True) for edge in light.shape)
        joined = _joined(_joined(light, self.size[0]).T, self.size[1]).T
        self.values = scipy.fft.rfft2(joined)
        self.fy = scipy.fft.fftfreq(self.size[0]).astype(np.float32)[:, None]
        self.fx = scipy.fft.rfftfreq(self.size[1]).astype(np.float32)[None, :]

    def blurred(self, blur: str, pixels: float, angle: float = 0.0) -> Float:
        """`pixels`: standard deviation, radius, or length of a path that lies at `angle` (radians)."""
        passed = self.values * self._transfer(blur, pixels, angle)
        return scipy.fft.irfft2(passed, self.size)[: self.shape[0], : self.shape[1]]

    def _transfer(self, blur: str, pixels: float, angle: float) -> Float:
        if blur == "motion":
            along = self.fx * np.float32(pixels * np.cos(angle)) + self.fy * np.float32(pixels * np.sin(angle))
            return np.sinc(along).astype(np.float32)
        if blur == "gaussian":
            square = np.float32(-2 * np.pi**2 * pixels**2)
            return np.exp(square * self.fy**2) * np.exp(square * self.fx**2)
        radius = np.float32(2 * np.pi * pixels) * np.hypot(self.fx, self.fy) + np.float32(1e-6)
        return (2 * scipy.special.j1(radius) / radius).astype(np.float32)


def _joined(rows: Float, length: int) -> Float:
    """Rows mirrored at the end and led back to the first, so that nothing jumps where the transform wraps."""
    n = length - len(rows)
    ahead = np.linspace(0, 1, n, dtype=np.float32)[:, None]
    ahead = ahead * ahead * (3 - 2 * ahead)
    return np.concatenate([rows, (1 - ahead) * rows[-1 : -n - 1 : -1] + ahead * rows[n - 1 :: -1][:n]])


def developed(light: Float, full_well: int, radius: float, scatter: float, rng: np.random.Generator) -> Float:
    """Grey levels (0..1) of a frame with its noise and grain."""
    light = np.clip(light, 0, 1)
    if full_well:
        electrons = light * np.float32(full_well)
        electrons += np.sqrt(electrons + np.float32(READ_NOISE**2)) * rng.standard_normal(light.shape, np.float32)
        light = np.clip(electrons / np.float32(full_well), 0, 1)
    levels = LEVEL[(light * (len(LEVEL) - 1)).astype(np.uint16)]
    if scatter:
        grain = scipy.ndimage.gaussian_filter(rng.standard_normal(light.shape, np.float32), radius, truncate=3)
        grain *= np.float32(2 * scatter / 255) / grain.std()
        levels = np.clip(levels + grain * np.sqrt(levels * (1 - levels)), 0, 1)
    return levels


def written(levels: Float, path: Path, quality: int) -> Path:
    """As a grey JPEG or a 16-bit TIFF."""
    if path.suffix == ".tiff":
        tifffile.imwrite(path, np.rint(levels * 65535).astype(np.uint16), photometric="minisblack")
    else:
        Image.fromarray(np.rint(levels * 255).astype(np.uint8)).save(path, "JPEG", quality=quality)
    return path
