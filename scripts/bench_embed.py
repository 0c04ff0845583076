"""Embedding from previews (decode, scale, micro-batches, two slots: the real worker) against the encoder alone.

The encoder alone gets ready tensors. Both run in turns in one process, and the figure is the median of their ratios.
Decoding needs processor time of its own; where network and decoding share all cores, more than `1 / (1/E + 1/D)` images
a second cannot be had (E: the encoder alone, D: decoding alone, both on all cores), whatever the worker does. The row
says which limit binds. Run it alone: `python scripts/bench_embed.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.previews import make_previews

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "data" / "photos"
LIMIT = 0.95
ROUNDS = 3


def rate(n: int, work: Callable[[], object]) -> float:
    """Images a second."""
    started = time.perf_counter()
    work()
    return n / (time.perf_counter() - started)


def _claims(paths: Sequence[Path], encoder: str) -> list[Any]:
    from contracts.claims import ClaimCheck

    return [
        ClaimCheck(
            claim_id=str(uuid.uuid4()), stage="embed", subject_id=n, generation=1, attempt=1, file_path=str(path),
            params={"encoder": encoder},
        )
        for n, path in enumerate(paths)
    ]  # fmt: skip


def _embed_all(worker: Any, claims: Sequence[Any]) -> None:
    """As the runner does it: whichever slot is free takes the next batch."""
    batches = [claims[start : start + worker.batch] for start in range(0, len(claims), worker.batch)]
    with ThreadPoolExecutor(worker.slots) as slots:
        for answers in slots.map(lambda batch: list(worker.run(batch)), batches):
            assert not any(isinstance(outcome, BaseException) for _, outcome in answers)


def compare(encoder_name: str, previews: Sequence[Path], images: int, rounds: int = ROUNDS) -> dict[str, Any]:
    """The row of one encoder."""
    from consumers.embed import Embed
    from contracts.settings import Settings

    paths = [previews[n % len(previews)] for n in range(images)]
    worker = Embed(Settings())
    claims = _claims(paths, encoder_name)
    list(worker.run(claims[: worker.batch]))  # loads and warms up
    encoder = worker._load(encoder_name)
    ready = [
        encoder.to_tensor([encoder.prepare(path) for path in paths[start : start + worker.batch]])
        for start in range(0, images, worker.batch)
    ]
    cores = os.cpu_count() or 1
    ratios, alone, decoding, embedding = [], [], [], []
    with ThreadPoolExecutor(cores) as decoders:
        for _ in range(rounds):
            before = rate(images, lambda: [encoder.encode_tensor(tensor) for tensor in ready])
            embedding.append(rate(images, lambda: _embed_all(worker, claims)))
            after = rate(images, lambda: [encoder.encode_tensor(tensor) for tensor in ready])
            decoding.append(rate(images, lambda: list(decoders.map(encoder.prepare, paths))))
            alone.append((before + after) / 2)
            ratios.append(embedding[-1] / alone[-1])
    worker.close()
    return _row(encoder, ratios, statistics.median(alone), statistics.median(decoding), statistics.median(embedding))


def _row(encoder: Any, ratios: list[float], alone: float, decoding: float, embedding: float) -> dict[str, Any]:
    shared = encoder.device == "cpu"
    attainable = 1 / (1 / alone + 1 / decoding) if shared else min(alone, decoding)
    bound = min(1.0, attainable / alone)
    figure = statistics.median(ratios)
    return {
        "name": f"embed from previews, {encoder.name} on {encoder.device}",
        "figure": figure,
        "limit": LIMIT,
        "unit": "of the encoder alone",
        "ok": figure >= LIMIT * bound,
        "spread": [min(ratios), max(ratios)],
        "embedded_per_s": embedding,
        "encoder_alone_per_s": alone,
        "decoding_alone_per_s": decoding,
        "attainable": bound,
        "binds": "the decoding cores" if bound < LIMIT else "the encoder",
    }


def rows(folder: Path, *, images: int = 192, large_images: int = 16) -> list[dict[str, Any]]:
    previews = make_previews(sorted(PHOTOS.glob("*.jpg")), folder)
    return [
        compare("efficientnet-lite2", previews, images),
        compare("ViT-L-14/random", previews, large_images, rounds=2),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--large-images", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        table = rows(Path(folder), images=options.images, large_images=options.large_images)
    if options.json:
        print(json.dumps(table))
        return 0
    for row in table:
        print(
            f"{row['name']:52} {row['figure']:.3f} ({row['spread'][0]:.3f} to {row['spread'][1]:.3f})  "
            f"limit {row['limit']} {row['unit']}; attainable {row['attainable']:.3f}, {row['binds']} bind; "
            f"{row['embedded_per_s']:.1f}/s, encoder {row['encoder_alone_per_s']:.1f}/s, "
            f"decoding {row['decoding_alone_per_s']:.1f}/s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
