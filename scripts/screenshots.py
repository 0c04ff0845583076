"""Pictures of every place at three widths, light and dark: `python scripts/screenshots.py LIBRARY FOLDER GUIDES`.

Makes a folder of photographs from those of LIBRARY, starts a fineshyt of its own, and spends an evening with it:
imports, rates what is offered, picks, rejects, files. Writes `FOLDER/PLACE-WIDTH-SCHEME.webp`, and for the guides
`GUIDES/NAME.webp`.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageStat
from playwright.async_api import Browser, Page, expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.screenshot_library import make_library
from tests.browser.conftest import command, launched
from web.native.ports import free_port

WIDTHS = {390: 844, 1280: 800, 2560: 1440}
SCHEMES = ("light", "dark")
PLACES = {
    "import": "/", "gallery": "/gallery", "failed": "/gallery?filter=failed",
    "review": "/review?mode=browse&sort=-rating", "projects": "/projects", "bursts": "/bursts",
    "duplicates": "/duplicates", "taste": "/taste", "logs": "/logs",
}  # fmt: skip
QUALITY = 74
ROUNDS, OFFERED = 3, 10
_SETTLED_MS = 1200


class Evening:
    """The running fineshyt, and what a person does with it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.client = httpx.Client(base_url=url, timeout=60)
        self.stars: dict[int, int] = {}

    def ask(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def wait_for(self, what: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 300) -> None:
        """Until `holds` is true of the status. Raises SystemExit."""
        deadline = time.monotonic() + seconds
        while not holds(self.ask("/api/status")):
            if time.monotonic() > deadline:
                raise SystemExit(f"{what} did not come within {seconds:g} s.")
            time.sleep(0.3)

    def wait_until_imported(self) -> None:
        self.wait_for("The end of the import", lambda status: _at_rest(status) and status["photos"]["ready"] > 0)

    def like_contrast(self) -> None:
        """The person's taste: the more contrast in a photograph, the more stars; the same share of each."""
        items = self.ask("/api/photos?sort=name&limit=500")["items"]
        contrast = {item["id"]: self._contrast(item["thumb_url"]) for item in items}
        order = sorted(contrast, key=lambda photo: contrast[photo])
        self.stars = {photo: 1 + 5 * rank // len(order) for rank, photo in enumerate(order)}

    def _contrast(self, thumb: str) -> float:
        with Image.open(io.BytesIO(self.client.get(thumb).raise_for_status().content)) as picture:
            return float(ImageStat.Stat(picture.convert("L")).stddev[0])

    def rate_what_is_offered(self) -> None:
        offered = self.ask(f"/api/taste/next?size={OFFERED}")["items"]
        for item in offered:
            self.decide([item["id"]], rating=self.stars[item["id"]])
        self.wait_for("The taste", _is_learnt)

    def decide(self, ids: list[int], **change: Any) -> None:
        self.client.post("/api/photos/decisions", json={"ids": ids, **change}).raise_for_status()

    def file(self) -> None:
        """Picks, rejects, projects and tags."""
        kept = [item["id"] for item in self.ask("/api/photos?filter=rated&sort=-rating&limit=100")["items"]]
        self.decide(kept[1:3], manual_match=True)
        self.decide(kept[:5], project="Harbour")
        self.decide(kept[6:11], project="Night walks")
        self.decide(
            [item["id"] for item in self.ask("/api/photos?q=sheet&sort=preference&limit=2")["items"]], rejected=True
        )
        self.decide(kept[:4], tags_add=["harbour", "dusk"])
        self.wait_for("The taste", _is_learnt)


def _at_rest(status: dict[str, Any]) -> bool:
    busy = any(s["due"] + s["queued"] + s["running"] for s in status["stages"].values() if not s["paused"])
    return not busy and all(one["status"] not in ("scanning", "running") for one in status["imports"])


def _is_learnt(status: dict[str, Any]) -> bool:
    model = status["taste"]["model"]
    known = model and model["n_ratings"] == status["taste"]["ratings"] and model["scored_at"]
    return bool(known) and _at_rest(status)


@contextmanager
def running(library: Path) -> Iterator[Evening]:
    """A fineshyt of its own beside a folder made from `library`."""
    with tempfile.TemporaryDirectory(prefix="anna-") as temporary:
        home, pictures = Path(temporary) / "home", Path(temporary) / "Pictures"
        make_library(library, pictures)
        started = command(
            home, "up", "--detach", "--no-browser", f"--port={free_port()}", "--json",
            PHOTO_LIBRARY=str(pictures), FREE_DISK_GB="0", FINESHYT_ENCODER="bundled",
        )  # fmt: skip
        try:
            yield Evening(json.loads(started.splitlines()[-1])["url"], pictures)
        finally:
            command(home, "down")


# --- pictures ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def seen(browser: Browser, width: int, scheme: Any) -> AsyncIterator[Page]:
    viewport: Any = {"width": width, "height": WIDTHS[width]}
    context = await browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
    yield await context.new_page()
    await context.close()


async def keep(page: Page, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    await page.wait_for_load_state("load")
    await page.wait_for_timeout(_SETTLED_MS)
    with Image.open(io.BytesIO(await page.screenshot())) as picture:
        picture.save(path, quality=QUALITY, method=6)


async def spend(evening: Evening, browser: Browser, guides: Path) -> None:
    """The evening, with a picture of each of its steps."""
    async with seen(browser, 1280, "light") as page:
        await page.goto(evening.url)
        await page.fill("#path", str(evening.folder))
        await page.check("#all")
        await page.get_by_role("button", name="Import", exact=True).click()
        evening.wait_for("The first photographs", lambda status: status["photos"].get("ready", 0) >= 20)
        await keep(page, guides / "import.webp")
        evening.wait_until_imported()
        await page.set_input_files("#file", sorted((evening.folder / "2024").glob("*.jpg"))[5])
        await expect(page.locator(".placard img")).to_be_visible(timeout=60_000)
        await page.locator("#drop").scroll_into_view_if_needed()
        await keep(page, guides / "placard.webp")
        evening.like_contrast()
        evening.rate_what_is_offered()
        await page.goto(f"{evening.url}/taste")
        await expect(page.locator("#offer .card img").first).to_be_visible()
        await page.keyboard.press("ArrowRight")
        await keep(page, guides / "rate-next.webp")
        for _ in range(ROUNDS - 1):
            evening.rate_what_is_offered()
        evening.file()
        await page.goto(f"{evening.url}/review?mode=cull")
        await keep(page, guides / "cull.webp")
        await page.goto(f"{evening.url}/bursts")
        await page.get_by_role("button", name="Keep the best of every burst…").click()
        await keep(page, guides / "keep-best.webp")


async def hang(evening: Evening, browser: Browser, folder: Path) -> None:
    """Every place, at every width, light and dark."""
    best = evening.ask("/api/photos?sort=-preference&limit=1")["items"][0]["id"]
    places = PLACES | {"search": f"/gallery?like={best}&toward=sharper"}
    for scheme in SCHEMES:
        for width in WIDTHS:
            async with seen(browser, width, scheme) as page:
                for name, path in places.items():
                    await page.goto(evening.url + path)
                    await keep(page, folder / f"{name}-{width}-{scheme}.webp")
                await page.goto(evening.url + PLACES["review"])
                await page.wait_for_timeout(_SETTLED_MS)
                await page.keyboard.press("w")
                await keep(page, folder / f"why-{width}-{scheme}.webp")
                await page.keyboard.press("Escape")
                await page.keyboard.press("c")
                await keep(page, folder / f"compare-{width}-{scheme}.webp")


async def take(evening: Evening, folder: Path, guides: Path) -> None:
    async with launched() as browser:
        await spend(evening, browser, guides)
        await hang(evening, browser, folder)


def main(library: Path, folder: Path, guides: Path) -> None:
    with running(library.resolve()) as evening:
        asyncio.run(take(evening, folder, guides))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*map(Path, sys.argv[1:]))
