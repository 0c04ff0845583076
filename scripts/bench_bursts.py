"""Bursts: time and memory at 100,000 and 1,000,000 photographs, beside comparing all pairs; and how the bundled
encoder's threshold holds on real pictures.

`python scripts/bench_bursts.py [--photos 100000 1000000]`. One measurement runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from domain import bursts, embedding, shooting  # noqa: E402
from domain.embedding.encoder import BUNDLED, BUNDLED_BURST_THRESHOLD, CLIP_BURST_THRESHOLD  # noqa: E402

DIM = 768
PAIRS = 8_000
"""Photographs that all pairs are compared of: a million would take 4 TB."""
LIMITS_S = {100_000: 3.0, 1_000_000: 40.0}
LIMIT_GB = 1.0
_CHUNK = 20_000
Array = NDArray[Any]


def make_archive(folder: Path, n: int) -> None:
    """`n` frames in scenes of one to seven, half of them a second apart from the next scene, half half a minute.

    Exposure drifts as an automatic's does, some frames are bracketed, and the tags are those of a real archive.
    """
    rng = np.random.default_rng(0)
    scene = np.repeat(np.arange(n), rng.integers(1, 8, n))[:n]
    new = np.diff(scene, prepend=-1) > 0
    pause_s = np.where(new, np.where(scene % 200 < 100, 30.0, 1.0), 0.3)
    table = np.zeros(n, bursts.INTENT_TABLE)
    table["photo_id"] = np.arange(n) + 1
    table["at_us"] = (np.cumsum(pause_s) * 1e6).astype(np.int64)
    table["body"] = scene // 5_000 % 3
    table["focus"], table["focus_noise"] = rng.uniform(1, 20, n), 0.05
    table["exposure_ev"] = np.round(np.cumsum(rng.choice([-1, 0, 0, 1], n)) / 3, 2)
    table["exposure_s"], table["bias_ev"], table["focal_mm"], table["distance_m"] = 0.01, 0, 35, np.nan
    table["phash"] = rng.integers(0, 2**62, n)[scene] ^ rng.integers(0, 8, n)
    bracketed = scene % 50 == 0
    table["said"] = np.where(bracketed, shooting.BRACKETING, shooting.AUTOMATIC)
    table["bias_ev"][bracketed] = np.arange(n)[bracketed] % 3 - 1
    np.save(folder / "table.npy", table)
    _write_vectors(folder / "features.npy", scene)


def _write_vectors(path: Path, scene: Array) -> None:
    """Frames of one scene at a cosine of about 0.98."""
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype="<f2", shape=(len(scene), DIM))
    for first in range(0, len(scene), _CHUNK):
        part = scene[first : first + _CHUNK]
        of = np.random.default_rng((1, first)).standard_normal((int(part[-1] - part[0]) + 1, DIM), np.float32)
        rows = np.random.default_rng((2, first)).standard_normal((len(part), DIM), np.float32)
        rows *= 0.14
        rows += of[part - part[0]]
        vectors[first : first + len(part)] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    vectors.flush()


def anonymous_kb() -> int:
    """Anonymous memory of this process: mapped files, which the system takes back at will, are not in it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise RuntimeError("This measurement needs Linux: /proc/self/status has no RssAnon.")


class Peak:
    """The highest anonymous memory while it is open, in bytes above what there was before."""

    def __enter__(self) -> Peak:
        self.before, self.highest = anonymous_kb(), 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.highest = max(self.highest, anonymous_kb())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def gigabytes(self) -> float:
        return max(self.highest - self.before, 0) * 1024 / 1e9


def measure(folder: Path) -> dict[str, float]:
    """Seconds and peak anonymous gigabytes of `bursts.find` on the archive in `folder`, from a memory map."""
    table = np.load(folder / "table.npy")
    features = np.load(folder / "features.npy", mmap_mode="r")
    begun = time.perf_counter()
    with Peak() as peak:
        found = bursts.find(table, features, CLIP_BURST_THRESHOLD, 5.0, lambda _: None)
    return {"seconds": time.perf_counter() - begun, "gb": peak.gigabytes, "frames": len(found)}


