"""What a photograph costs, measured here, and what that makes of an archive on several machines, computed.

Measured: processor seconds of one core for `convert` by kind of file, photographs a second for `embed` on all cores,
messages a second for the relay and the writer, which are one process each. Computed: hours for `--photos` on
`--machines` with as many cores as this one, each as fast. `python scripts/capacity.py [--json]` takes about five
minutes on a quiet machine; docs/capacity.md has its table.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import bench
import bench_convert
import bench_embed

ENCODERS = {"efficientnet-lite2": 192, "ViT-L-14/random": 16}
"""Encoder and how many previews it is timed with. Random weights cost what trained ones do."""
RAW_MEGAPIXELS = 24
MEGAPIXELS = 45
EFFICIENCY = 0.85
"""Of the cores' time, what the whole pipeline turns into photographs: the limit of `make bench PARTS=pipeline`."""


@dataclass(frozen=True)
class Kind:
    """One kind of original: what `convert` spends on it, and how much it must read."""

    name: str
    megabytes: float
    convert_s: float
    """Processor seconds of one core."""


@dataclass(frozen=True)
class Rates:
    """A second, on this machine as a whole."""

    embedded: dict[str, float]
    relayed: float
    written_convert: float
    written_embed: float


def write_raw(path: Path, megapixels: float, source: Path) -> Path:
    """An uncompressed 14-bit Bayer DNG without an embedded preview: the most that a RAW file can cost."""
    from PIL import Image

    from tests.domain.imaging.documents import write_dng

    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    return write_dng(path, np.asarray(Image.open(source).convert("RGB").resize((round(height * 1.5), height))))


def kinds(folder: Path) -> list[Kind]:
    """Each kind's files are in the page cache while they are timed."""
    from domain.imaging.conversion import preload

    preload()
    jpegs = bench_convert.photographs()
    files: list[tuple[str, Sequence[Path]]] = [
        ("JPEG, 24 to 42 megapixels", jpegs),
        (f"RAW without a preview, {RAW_MEGAPIXELS} megapixels",
         [write_raw(folder / "a.dng", RAW_MEGAPIXELS, jpegs[-1])]),
        (f"grey 16-bit TIFF, {MEGAPIXELS} megapixels",
         [bench_convert.write_scan(folder / "grey.tif", MEGAPIXELS, 1, jpegs[-1])]),
        (f"RGB 16-bit TIFF, {MEGAPIXELS} megapixels",
         [bench_convert.write_scan(folder / "rgb.tif", MEGAPIXELS, 3, jpegs[-1])]),
    ]  # fmt: skip
    return [_kind(name, paths, folder) for name, paths in files]


def _kind(name: str, paths: Sequence[Path], folder: Path) -> Kind:
    def convert(*places: Path) -> Any:
        return bench_convert.ours(*places, focus=True)

    spent = [bench_convert.seconds(convert, path, folder)[1] for path in paths]
    return Kind(name, statistics.mean(path.stat().st_size for path in paths) / 1e6, statistics.mean(spent))


def rates(folder: Path) -> Rates:
    previews = bench_embed.make_previews(sorted(bench_embed.PHOTOS.glob("*.jpg")), folder)
    embedded = {name: bench_embed.compare(name, previews, n)["embedded_per_s"] for name, n in ENCODERS.items()}
    figures = {row["name"]: float(row["figure"]) for row in bench.delivery()}
    return Rates(
        embedded,
        figures["relay: claims published"],
        figures["writer: convert results"],
        figures["writer: embedding results"],
    )


def hours(kind: Kind, encoder: str, rate: Rates, photos: int, machines: int, cores: int) -> float:
    """Convert and embed share the cores; the relay and the writer are one each, beside them.

    `max(cores' work, relay's, writer's)`: the three go on at the same time.
    """
    spent = kind.convert_s + cores / rate.embedded[encoder]
    working = spent / (machines * cores * EFFICIENCY)
    relayed = 2 / rate.relayed
    written = 1 / rate.written_convert + 1 / rate.written_embed
    return photos * max(working, relayed, written) / 3600


def network_mb(kind: Kind, photos: int, taken_h: float) -> float:
    """Megabytes a second that the shared disk must deliver, so that it does not hold the machines up."""
    return photos * kind.megabytes / (taken_h * 3600)


def table(
    measured: Sequence[Kind], rate: Rates, photos: int, machines: Sequence[int], cores: int
) -> list[dict[str, Any]]:
    found = []
    for kind in measured:
        for encoder in rate.embedded:
            taken = {n: hours(kind, encoder, rate, photos, n, cores) for n in machines}
            disk = {n: network_mb(kind, photos, h) for n, h in taken.items()}
            found.append({"kind": kind.name, "encoder": encoder, "hours": taken, "mb_per_s": disk})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--machines", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        measured, rate = kinds(Path(folder)), rates(Path(folder))
    computed = table(measured, rate, options.photos, options.machines, cores)
    if options.json:
        print(json.dumps({"cores": cores, "kinds": [asdict(k) for k in measured], "rates": asdict(rate),
                          "photos": options.photos, "computed": computed}, indent=1))  # fmt: skip
        return
    print(f"measured on {cores} cores")
    for kind in measured:
        print(f"  convert  {kind.name:40} {kind.convert_s:6.2f} processor seconds, {kind.megabytes:6.1f} MB read")
    for name, value in rate.embedded.items():
        print(f"  embed    {name:40} {value:6.1f}/s")
    print(f"  relay {rate.relayed:.0f}/s, writer {rate.written_convert:.0f} convert, {rate.written_embed:.0f} embed")
    print(f"computed: hours for {options.photos:,} photographs (MB/s from the shared disk)")
    for row in computed:
        cells = "  ".join(f"{n}: {row['hours'][n]:8.1f} ({row['mb_per_s'][n]:5.0f})" for n in options.machines)
        print(f"  {row['kind']:42}{row['encoder']:20} {cells}")


if __name__ == "__main__":
    main()
