"""A large archive in a running home, made in SQL: `python scripts/make_archive.py HOME [--photos 100000]`.

Vectors of 768 values, tags, facts, 300 ratings, and thumbnails (a few pictures, linked again and again). Start the home
first with `fineshyt up --home HOME`; originals are not there, so nothing is converted or exported from it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from web.database import Connection, connect
from web.derivatives import derivative_path
from web.native.home import Home

DIM = 768
RATED = 300
PICTURES = 60

_PHOTOS = """
INSERT INTO photos (root_id, rel_path, file_size, mtime_ns, status, pixel_hash, derivative_generation, width, height,
    preview_width, preview_height, thumb_width, thumb_height, dominant_color, is_monochrome, technical_score,
    sharpness_score, exposure_score, focus_score, captured_at, camera)
SELECT $1, format('%s/%s/DSC_%s.TIF', 2000 + n % 24, n / 500, n), 100000000, n, 'ready', sha256(n::text::bytea), 1,
    6000, 4000, 1440, 960, 400, 267, 8421504, true, n % 101, (n * 7) % 101, (n * 13) % 101, (n * 31) % 997,
    timestamp '2000-01-01' + n * interval '97 minutes', 'Leica M10 Monochrom'
FROM generate_series(1, $2) n
"""
_DECISIONS = """
INSERT INTO decisions (photo_id, rating, rating_source, rejected, seen_at)
SELECT id, CASE WHEN id % 5 <> 0 THEN 1 + id % 5 END, CASE WHEN id % 5 <> 0 THEN 'person' END, id % 5 = 0, now()
FROM photos WHERE id % $1 = 0
"""
_TAGS = """
INSERT INTO photo_tags (tag, photo_id) SELECT 'tag ' || (id * k) % 211, id FROM photos, generate_series(1, 4) k
ON CONFLICT DO NOTHING
"""


async def make_archive(connection: Connection, photos: int) -> None:
    """An archive whose every photo is ready, embedded and tagged."""
    root = await connection.fetchval(
        "INSERT INTO library_roots (path, source) VALUES ('/photographs', 'person') RETURNING id"
    )
    await connection.execute(_PHOTOS, root, photos)
    await connection.execute(_DECISIONS, max(1, photos // RATED))
    await connection.execute(_TAGS)
    encoder = await connection.fetchval(
        "INSERT INTO encoders (name, dim, status) VALUES ('efficientnet-lite2', $1, 'active') RETURNING id", DIM
    )
    ids = [row["id"] for row in await connection.fetch("SELECT id FROM photos ORDER BY id")]
    random_numbers = np.random.default_rng(1)
    for start in range(0, len(ids), 5000):
        some = ids[start : start + 5000]
        vectors = random_numbers.standard_normal((len(some), DIM)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        records = [(encoder, photo, vector.astype(np.float16)) for photo, vector in zip(some, vectors, strict=True)]
        await connection.copy_records_to_table("embeddings", records=records)
        await connection.execute("SELECT refresh_gallery($1)", some)
    await connection.execute("ANALYZE")


def link_pictures(derivatives: Path, photos: int) -> None:
    """A thumbnail and a preview for every photo, of `PICTURES` that are made once."""
    made = derivatives / "made"
    made.mkdir(parents=True, exist_ok=True)
    random_numbers = np.random.default_rng(3)
    for number in range(PICTURES):
        coarse = Image.fromarray(random_numbers.integers(20, 236, (8, 12), dtype=np.uint8))
        picture = coarse.resize((1440, 960), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(6))
        noise = random_numbers.normal(0, 9, (960, 1440))
        picture = Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
        picture.save(made / f"{number}.jpg", quality=82)
        picture.resize((400, 267), Image.Resampling.LANCZOS).save(made / f"{number}.thumb.jpg", quality=82)
    for photo in range(1, photos + 1):
        for kind, name in (("preview", "jpg"), ("thumb", "thumb.jpg")):
            path = derivative_path(derivatives, photo, 1, kind)  # type: ignore[arg-type]
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(made / f"{photo % PICTURES}.{name}", path)


async def fill(home: Home, photos: int) -> None:
    """Raises SystemExit where nothing runs in the home, or where it holds photographs."""
    running = home.running()
    if running is None:
        raise SystemExit(f"Nothing runs in {home.folder}. Start it first: fineshyt up --home {home.folder} --detach")
    connection = await connect(running.database_url)
    if await connection.fetchval("SELECT EXISTS (SELECT 1 FROM photos)"):
        raise SystemExit(f"{home.folder} holds photographs. Choose an empty home.")
    await connection.execute("UPDATE encoders SET name = name || ' (replaced)', status = 'retired'")
    await make_archive(connection, photos)
    await connection.close()
    link_pictures(home.settings(running).derivatives_dir, photos)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--photos", type=int, default=100_000)
    options = parser.parse_args()
    began = time.monotonic()
    asyncio.run(fill(Home(options.home), options.photos))
    print(f"{options.photos:,} photographs in {time.monotonic() - began:.0f} s")
