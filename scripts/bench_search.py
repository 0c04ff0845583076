"""Search in 1,000,000 vectors: time, recall and the index build. `python scripts/bench_search.py [--photos 1000000]`.

The vectors are a seeded mixture: 2,000 Gaussian clusters of latent dimension 64 (centres N(0, 1), within a cluster
N(0, 0.6²)), laid into 768 dimensions by one random matrix, L2-normalised, half floats. Queries are drawn from the same
mixture and are no photograph's. Every search has one filter: a tab, a camera or a range of ratings that know nothing
of the picture, or a content type that is the cluster's (which holds most neighbours of a query back). Recall is against
every vector of the view.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import aio_pika
import numpy as np
import structlog
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from consumers.text import TextServer
from contracts.settings import Settings
from web import gallery, likeness, search, search_index
from web.database import Connection, connect, create_pool
from web.encoders import active_encoder
from web.gallery_query import GalleryQuery
from web.text_search import NoTextTowerError, TextTower

PHOTOS = 1_000_000
DIM, LATENT, CLUSTERS, SPREAD = 768, 64, 2_000, 0.6
QUERIES = 150
TEXT_ENCODERS = ["ViT-B-32/random", "ViT-L-14/random"]
RECALL_AT = 50
CHUNK = 20_000
TYPES = ["portrait", "street", "family", "landscape", "still_life", "architecture", "abstract", "other"]
CAMERAS = ["M10", "F3", "500C/M", "2.8F", "M6", "AE-1", "67", "7"]
CAMERA_SHARES = [0.4, 0.2, 0.15, 0.1, 0.08, 0.04, 0.02, 0.01]
FILTERS: list[dict[str, Any]] = [
    {"filter": "unrated"}, *({"camera": name} for name in CAMERAS), {"min_rating": 3}, {"max_sharpness": 49},
    *({"type": name} for name in TYPES[:4]),
]  # fmt: skip

_PHOTOS = """
WITH made AS (
    INSERT INTO photos (root_id, rel_path, file_size, mtime_ns, status, derivative_generation, width, height,
        thumb_width, thumb_height, sharpness_score, exposure_score, focus_score, captured_at, camera)
    SELECT $1, format('%s/%s/DSC_%s.TIF', 2000 + n % 24, n / 500, n), 100000000, n, 'ready', 1, 6000, 4000, 400, 267,
        n % 101, (n * 13) % 101, (n * 31) % 997, timestamp '2000-01-01' + n * interval '9 minutes', camera
    FROM unnest($2::bigint[], $3::text[]) AS r (n, camera) RETURNING id
) SELECT array_agg(id ORDER BY id) FROM made
"""
_FACTS = """
INSERT INTO photo_metadata (photo_id, subject, content_type, model, words)
SELECT id, 'A picture', type, 'made', to_tsvector('english', 'picture ' || type || ' number' || id % 5003)
FROM unnest($1::bigint[], $2::text[]) AS r (id, type)
"""
_DECISIONS = """
INSERT INTO decisions (photo_id, rating, rating_source) SELECT id, 1 + id % 5, 'person'
FROM unnest($1::bigint[]) id WHERE id % 4 = 0
"""


class Figures(NamedTuple):
    ms: list[float]
    recall: list[float]


class Mixture:
    """The clusters; the same for every run."""

    def __init__(self) -> None:
        numbers = np.random.default_rng(64)
        self._centres = numbers.standard_normal((CLUSTERS, LATENT)).astype(np.float32)
        self._into = numbers.standard_normal((LATENT, DIM)).astype(np.float32) / np.sqrt(LATENT)

    def draw(self, n: int, seed: int) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
        """n unit vectors (n, 768), and their clusters."""
        numbers = np.random.default_rng(seed)
        clusters = numbers.integers(0, CLUSTERS, n)
        latent = self._centres[clusters] + SPREAD * numbers.standard_normal((n, LATENT)).astype(np.float32)
        vectors = latent @ self._into
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors.astype(np.float16), clusters


async def make_archive(connection: Connection, photos: int, mixture: Mixture) -> None:
    """Photographs with facts, ratings and vectors; a quarter is rated."""
    root = await connection.fetchval("INSERT INTO library_roots (path) VALUES ('/photographs') RETURNING id")
    encoder = await connection.fetchval(
        "INSERT INTO encoders (name, dim, status) VALUES ('efficientnet-lite2', $1, 'active') RETURNING id", DIM
    )
    numbers = np.random.default_rng(8)
    for start in range(0, photos, CHUNK):
        n = min(CHUNK, photos - start)
        cameras = [CAMERAS[i] for i in numbers.choice(len(CAMERAS), n, p=CAMERA_SHARES)]
        ids = await connection.fetchval(_PHOTOS, root, list(range(start, start + n)), cameras)
        vectors, clusters = mixture.draw(n, start)
        await connection.execute(_FACTS, ids, [TYPES[c % len(TYPES)] for c in clusters])
        await connection.execute(_DECISIONS, ids)
        records = [(encoder, photo, vector) for photo, vector in zip(ids, vectors, strict=True)]
        await connection.copy_records_to_table("embeddings", records=records)
        await connection.execute("SELECT refresh_gallery($1)", ids)
    await connection.execute("VACUUM ANALYZE")


async def _nearest(connection: Connection, mixture: Mixture) -> dict[str, Figures]:
    """Milliseconds of every search, and recall against all vectors of its view, by filter."""
    encoder = await active_encoder(connection)
    assert encoder is not None
    vectors, _ = mixture.draw(QUERIES, 10**9)
    figures: dict[str, Figures] = {}
    near = likeness.Likeness()
    started = time.perf_counter()
    await near.nearest(connection, vectors[0], encoder.name, GalleryQuery())
    print(f"  the first search, which reads the codes: {time.perf_counter() - started:.1f} s", file=sys.stderr)
    for n, vector in enumerate(vectors):
        asked = FILTERS[n % len(FILTERS)]
        view = GalleryQuery(**asked)
        started = time.perf_counter()
        found = await near.nearest(connection, vector, encoder.name, view)
        ms = (time.perf_counter() - started) * 1000
        best = await likeness.exact(connection, vector, encoder.id, view, RECALL_AT)
        of_filter = figures.setdefault(" ".join(map(str, *asked.items())), Figures([], []))
        of_filter.ms.append(ms)
        of_filter.recall.append(len(set(found[:RECALL_AT]) & set(best)) / max(1, len(best)))
    for name, f in figures.items():
        print(f"  {name:30} p95 {p95(f.ms):7.1f} ms, recall {np.mean(f.recall):.3f}", file=sys.stderr, flush=True)
    return figures


async def _asked_by_the_gallery(url: str, photos: int) -> list[float]:
    """Milliseconds of "like this one" with a filter, from what stands in the address to the ordered ids of the wall."""
    pool, times, near = await create_pool(url), [], likeness.Likeness()
    async with pool:
        await search.searched(pool, TextTower(), near, GalleryQuery(like="1"))
        for n in range(60):
            query = GalleryQuery(like=str(1 + (n * 7919) % photos), **FILTERS[n % len(FILTERS)])
            started = time.perf_counter()
            view = await search.searched(pool, TextTower(), near, query)
            async with pool.acquire() as connection:
                ids, _ = await gallery.ordered_ids(connection, view)
            times.append((time.perf_counter() - started) * 1000)
            assert len(ids) == likeness.NEAREST
    return times


async def _texts(amqp_url: str, home: Path, encoder: str) -> list[float]:
    """Milliseconds of a query that nobody asked before, through the broker to a warm tower and back."""
    server = TextServer(Settings(FINESHYT_HOME=home, AMQP_URL=amqp_url, CLIP_DEVICE="cpu", FINESHYT_ENCODER=encoder))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        async with await aio_pika.connect(amqp_url) as connection:
            tower, times = TextTower(), []
            await tower.attach(connection)
            await _ready(tower, encoder)
            for n in range(50):
                words = f"{n} people at {['dawn', 'noon', 'night'][n % 3]} beside a harbour, in black and white"
                started = time.perf_counter()
                await tower.encode(words, encoder)
                times.append((time.perf_counter() - started) * 1000)
            return times
    finally:
        server.stop()
        thread.join()


async def _ready(tower: TextTower, encoder: str) -> None:
    """The consumer loads its tower before it takes a query."""
    async with asyncio.timeout(600):
        while True:
            try:
                await tower.encode("a photograph", encoder)
            except NoTextTowerError:
                await asyncio.sleep(1.0)
            else:
                return


async def measure(url: str, amqp_url: str, photos: int, home: Path) -> list[dict[str, Any]]:
    """The rows of the table: name, figure, limit, unit."""
    return [
        *[await _words(amqp_url, home, encoder) for encoder in TEXT_ENCODERS],
        *(await _likeness(url, photos) if photos else []),
    ]


async def _words(amqp_url: str, home: Path, encoder: str) -> dict[str, Any]:
    figure = p95(await _texts(amqp_url, home, encoder))
    name = f"words become a vector of {encoder.partition('/')[0]}, p95"
    return {"name": name, "figure": figure, "limit": 300.0, "unit": "ms at most"}


async def _likeness(url: str, photos: int) -> list[dict[str, Any]]:
    connection, mixture = await connect(url), Mixture()
    if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM photos)"):
        await make_archive(connection, photos, mixture)
    built = await search_index.build(connection, lambda done, total: None)
    size = await connection.fetchval(
        "SELECT pg_total_relation_size(codes::regclass) FROM search_indexes WHERE vectors > 0"
    )
    figures = await _nearest(connection, mixture)
    like = await _asked_by_the_gallery(url, photos)
    await connection.close()
    every = Figures([t for f in figures.values() for t in f.ms], [r for f in figures.values() for r in f.recall])
    of = f"in {photos:,} vectors"
    return [
        {"name": f"nearest with one filter {of}, p95", "figure": p95(every.ms), "limit": 150.0, "unit": "ms at most"},
        {"name": f"recall@{RECALL_AT} {of}", "figure": float(np.mean(every.recall)), "limit": 0.95, "unit": "at least"},
        {"name": f"like this one, to the wall {of}, p95", "figure": p95(like), "limit": 300.0, "unit": "ms at most"},
        {"name": f"index of {photos:,} vectors", "figure": built.seconds / 60, "limit": 25.0, "unit": "min at most"},
        {"name": f"index of {photos:,} vectors", "figure": size / 1e9, "limit": 2.0, "unit": "GB at most"},
    ]


def p95(times: list[float]) -> float:
    return float(np.percentile(times, 95))


def rows(photos: int, folder: Path | None = None) -> list[dict[str, Any]]:
    """Starts servers, measures, stops them. With `folder` the archive is kept, and used again."""
    from tests.servers import PrivateServers

    with tempfile.TemporaryDirectory() as temporary:
        servers = PrivateServers(folder or Path(temporary))
        try:
            servers.start()
            home = Path(temporary) / "home"
            return asyncio.run(measure(servers.database_url, servers.amqp_url, photos, home))
        finally:
            servers.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=PHOTOS, help="0: words alone")
    parser.add_argument("--folder", type=Path, help="keep the archive here for the next run")
    parser.add_argument("--exact-at-most", type=int, default=likeness.EXACT_AT_MOST, help="for a smaller archive")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    likeness.EXACT_AT_MOST = options.exact_at_most
    for row in rows(options.photos, options.folder):
        print(f"{row['name']:55} {row['figure']:10.2f}   {row['limit']:g} {row['unit']}")


if __name__ == "__main__":
    main()
