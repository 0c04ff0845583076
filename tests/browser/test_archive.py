"""The wall over 100,000 photographs, the server that restarts, and a picture too large for one JPEG."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_ONE_LOOP, Site, command, open_roll
from tests.browser.scrolling import SCROLL
from web.native.ports import free_port

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(400), IN_ONE_LOOP]

PHOTOS = 100_000
SCROLLED_S = 6


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = Path(tmp_path_factory.mktemp("archive"))
    (folder / "library").mkdir()
    started = command(
        folder / "home", "up", "--detach", "--no-browser", f"--port={free_port()}", "--json",
        PHOTO_LIBRARY=str(folder / "library"), FREE_DISK_GB="0", FINESHYT_ENCODER="bundled",
        LLM_BASE_URL="http://127.0.0.1:9/v1/",
    )  # fmt: skip
    state = json.loads(started.splitlines()[-1])
    script = Path(__file__).resolve().parents[2] / "scripts" / "make_archive.py"
    subprocess.run([sys.executable, str(script), str(folder / "home"), f"--photos={PHOTOS}"], check=True, timeout=350)
    yield Site(state["url"], folder / "library", folder / "home", state["pids"])
    command(folder / "home", "down")


async def _opened(archive: Site, page: Page, query: str = "sort=-captured") -> None:
    await page.goto(f"{archive.url}/gallery?{query}")
    await expect(page.locator("#counted")).to_contain_text("photographs")
    await expect(page.locator(".card img").first).to_be_visible()


async def test_scrolling_keeps_its_frames_and_the_dom_its_size(archive: Site, page: Page) -> None:
    await _opened(archive, page)
    before = await page.evaluate("document.getElementById('wall').querySelectorAll('*').length")

    measured: dict[str, Any] = await page.evaluate(SCROLL, SCROLLED_S)

    print(measured)
    assert measured["long"] <= measured["frames"] * 0.01, measured
    assert measured["nodes"] < 2 * before


async def test_every_place_is_reached_although_the_wall_is_higher_than_a_browser_allows(
    archive: Site, page: Page
) -> None:
    await page.set_viewport_size({"width": 390, "height": 700})
    await _opened(archive, page, "sort=name")
    ids = archive.api("GET", "/api/photos/ids?sort=name").json()["ids"]
    height = await page.evaluate("document.querySelector('.canvas').offsetHeight")
    assert height <= 4_000_000

    await page.locator(".card").first.focus()
    await page.keyboard.press("End")
    await expect(page.locator(f".card[data-id='{ids[-1]}']")).to_be_visible()
    box: Any = await page.locator("#scrubber").bounding_box()
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    rank = int(await page.locator("#scrubber").get_attribute("aria-valuenow") or 0)
    assert abs(rank / len(ids) - 0.5) < 0.02
    await page.evaluate("document.getElementById('wall').scrollTop += 900000")
    await page.wait_for_timeout(300)
    await page.evaluate("document.getElementById('wall').scrollTop += 900000")
    await page.wait_for_timeout(300)

    later = int(await page.locator("#scrubber").get_attribute("aria-valuenow") or 0)
    assert later > rank
    await expect(page.locator(f".card[data-id='{ids[later - 1]}']")).to_be_visible()


async def test_a_range_over_the_whole_archive_is_selected_at_once(archive: Site, page: Page) -> None:
    await _opened(archive, page)
    await page.locator(".card").first.focus()

    await page.keyboard.press("Shift+End")

    total = archive.api("GET", "/api/photos").json()["total"]
    await expect(page.locator("#bulk .said")).to_have_text(f"{total:,} selected")


async def test_a_rating_moves_the_whole_archive_and_the_eye_stays(archive: Site, page: Page) -> None:
    await _opened(archive, page, "sort=-preference")
    await page.evaluate("document.getElementById('wall').scrollTop = 5000")
    await page.wait_for_timeout(400)
    card = page.locator(".card").nth(12)
    await card.focus()
    photo = await card.get_attribute("data-id")
    top = (await card.bounding_box() or {})["y"]

    await page.keyboard.press("5")
    archive.wait_for("the new model", lambda: _scored(archive))
    await page.wait_for_timeout(1500)

    again = page.locator(f".card[data-id='{photo}']")
    assert await page.evaluate("document.activeElement.dataset.id") == photo
    assert abs((await again.bounding_box() or {})["y"] - top) < 3


def _scored(archive: Site) -> bool:
    model = archive.api("GET", "/api/status").json()["taste"]["model"]
    return bool(model and model["scored_at"])


@pytest.mark.offline
async def test_the_page_goes_on_when_the_server_was_killed_and_is_back(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    await expect(page.locator("#live")).to_have_text("live")
    pids = json.loads((imported.home / "run.json").read_text())["pids"]

    os.kill(pids["web"], signal.SIGKILL)
    await expect(page.locator("#live")).to_have_text("no connection, trying again")
    await page.locator(".card").nth(4).focus()
    await page.keyboard.press("3")
    await expect(page.locator(".card").nth(4)).to_have_attribute("data-rating", "3")
    await expect(page.locator("#live")).to_have_text("live", timeout=60_000)

    imported.wait_for("the rating", lambda: imported.photos()[4]["user_rating"] == 3)
    imported.api("PUT", f"/api/photos/{imported.photos()[4]['id']}/decision", json={"rating": 1})
    await expect(page.locator(".card").nth(4)).to_have_attribute("data-rating", "1")


async def test_above_fifty_megapixels_only_the_tiles_in_sight_are_loaded(imported: Site, page: Page) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (310, 420), dtype=np.uint8)
    folder = imported.library / "large"
    folder.mkdir()
    Image.fromarray(noise).resize((8400, 6200), Image.Resampling.NEAREST).save(folder / "large.png", compress_level=1)
    imported.api("POST", "/api/imports", json={"path": str(folder), "sample": "all"})
    query = f"/api/photos?folder={folder}"
    imported.wait_for("the picture", lambda: imported.api("GET", query).json()["total"] == 1)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{imported.url}/review?mode=browse&folder={folder}")
    await expect(page.locator("#figure img")).to_be_visible()

    await page.keyboard.press("f")
    await expect(page.locator("#zoom")).to_have_attribute("data-state", "native", timeout=60_000)
    await page.wait_for_timeout(1500)

    tiles = [url for url in asked if "/media/tiles/" in url]
    assert 0 < len(tiles) < 60
    assert not any("/media/render/" in url for url in asked)