def in_a_process(folder: Path, what: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--measure", what, str(folder)], capture_output=True, text=True, check=True
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def all_pairs(folder: Path) -> dict[str, float]:
    """The baseline: every photograph with every other, linked when alike and near in time, groups by links."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    table, features = np.load(folder / "table.npy")[:PAIRS], np.load(folder / "features.npy", mmap_mode="r")[:PAIRS]
    begun = time.perf_counter()
    with Peak() as peak:
        vectors = np.asarray(features, np.float32)
        near = np.abs(table["at_us"][:, None] - table["at_us"][None, :]) <= 5_000_000
        linked = (vectors @ vectors.T >= CLIP_BURST_THRESHOLD) & near & (table["body"][:, None] == table["body"])
        connected_components(csr_matrix(linked))
    return {"seconds": time.perf_counter() - begun, "gb": peak.gigabytes}


def ours_on_pairs(folder: Path) -> dict[str, float]:
    """Ours on the photographs of `all_pairs`."""
    table, features = np.load(folder / "table.npy")[:PAIRS], np.load(folder / "features.npy", mmap_mode="r")[:PAIRS]
    begun = time.perf_counter()
    bursts.find(table, features, CLIP_BURST_THRESHOLD, 5.0, lambda _: None)
    return {"seconds": time.perf_counter() - begun, "gb": 0.0}


MEASURES = {"find": measure, "pairs": all_pairs, "ours": ours_on_pairs}


# --- the threshold ------------------------------------------------------------------------------------------------

DATA = ROOT.parent / "shared" / "data"
FRAMES = 4
"""Of each photograph's made burst."""


def different_pictures() -> Array:
    """Cosines of the bundled encoder between pictures of one theme, which are the most alike of different scenes."""
    arrays = np.load(DATA / "taste" / "oasis_half.npz")
    theme, features = arrays["theme"], arrays["features"].astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    alike = [features[theme == name] for name in np.unique(theme)]
    return np.concatenate([(rows @ rows.T)[np.triu_indices(len(rows), 1)] for rows in alike])


def photographs() -> tuple[Array, Array]:
    """Cosines within made bursts of the photographs (the hand moves by up to 2 %, the exposure drifts by a third of a
    stop, sharpness by a pixel), and between photographs that follow each other."""
    from PIL import Image

    encoder = embedding.load(BUNDLED)
    rng = np.random.default_rng(0)
    frames = []
    for path in sorted((DATA / "photos").glob("*.jpg")):
        with Image.open(path) as picture:
            picture.draft("RGB", (1440, 1440))
            picture.thumbnail((1440, 1440))
            frames += [encoder.prepare(_taken_again(picture.convert("RGB"), rng)) for _ in range(FRAMES)]
    vectors = np.concatenate([encoder.encode_images(frames[n : n + 8]) for n in range(0, len(frames), 8)])
    of = vectors.reshape(-1, FRAMES, vectors.shape[1])
    within = np.concatenate([(one @ one.T)[np.triu_indices(FRAMES, 1)] for one in of])
    between = np.einsum("ifd,jgd->ijfg", of, of)[~np.eye(len(of), dtype=bool)].ravel()
    return within, between


def _taken_again(picture: Any, rng: np.random.Generator) -> Array:
    from PIL import ImageFilter

    w, h = picture.size
    left, top = (rng.uniform(0, 0.02) * n for n in (w, h))
    moved = picture.crop((int(left), int(top), int(left + 0.98 * w), int(top + 0.98 * h)))
    pixels = np.asarray(moved.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1))), np.float32)
    exposed: Array = np.clip(pixels * 2 ** rng.uniform(-0.15, 0.15), 0, 255).astype(np.uint8)
    return exposed


def calibration() -> list[dict[str, Any]]:
    """How the bundled encoder's threshold holds; nothing where the test data is absent."""
    if not DATA.is_dir():
        print(f"The threshold is not measured: there is no {DATA}.", file=sys.stderr)
        return []
    within, between = photographs()
    different = np.concatenate([different_pictures(), between])
    merged, held = (100 * float((c >= BUNDLED_BURST_THRESHOLD).mean()) for c in (different, within))
    return [
        {
            "name": f"{len(different):,} pairs of scenes taken for one",
            "figure": merged,
            "limit": 1,
            "unit": "% at most",
        },
        {"name": f"{len(within):,} pairs of a burst held together", "figure": held, "limit": 95, "unit": "% at least"},
    ]


# --- all of it ----------------------------------------------------------------------------------------------------


def rows(sizes: tuple[int, ...] = (100_000, 1_000_000)) -> list[dict[str, Any]]:
    """Figures beside their limits."""
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            folder = Path(name) / str(size)
            folder.mkdir()
            make_archive(folder, size)
            if size == sizes[0]:
                found.append(_beside_all_pairs(folder))
            found += _timed(folder, size)
    return found + calibration()


def _beside_all_pairs(folder: Path) -> dict[str, Any]:
    pairs, ours = in_a_process(folder, "pairs"), in_a_process(folder, "ours")
    ratio = pairs["seconds"] / ours["seconds"]
    name = f"{PAIRS:,} photographs, beside all pairs"
    return {"name": name, "figure": ratio, "limit": 2, "unit": "times quicker at least"}


def _timed(folder: Path, size: int) -> list[dict[str, Any]]:
    measured = in_a_process(folder, "find")
    limit_s = LIMITS_S.get(size, max(LIMITS_S.values()))
    return [
        {"name": f"{size:,} photographs", "figure": measured["seconds"], "limit": limit_s, "unit": "s at most"},
        {"name": f"{size:,} photographs: memory", "figure": measured["gb"], "limit": LIMIT_GB, "unit": "GB at most"},
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(MEASURES[options.measure[0]](Path(options.measure[1]))))
    else:
        for row in rows(tuple(options.photos)):
            print(f"{row['name']:50}{row['figure']:12.3f}   {row['limit']:g} {row['unit']}")
