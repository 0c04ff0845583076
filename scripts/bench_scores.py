"""From a rating to every score: seconds until the whole archive is scored with what was learnt from it.

`python scripts/bench_scores.py [--photos 10000 100000]`. Starts a fineshyt of its own in a temporary home for each
size, and rates photographs over HTTP as the gallery does. `learning` is `domain.taste.train` alone.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from running_archive import running_archive

from domain import taste
from web.database import connect
from web.native.home import Home

LIMITS_S = {10_000: 1.0, 100_000: 5.0}
RATINGS = 2_000
TIMES = 12
_WITHIN_S = 120.0


def learning() -> float:
    """Seconds for 2,000 ratings of 768 values, the archive's sample at hand."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((RATINGS, 60)) @ rng.standard_normal((60, 768))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    stars = np.digitize(vectors[:, 0], np.quantile(vectors[:, 0], [0.2, 0.4, 0.6, 0.8])) + 1
    took = []
    for _ in range(3):
        start = time.perf_counter()
        taste.train(vectors, stars, np.arange(RATINGS) // 10, look_alike=0.95, archive=vectors[::-1], judged=False)
        took.append(time.perf_counter() - start)
    return min(took)


def press_to_score(photos: int) -> float:
    """Median seconds from the request that rates to the last score."""
    with running_archive(photos) as (home, url):
        took = asyncio.run(_presses(home, url))
    print(f"{photos:,} photographs: {', '.join(f'{t:.2f}' for t in took)} s", file=sys.stderr)
    return statistics.median(took)


async def _presses(home: Home, url: str) -> list[float]:
    running = home.running()
    assert running is not None
    connection = await connect(running.database_url)
    fresh = await connection.fetch("SELECT photo_id FROM gallery WHERE rating IS NULL ORDER BY photo_id LIMIT $1", 99)
    took = []
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        for turn, row in enumerate(fresh[: TIMES + 1]):
            before = await connection.fetchval("SELECT coalesce(max(version), 0) FROM taste_models")
            start = time.perf_counter()
            (
                await client.put(f"/api/photos/{row['photo_id']}/decision", json={"rating": 1 + turn % 5})
            ).raise_for_status()
            scored = "SELECT EXISTS (SELECT FROM taste_models WHERE version > $1 AND scored_at IS NOT NULL)"
            while not await connection.fetchval(scored, before):
                if time.perf_counter() - start > _WITHIN_S:
                    raise TimeoutError("The archive was not scored within two minutes.")
                await asyncio.sleep(0.01)
            took.append(time.perf_counter() - start)
            await asyncio.sleep(0.5)
    await connection.close()
    return took[1:]  # the first one gives every photo its first score


def rows() -> list[dict[str, Any]]:
    found = [{"name": f"learning {RATINGS:,} ratings", "figure": learning(), "limit": 1.0, "unit": "s at most"}]
    return found + [
        {"name": f"a rating to all scores, {n:,}", "figure": press_to_score(n), "limit": limit, "unit": "s at most"}
        for n, limit in LIMITS_S.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, nargs="+", default=list(LIMITS_S))
    print(f"learning: {learning():.2f} s")
    for size in parser.parse_args().photos:
        print(f"{size:,}: {press_to_score(size):.2f} s (median of {TIMES})")
