"""Every figure beside its limit, as a table and as `bench-results/bench.json`: `make bench [PARTS="convert delivery"]`.

Each row is a ratio of two things measured in one run, or a rate beside its limit. Starts servers of its own.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
import uvloop

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]


def convert() -> list[dict[str, Any]]:
    """Convert against a plain version of the same work."""
    import bench_convert

    with tempfile.TemporaryDirectory() as folder:
        rows = bench_convert.rows(Path(folder))
    return [
        {"name": row["name"], "figure": row.get("ratio", row.get("peak_mb")), "limit": row["limit"],
         "unit": "MB at most" if "peak_mb" in row else "times at least"}
        for row in rows
    ]  # fmt: skip


def delivery() -> list[dict[str, Any]]:
    """Registration, relay and writer on servers of their own."""
    import bench_delivery

    from tests.servers import TestServers

    servers = TestServers()
    try:
        url, vhost = servers.database(), servers.vhost()
        return uvloop.run(bench_delivery.measure(url, servers.rabbitmq.amqp_url(vhost)))
    finally:
        servers.stop()


def pipeline() -> list[dict[str, Any]]:
    """End to end against the domain functions in as many processes."""
    import bench_pipeline

    return bench_pipeline.rows(40)


def embed() -> list[dict[str, Any]]:
    """Embedding from previews against the encoder alone."""
    import bench_embed

    with tempfile.TemporaryDirectory() as folder:
        return [row | {"unit": "of the encoder alone at least"} for row in bench_embed.rows(Path(folder))]


def gallery() -> list[dict[str, Any]]:
    """Pages, counts, ids and one rating at 100,000 photographs."""
    import bench_gallery

    return bench_gallery.rows(100_000)


def pages() -> list[dict[str, Any]]:
    """First paint, weight, frames and keys in a real Chromium at 100,000 photographs."""
    import bench_pages

    return bench_pages.rows(100_000)


def taste() -> list[dict[str, Any]]:
    """Rank correlation on themes that were left out, beside the baseline rules on the same splits."""
    import taste_eval

    return taste_eval.rows()


def scores() -> list[dict[str, Any]]:
    """From a rating to the last score at 10,000 and 100,000 photographs, on the native stack."""
    import bench_scores

    return bench_scores.rows()


def search() -> list[dict[str, Any]]:
    """Likeness with a filter at 1,000,000 vectors, its recall, the index build, and words to a vector."""
    import bench_search

    return bench_search.rows(bench_search.PHOTOS)


def focus() -> list[dict[str, Any]]:
    """How often the sharpest frame of a synthetic burst is picked."""
    import bench_focus

    return bench_focus.rows()


def bursts() -> list[dict[str, Any]]:
    """Bursts of 100,000 and 1,000,000 photographs, beside all pairs; what the encoder's threshold merges and holds."""
    import bench_bursts

    return bench_bursts.rows()


PARTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "convert": convert, "delivery": delivery, "pipeline": pipeline, "embed": embed, "gallery": gallery,
    "pages": pages, "taste": taste, "scores": scores, "bursts": bursts, "focus": focus, "search": search,
}  # fmt: skip


def holds(row: dict[str, Any]) -> bool:
    """Whether a figure keeps its limit; the unit says on which side it must lie."""
    return bool(row["figure"] <= row["limit"] if row["unit"].endswith("at most") else row["figure"] >= row["limit"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help=f"of {', '.join(PARTS)}; none: all")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rows: list[dict[str, Any]] = []
    for part in options.parts or PARTS:
        for row in PARTS[part]():
            rows.append({"part": part, **row, "holds": holds(row)})
            mark = "" if holds(row) else "   SHORT"
            print(f"{part:10}{row['name']:50}{row['figure']:12.2f}   {row['limit']:g} {row['unit']}{mark}", flush=True)
    target = ROOT / "bench-results" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"machine": platform.platform(), "rows": rows}, indent=1))
    print(f"written to {target.relative_to(ROOT)}")
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
