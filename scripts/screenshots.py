"""Pictures of every place at three widths, light and dark: `python scripts/screenshots.py LIBRARY FOLDER`.

Starts a fineshyt of its own, imports all of LIBRARY, rates some of it, and writes `FOLDER/PLACE-WIDTH-SCHEME.webp`.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.async_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser.conftest import command, launched
from web.native.ports import free_port

WIDTHS = {390: 844, 1280: 800, 2560: 1440}
PLACES = {
    "import": "/", "gallery": "/gallery", "review": "/review?mode=browse&sort=-rating", "projects": "/projects",
    "bursts": "/bursts", "duplicates": "/duplicates", "taste": "/taste", "logs": "/logs",
    "failed": "/gallery?filter=failed",
}  # fmt: skip
QUALITY = 82
RATED = 15


def _decide(url: str) -> None:
    """Ratings enough for a model, a project and a pick, always the same ones."""
    with httpx.Client(base_url=url, timeout=60) as client:
        ids = client.get("/api/photos/ids?sort=name").json()["ids"]
        for n, photo in enumerate(ids[:RATED]):
            client.put(f"/api/photos/{photo}/decision", json={"rating": 1 + (n * 7) % 5}).raise_for_status()
        for name, some in (("Harbour", ids[2:8]), ("Night walks", ids[9:14])):
            client.post("/api/photos/decisions", json={"ids": some, "project": name}).raise_for_status()
        client.put(f"/api/photos/{ids[3]}/decision", json={"manual_match": True}).raise_for_status()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            model: Any = client.get("/api/status").json()["taste"]["model"]
            if model and model["n_ratings"] == RATED and model["scored_at"]:
                return
            time.sleep(0.5)
        raise SystemExit("The taste was not learnt within a minute.")


async def _take(url: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    async with launched() as browser:
        for scheme in ("light", "dark"):
            for width, height in WIDTHS.items():
                context = await browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
                )
                page = await context.new_page()
                for name, path in PLACES.items():
                    await page.goto(url + path)
                    await _keep(page, folder / f"{name}-{width}-{scheme}.webp")
                    if name == "review":
                        await page.keyboard.press("w")
                        await _keep(page, folder / f"why-{width}-{scheme}.webp")
                        await page.keyboard.press("Escape")
                        await page.keyboard.press("c")
                        await _keep(page, folder / f"compare-{width}-{scheme}.webp")
                await context.close()


async def _keep(page: Page, path: Path) -> None:
    await page.wait_for_load_state("load")
    await page.wait_for_timeout(1200)
    with Image.open(io.BytesIO(await page.screenshot())) as picture:
        picture.save(path, quality=QUALITY, method=6)


def main(library: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        started = command(
            home, "up", "--detach", "--no-browser", f"--port={free_port()}", "--json",
            PHOTO_LIBRARY=str(library.resolve()), FREE_DISK_GB="0", FINESHYT_ENCODER="bundled",
        )  # fmt: skip
        try:
            command(home, "import", str(library.resolve()), "--sample", "all", "--wait", expected=(0, 3))
            url = json.loads(started.splitlines()[-1])["url"]
            _decide(url)
            asyncio.run(_take(url, folder))
        finally:
            command(home, "down")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
