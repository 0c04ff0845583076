"""How fast results become rows and due rows become claims: the writer alone, the relay alone, registration.

`python scripts/bench_delivery.py --database-url postgresql://… --amqp-url amqp://… [--json]`; the database must be
empty and migrated, the broker's virtual host its own. fsync is whatever the server has (ours: on).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aio_pika
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from contracts import topology
from contracts.results import Result, ScannedFile, ScanPayload
from contracts.settings import Settings
from tests.integration.messages import converted, embedded, result
from web import imports, roots
from web.database import Connection, connect
from web.relay.broker import Publisher, declare
from web.relay.dispatch import Dispatcher
from web.reports import ReportBoard
from web.results.batch import apply_batch
from web.results.writer import Writer

FOLDER_FILES = 500
_STATUS = "SELECT status FROM jobs WHERE stage = $1 AND subject_id = $2"


def _exif() -> dict[str, Any]:
    """As many tags as a camera writes."""
    return {f"Exif.Photo.Tag{n:04x}": f"value {n}" for n in range(80)}


async def _register(connection: Connection, settings: Settings, root: Path, photos: int) -> float:
    """Seconds until `photos` paths of one import are rows with due work: the answers of the scan stage, applied."""
    await roots.add_root(connection, str(root))
    await imports.start_import(connection, settings, str(root), sample=None)
    folder = await connection.fetchval("SELECT id FROM import_folders")
    names = [f"day{n:04d}" for n in range(photos // FOLDER_FILES)]
    start = time.perf_counter()
    await apply_batch(
        connection, settings, [result("scan", folder, ScanPayload(folders=names).model_dump(mode="json"))]
    )
    rows = await connection.fetch("SELECT id, rel_path FROM import_folders WHERE id <> $1 ORDER BY id", folder)
    for row in rows:
        files = tuple(
            ScannedFile(rel_path=f"{row['rel_path']}/DSC_{n:05d}.TIF", kind="picture", size=10**8, mtime_ns=n)
            for n in range(FOLDER_FILES)
        )
        answer = result("scan", row["id"], ScanPayload(files=files).model_dump(mode="json"))
        await apply_batch(connection, settings, [answer])
    return time.perf_counter() - start


async def _relay_rate(connection: Connection, settings: Settings, amqp_url: str, claims: int) -> float:
    """Claims a second from due rows to the broker's confirm and the commit."""
    broker = await aio_pika.connect(amqp_url)
    async with broker:
        publisher = await Publisher.open(broker, amqp_url)
        wide = settings.model_copy(update={"dispatch_window": claims})
        dispatcher = Dispatcher(connection, publisher, wide, ReportBoard(), set())
        start = time.perf_counter()
        while (
            await connection.fetchval("SELECT count(*) FROM jobs WHERE stage = 'convert' AND status = 'queued'")
            < claims
        ):
            await dispatcher.run_once()
        seconds = time.perf_counter() - start
        await publisher.purge(topology.CLAIM_QUEUES)
        await publisher.close()
    return claims / seconds


async def _writer_rate(
    connection: Connection, settings: Settings, amqp_url: str, answers: list[Result], done: str
) -> float:
    """Results a second from a full queue to committed rows and acknowledgements, by the real writer."""
    broker = await aio_pika.connect(amqp_url)
    async with broker:
        channel = await broker.channel()
        await declare(channel)
        exchange = await channel.get_exchange(topology.RESULTS, ensure=False)
        for start in range(0, len(answers), 500):
            await asyncio.gather(
                *(
                    exchange.publish(aio_pika.Message(a.to_bytes(), delivery_mode=2), topology.RESULTS_QUEUE)
                    for a in answers[start : start + 500]
                )
            )
        stop = asyncio.Event()
        gc.collect()
        gc.freeze()  # the answers made here are not the writer's to look through
        started = time.perf_counter()
        task = asyncio.create_task(Writer(settings, stop).run())
        # Answers are applied in order; counting all of them again and again would take a core from Postgres.
        last = answers[-1]
        while await connection.fetchval(_STATUS, last.stage, last.subject_id) != "done":  # noqa: ASYNC110 - from outside
            await asyncio.sleep(0.05)
        seconds = time.perf_counter() - started
        assert await connection.fetchval(done) == len(answers)
        stop.set()
        await task
    return len(answers) / seconds


async def measure(
    database_url: str, amqp_url: str, *, photos: int = 100_000, results: int = 10_000
) -> list[dict[str, Any]]:
    """The rows of the table: name, figure, limit, unit."""
    connection = await connect(database_url)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "library"
        root.mkdir()
        (root / "picture.tif").write_bytes(b"x")
        settings = Settings(
            FINESHYT_HOME=Path(folder) / "home", DATABASE_URL=database_url, AMQP_URL=amqp_url, FREE_DISK_GB=0
        )
        registered = await _register(connection, settings, root, photos)
        await connection.execute("ANALYZE")
        relayed = await _relay_rate(connection, settings, amqp_url, min(results * 2, photos))
        ids = [r["id"] for r in await connection.fetch("SELECT id FROM photos ORDER BY id LIMIT $1", results)]
        exif = _exif()
        converts = [
            result(
                "convert", i, converted(f"pixels {i}", exif=exif, camera="Leica M10 Monochrom", focus_tiles=bytes(600))
            )
            for i in ids
        ]
        convert_rate = await _writer_rate(
            connection, settings, amqp_url, converts, "SELECT count(*) FROM photos WHERE status = 'ready'"
        )
        embeds = [result("embed", i, embedded(i, dim=768)) for i in ids]
        embed_rate = await _writer_rate(
            connection,
            settings,
            amqp_url,
            embeds,
            "SELECT count(*) FROM jobs WHERE stage = 'embed' AND status = 'done'",
        )
    await connection.close()
    return [
        {"name": f"{photos} paths registered and due", "figure": registered, "limit": 30.0, "unit": "s at most"},
        {"name": "relay: claims published", "figure": relayed, "limit": 4000.0, "unit": "/s at least"},
        {"name": "writer: convert results", "figure": convert_rate, "limit": 3000.0, "unit": "/s at least"},
        {"name": "writer: embedding results", "figure": embed_rate, "limit": 1500.0, "unit": "/s at least"},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--amqp-url", required=True)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--results", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = uvloop.run(measure(options.database_url, options.amqp_url, photos=options.photos, results=options.results))
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['name']:40} {row['figure']:10.1f}   {row['limit']:g} {row['unit']}")


if __name__ == "__main__":
    main()
