"""The gallery at 100,000 photographs: pages, tab counts and ordered ids over HTTP, and one rating that re-scores all.

Real processes (`web`, `web.results`, `consumers taste`) on servers of their own; the archive is made in SQL: vectors of
768 values, tags, facts and 300 ratings. `python scripts/bench_gallery.py [--photos 100000]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from make_archive import make_archive

from web.database import Connection, connect

REQUESTS = 200
DEEPEST = 25
"""Pages that are turned one after the other from a random beginning of a view."""
VIEWS = [
    {"filter": tab, "sort": sort}
    for tab in ("all", "match", "unrated", "rated", "rejected")
    for sort in ("-preference", "-captured", "name", "-focus", "rating")
]


@contextmanager
def processes(url: str, amqp: str, home: Path, *stages: str) -> Iterator[str]:
    """The web process, the results process and a consumer of each stage; yields the address of the web."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "FINESHYT_HOME": str(home), "DATABASE_URL": url, "AMQP_URL": amqp, "FREE_DISK_GB": "0",
        "FINESHYT_PORT": str(port), "FINESHYT_ENCODER": "bundled", "LOG_LEVEL": "warning",
    }  # fmt: skip
    started = [
        subprocess.Popen([sys.executable, "-m", *command], env=environment, start_new_session=True)
        for command in (("web",), ("web.results",), *(("consumers", stage) for stage in stages))
    ]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def p95(times: list[float]) -> float:
    """Milliseconds that 95 of 100 requests keep."""
    return float(np.percentile(times, 95)) * 1000


class Visitor:
    """Somebody who leafs through the gallery; every answer is timed."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._random = random.Random(7)

    async def timed(self, path: str, **params: Any) -> tuple[float, Any]:
        started = time.perf_counter()
        answer = await self._client.get(path, params=params)
        seconds = time.perf_counter() - started
        answer.raise_for_status()
        return seconds, answer.json()

    async def first_pages(self, n: int) -> list[float]:
        return [(await self.timed("/api/photos"))[0] for _ in range(n)]

    async def any_pages(self, n: int) -> list[float]:
        """Pages of every view, each begun somewhere and followed for a while."""
        times: list[float] = []
        while len(times) < n:
            view, cursor = self._random.choice(VIEWS), None
            for _ in range(self._random.randint(1, DEEPEST)):
                more = {"cursor": cursor} if cursor else {}
                seconds, answer = await self.timed("/api/photos", **view, **more)
                times.append(seconds)
                cursor = answer["next_cursor"]
                if cursor is None:
                    break
        return times

    async def counts(self, n: int) -> list[float]:
        return [(await self.timed("/api/status"))[0] for _ in range(n)]

    async def facets(self, n: int) -> list[float]:
        views: list[dict[str, Any]] = [{}, {"filter": "unrated"}, {"filter": "match"}, {"tag": "tag 7"}]
        return [(await self.timed("/api/facets", **views[i % len(views)]))[0] for i in range(n)]

    async def ordered_ids(self, n: int) -> list[float]:
        return [(await self.timed("/api/photos/ids"))[0] for _ in range(n)]


async def _rescored(connection: Connection, client: httpx.AsyncClient, photo: int, stars: int) -> float:
    """Seconds from the key press to the last score: trained anew, and every photo scored with the new model."""
    before = await connection.fetchval("SELECT coalesce(max(version), 0) FROM taste_models")
    started = time.perf_counter()
    answer = await client.put(f"/api/photos/{photo}/decision", json={"rating": stars})
    answer.raise_for_status()
    while not await connection.fetchval(
        "SELECT count(*) FROM taste_models WHERE version > $1 AND scored_at IS NOT NULL", before
    ):
        if time.perf_counter() - started > 120:
            raise TimeoutError("The archive was not scored within two minutes.")
        await asyncio.sleep(0.02)
    return time.perf_counter() - started


async def measure(database_url: str, amqp_url: str, *, photos: int = 100_000) -> list[dict[str, Any]]:
    """The rows of the table: name, figure, limit, unit."""
    connection = await connect(database_url)
    await make_archive(connection, photos)
    with tempfile.TemporaryDirectory() as home, processes(database_url, amqp_url, Path(home), "taste") as address:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            await ready(client)
            visitor = Visitor(client)
            unrated = [r["id"] for r in await connection.fetch("SELECT id FROM photos WHERE id % 7 = 3 LIMIT 20")]
            await _rescored(connection, client, unrated[0], 4)  # the first model: every score changes
            await connection.execute("VACUUM ANALYZE gallery")
            quiet = {
                "first page": p95(await visitor.first_pages(REQUESTS)),
                "any page": p95(await visitor.any_pages(REQUESTS * 2)),
                "all tab counts": p95(await visitor.counts(REQUESTS)),
            }
            ids = p95(await visitor.ordered_ids(30))
            facets = p95(await visitor.facets(40))
            seconds = [await _rescored(connection, client, photo, 1 + n % 5) for n, photo in enumerate(unrated[1:4])]
            busy: dict[str, list[float]] = {"first page": [], "any page": [], "all tab counts": []}
            for n, photo in enumerate(unrated[4:8]):
                rating = asyncio.create_task(_rescored(connection, client, photo, 1 + n % 5))
                while not rating.done():
                    busy["first page"] += await visitor.first_pages(2)
                    busy["any page"] += await visitor.any_pages(4)
                    busy["all tab counts"] += await visitor.counts(2)
                await rating
    await connection.close()
    return [
        {"name": f"a rating re-scores {photos} photographs", "figure": max(seconds), "limit": 5.0, "unit": "s at most"},
        *({"name": f"{name}, p95", "figure": ms, "limit": 50.0, "unit": "ms at most"} for name, ms in quiet.items()),
        *(
            {"name": f"{name} while re-scoring, p95", "figure": p95(times), "limit": 50.0, "unit": "ms at most"}
            for name, times in busy.items()
        ),
        {"name": "ordered ids, p95", "figure": ids, "limit": 150.0, "unit": "ms at most"},
        {"name": "facets of a view, p95", "figure": facets, "limit": 400.0, "unit": "ms at most"},
    ]


async def ready(client: httpx.AsyncClient) -> None:
    """Waits for the web process."""
    for _ in range(300):
        try:
            if (await client.get("/api/status")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise TimeoutError("The web process did not answer within 30 seconds.")


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
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    table = rows(options.photos)
    if options.json:
        print(json.dumps(table))
        return
    for row in table:
        print(f"{row['name']:50} {row['figure']:10.1f}   {row['limit']:g} {row['unit']}")


if __name__ == "__main__":
    main()
