"""The pipeline end to end against the domain functions called directly in as many processes.

End to end: from the request that starts an import until every photograph is ready and has its vector, with `web`,
`web.results` and the consumers `scan`, `convert` and `embed` warmed up. Directly: as many converting processes as the
convert consumer has slots, and one that embeds what they have made, in batches of the same size.
`python scripts/bench_pipeline.py [--photos 40]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import bench_gallery

from contracts.settings import Settings
from web.database import connect

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos"
PIXELS = 24_000_000
ROUNDS = 2
WARM_UP = 6
CAP = 10**9


@cache
def _large(number: int) -> Any:
    """One of the photographs at 24 megapixels."""
    from PIL import Image

    image = Image.open(sorted(PHOTOS.glob("*.jpg"))[number]).convert("RGB")
    factor = (PIXELS / (image.width * image.height)) ** 0.5
    return np.asarray(image.resize((round(image.width * factor), round(image.height * factor))))


def _make(folder: Path, n: int, first: int) -> list[Path]:
    """`n` JPEGs of 24 megapixels, no two alike."""
    from PIL import Image

    folder.mkdir(parents=True)
    made = []
    for number in range(first, first + n):
        picture = _large(number % 4)
        # Rolled by another distance: other pixels, the same work.
        rolled = np.roll(picture, 37 * number, axis=1)
        made.append(folder / f"DSC_{number:05d}.jpg")
        Image.fromarray(rolled).save(made[-1], quality=92)
    return made


def _convert(original: str, preview: str, thumb: str) -> str:
    from domain.imaging.conversion import convert

    convert(Path(original), preview_path=Path(preview), thumb_path=Path(thumb), pixel_cap=CAP, want_focus=True)
    return preview


_ENCODER: Any = None


def _embed(previews: Sequence[str]) -> int:
    global _ENCODER  # noqa: PLW0603 - one network a process, as in the consumer
    from domain import embedding

    if _ENCODER is None:
        settings = Settings()
        _ENCODER = embedding.load("efficientnet-lite2", settings.clip_device, settings.torch_threads, "image")
    return len(_ENCODER.encode_images([_ENCODER.prepare(Path(path)) for path in previews]))


class Direct:
    """The domain functions in processes of their own, kept between the rounds as consumers are."""

    def __init__(self, slots: int, batch: int, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._converters = ProcessPoolExecutor(slots, mp_context=context)
        self._embedder = ProcessPoolExecutor(1, mp_context=context)
        self._batch = batch
        self._folder = folder

    def seconds(self, originals: Sequence[Path]) -> float:
        self._folder.mkdir(exist_ok=True)
        started = time.perf_counter()
        conversions = [
            self._converters.submit(
                _convert, str(o), str(self._folder / f"{o.stem}.jpg"), str(self._folder / f"{o.stem}.thumb.jpg")
            )
            for o in originals
        ]
        waiting: list[str] = []
        embeddings = []
        for conversion in as_completed(conversions):
            waiting.append(conversion.result())
            if len(waiting) == self._batch:
                embeddings.append(self._embedder.submit(_embed, tuple(waiting)))
                waiting.clear()
        if waiting:
            embeddings.append(self._embedder.submit(_embed, tuple(waiting)))
        assert sum(done.result() for done in embeddings) == len(originals)
        return time.perf_counter() - started

    def close(self) -> None:
        self._converters.shutdown()
        self._embedder.shutdown()


async def _import(client: httpx.AsyncClient, connection: Any, folder: Path, total: int) -> float:
    """Seconds from the request until `total` photographs have their vectors."""
    started = time.perf_counter()
    answer = await client.post("/api/imports", json={"path": str(folder), "sample": "all"})
    answer.raise_for_status()
    while await connection.fetchval("SELECT count(*) FROM embeddings") < total:
        if time.perf_counter() - started > 300:
            raise TimeoutError("The import did not end within five minutes.")
        await asyncio.sleep(0.05)
    return time.perf_counter() - started


async def measure(database_url: str, amqp_url: str, *, photos: int = 40) -> list[dict[str, Any]]:
    """The row of the table; the figure is the median of the rounds' ratios."""
    connection = await connect(database_url)
    settings = Settings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = folder / "library"
        warm = _make(library / "warm-up", WARM_UP, 0)
        rounds = [_make(library / f"round-{r}", photos, WARM_UP + r * photos) for r in range(ROUNDS)]
        await connection.execute("INSERT INTO library_roots (path) VALUES ($1)", str(library))
        await connection.execute("UPDATE stages SET person_paused = true WHERE name = 'curate'")
        direct = Direct(os.cpu_count() or 1, settings.embed_batch, folder / "direct")
        stages = ("scan", "convert", "embed")
        with bench_gallery.processes(database_url, amqp_url, folder / "home", *stages) as address:
            async with httpx.AsyncClient(base_url=address, timeout=60) as client:
                await bench_gallery.ready(client)
                await _import(client, connection, library / "warm-up", len(warm))
                direct.seconds(warm)
                ratios, rates = [], []
                for number, originals in enumerate(rounds):
                    alone = direct.seconds(originals)
                    total = len(warm) + (number + 1) * photos
                    through = await _import(client, connection, originals[0].parent, total)
                    ratios.append(alone / through)
                    rates.append(photos / through)
        direct.close()
    await connection.close()
    return [
        {"name": "pipeline end to end, JPEG of 24 MP", "figure": statistics.median(ratios), "limit": 0.85,
         "unit": "of the functions alone at least", "photographs_per_s": statistics.median(rates)}
    ]  # fmt: skip


def rows(photos: int) -> list[dict[str, Any]]:
    """Starts servers, measures, stops them."""
    from tests.servers import TestServers

    servers = TestServers()
    try:
        url, vhost = servers.database(), servers.vhost()
        return asyncio.run(measure(url, servers.rabbitmq.amqp_url(vhost), photos=photos))
    finally:
        servers.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = rows(options.photos)
    if options.json:
        print(json.dumps(table))
        return
    for row in table:
        print(f"{row['name']:40} {row['figure']:.3f}   {row['limit']} {row['unit']}; {row['photographs_per_s']:.2f}/s")


if __name__ == "__main__":
    main()
