"""The pages over 100,000 photographs in a real Chromium: first paint, weight, frames while scrolling, key to screen.

`python scripts/bench_pages.py [--photos 100000]`. Starts a fineshyt of its own in a temporary home.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from running_archive import running_archive

from tests.browser.conftest import launched
from tests.browser.scrolling import SCROLL

LOADS = 9
SCROLLED_S = 10

_PAINT = """performance.getEntriesByName("first-contentful-paint")[0].startTime"""
_WEIGHT = """["resource", "navigation"].flatMap((kind) => performance.getEntriesByType(kind))
  .filter((entry) => !entry.name.includes("/media/")).reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
_KEY = """async (code) => {
  const begun = performance.now();
  const key = { code, key: code.slice(-1), bubbles: true };
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", key));
  await new Promise(requestAnimationFrame);
  await new Promise((done) => {  // after the frame is painted
    const channel = new MessageChannel();
    channel.port1.onmessage = done;
    channel.port2.postMessage(0);
  });
  return performance.now() - begun;
}"""


async def _measure(url: str) -> dict[str, float]:
    async with launched() as browser:
        paints = []
        for _ in range(LOADS):  # each in a browser that has nothing of it
            context = await browser.new_context(viewport={"width": 1280, "height": 800})
            page = await context.new_page()
            await _open(page, url)
            paints.append(await page.evaluate(_PAINT))
            await context.close()
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(f"{url}/gallery?tag=nothing+has+this")  # the page, and no photographs
        await page.locator("#empty").wait_for()
        weight = await page.evaluate(_WEIGHT)
        await context.close()
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        await _open(page, url)
        scrolled: dict[str, Any] = await page.evaluate(SCROLL, SCROLLED_S)
        await page.locator(".card").first.focus()
        keys = [await page.evaluate(_KEY, f"Digit{1 + n % 5}") for n in range(40)]
    return {
        "paint": statistics.median(paints), "weight": weight / 1024, "fps": scrolled["fps"],
        "long": 100 * scrolled["long"] / scrolled["frames"], "key": sorted(keys)[int(len(keys) * 0.95)],
    }  # fmt: skip


async def _open(page: Page, url: str) -> None:
    await page.goto(f"{url}/gallery")
    await page.locator(".card img").first.wait_for()


def rows(photos: int) -> list[dict[str, Any]]:
    with running_archive(photos) as (_, url):
        found = asyncio.run(_measure(url))
    return [
        {"name": "gallery: first contentful paint", "figure": found["paint"], "limit": 500, "unit": "ms at most"},
        {"name": "gallery: weight without pictures", "figure": found["weight"], "limit": 150, "unit": "kB at most"},
        {"name": "scrolling: frames a second", "figure": found["fps"], "limit": 55, "unit": "at least"},
        {"name": "scrolling: tasks over 50 ms, of frames", "figure": found["long"], "limit": 1, "unit": "% at most"},
        {"name": "a key to the screen, p95", "figure": found["key"], "limit": 50, "unit": "ms at most"},
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000)
    for row in rows(parser.parse_args().photos):
        print(f"{row['name']:50} {row['figure']:10.1f}   {row['limit']:g} {row['unit']}")
