"""Convert against a plain version of the same work, one process each, and the memory it takes.

Plain: Pillow for JPEG, tifffile and Pillow for 16-bit TIFF: full decode, baseline scores, Lanczos previews and
thumbnails, JPEG quality 82; no focus score, no hashes, no metadata. Run it alone: `python scripts/bench_convert.py`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos"
ROUNDS = 3
JPEGS = 8
JPEG_MEGAPIXELS = 24, 42.5
CAP = 10**9


def plain_convert(original: Path, preview: Path, thumb: Path) -> tuple[int, int, int]:
    """What one would write first: decode all, shrink, score."""
    import tifffile
    from PIL import Image, ImageOps

    from domain.quality import baseline_quality

    Image.MAX_IMAGE_PIXELS = None
    if original.suffix == ".tif":
        pixels = tifffile.imread(original)
        image = Image.fromarray((pixels >> 8).astype(np.uint8))
    else:
        image = Image.open(original)
        image.load()
        image = ImageOps.exif_transpose(image)
    small = _fitted(image, 1440)
    small.save(preview, "JPEG", quality=82)
    _fitted(small, 400).save(thumb, "JPEG", quality=82)
    quality = baseline_quality(np.asarray(_fitted(image.convert("L"), 1024)))
    return quality.technical, quality.sharpness, quality.exposure


def _fitted(image: Any, edge: int) -> Any:
    factor = min(1.0, edge / max(image.size))
    return image.resize(tuple(round(s * factor) for s in image.size), 1)  # 1: Lanczos


def ours(original: Path, preview: Path, thumb: Path, *, focus: bool) -> Any:
    from domain.imaging.conversion import convert

    return convert(original, preview_path=preview, thumb_path=thumb, pixel_cap=CAP, want_focus=focus)


def seconds(
    work: Callable[[Path, Path, Path], Any], original: Path, folder: Path, rounds: int = ROUNDS
) -> tuple[float, float]:
    """Best wall and processor time of some rounds, after the file is in the page cache."""
    original.read_bytes()
    wall, processor = [], []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        work(original, folder / "preview.jpg", folder / "thumb.jpg")
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    return min(wall), min(processor)


def ratios(originals: list[Path], folder: Path, *, focus: bool) -> dict[str, float]:
    """Plain over ours, medians over the files: wall time and processor time."""
    plain = [seconds(plain_convert, o, folder) for o in originals]
    fast = [seconds(lambda *paths: ours(*paths, focus=focus), o, folder) for o in originals]
    return {
        "ratio": statistics.median(p[0] / f[0] for p, f in zip(plain, fast, strict=True)),
        "ratio_processor": statistics.median(p[1] / f[1] for p, f in zip(plain, fast, strict=True)),
        "plain_s": statistics.median(p[0] for p in plain),
        "ours_s": statistics.median(f[0] for f in fast),
    }


def photographs() -> list[Path]:
    """JPEGs of 24 to 42 megapixels by their headers, spread over their sizes in bytes."""
    from PIL import Image

    found = []
    for path in PHOTOS.glob("*.jpg"):
        with Image.open(path) as image:
            if JPEG_MEGAPIXELS[0] <= image.width * image.height / 1e6 <= JPEG_MEGAPIXELS[1]:
                found.append(path)
    found.sort(key=lambda p: p.stat().st_size)
    return [found[round(i * (len(found) - 1) / (JPEGS - 1))] for i in range(JPEGS)]


def write_scan(path: Path, megapixels: float, samples: int, source: Path) -> Path:
    """A 16-bit TIFF of a real photograph, written plane by plane."""
    import tifffile
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    width = round((megapixels * 1e6 * 1.5) ** 0.5)
    size = (width, round(width / 1.5))
    image = Image.open(source).convert("RGB" if samples == 3 else "L").resize(size, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).integers(0, 257, size[0] * samples, dtype=np.uint16)
    shape = (size[1], size[0], 3) if samples == 3 else (size[1], size[0])
    out = tifffile.memmap(path, shape=shape, dtype=np.uint16, photometric="rgb" if samples == 3 else "minisblack")
    for top in range(0, size[1], 256):
        band = np.asarray(image.crop((0, top, size[0], min(top + 256, size[1])))).astype(np.uint16)
        rows = band.reshape(len(band), -1) * np.uint16(256) + np.roll(grain, top)[: band[0].size] % 256
        out[top : top + 256] = rows.reshape(band.shape)
    out.flush()
    return path


def _peak(original: Path, folder: Path) -> float:
    from domain.imaging.conversion import preload

    preload()
    ours(original, folder / "p.jpg", folder / "t.jpg", focus=True)
    return _high_water_mb()


def _high_water_mb() -> float:
    """Linux counts the parent's memory in a child's `ru_maxrss`; its status file does not."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def peak_mb(original: Path, folder: Path) -> float:
    """Peak resident memory, in MB, of a fresh process that converts one file with everything imported."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (original, folder))


def rows(folder: Path) -> list[dict[str, Any]]:
    from domain.imaging.conversion import preload

    preload()
    jpegs = photographs()
    grey = write_scan(folder / "grey.tif", 45, 1, jpegs[-1])
    rgb = write_scan(folder / "rgb.tif", 45, 3, jpegs[-1])
    table: list[dict[str, Any]] = [
        {"name": "jpeg_without_focus", "limit": 2.5, **ratios(jpegs, folder, focus=False)},
        {"name": "jpeg_with_focus", "limit": 1.4, **ratios(jpegs, folder, focus=True)},
        {"name": "tiff16_rgb_45mp_with_focus", "limit": 1.3, **ratios([rgb], folder, focus=True)},
        {"name": "tiff16_grey_45mp_with_focus", "limit": 1.5, **ratios([grey], folder, focus=True)},
    ]
    for path in (rgb, grey):
        path.unlink()
    large = write_scan(folder / "large.tif", 100, 3, jpegs[-1])
    table.append({"name": "peak_mb_100mp_tiff16_rgb", "limit": 400, "peak_mb": peak_mb(large, folder)})
    return table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        table = rows(Path(folder))
    if options.json:
        print(json.dumps(table))
        return 0
    for row in table:
        value = row.get("ratio", row.get("peak_mb"))
        more = "".join(f"  {k} {v:.2f}" for k, v in row.items() if k.endswith(("_s", "processor")))
        print(f"{row['name']:32} {value:8.2f}  limit {row['limit']}{more}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.exit(main())
