"""Reachable by everyone, and light to load."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import IN_ONE_LOOP, Site, open_roll

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240), IN_ONE_LOOP]

PAGES = {
    "import": ("/", "#stages tr"),
    "gallery": ("/gallery", ".card img"),
    "empty": ("/gallery?filter=rejected&tag=nothing", "#empty"),
    "failed": ("/gallery?filter=failed", ".failure"),
    "review": ("/review?mode=browse&sort=name", "#figure img"),
    "projects": ("/projects", "#projects, #empty"),
    "bursts": ("/bursts", "#empty, .burst"),
    "taste": ("/taste", "#figures dd"),
    "logs": ("/logs", "#log, #end"),
}
WEIGHT_KB = 150


async def _violations(page: Page) -> str:
    results = await Axe().run(page)
    return results.generate_report() if results.violations_count else ""


async def test_no_page_bars_anyone_by_day_or_by_night(imported: Site, page: Page) -> None:
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for name, (path, there) in PAGES.items():
        await page.goto(imported.url + path)
        await page.locator(there).first.wait_for(state="attached")
        await page.wait_for_timeout(200)
        for scheme in schemes:
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert await _violations(page) == "", f"{name}, {scheme}"


async def test_dialogs_selection_history_zoom_and_comparison_bar_nobody(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    await page.locator(".card").first.focus()
    await page.keyboard.press("m")
    await page.get_by_role("button", name="Narrow").click()
    await page.locator("#facets select").first.wait_for()
    assert await _violations(page) == "", "selection and facets"
    await page.keyboard.press("?")
    assert await _violations(page) == "", "keys"
    await page.keyboard.press("Escape")
    await page.locator("#history").click()
    await page.locator(".history li").first.wait_for()
    assert await _violations(page) == "", "history"

    await page.goto(f"{imported.url}/review?{imported.query(mode='browse')}")
    await page.locator("#figure img").wait_for()
    for key in "oi":
        await page.keyboard.press(key)
    await page.locator("#box .tiles").wait_for()
    assert await _violations(page) == "", "focus and facts"
    await page.keyboard.press("c")
    await page.locator(".pane canvas").first.wait_for()
    assert await _violations(page) == "", "comparison"


async def test_the_pages_are_walked_by_keys_with_a_focus_that_is_seen(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    seen = []
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement === document.body"):
            break  # once round
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        named = "(e => e.id || e.dataset.tab || e.className || e.textContent)(document.activeElement)"
        name = await page.evaluate(named)
        seen.append((name, outline))

    assert all(outline != "none" for _, outline in seen), seen
    assert {"q", "sort", "turn", "narrow", "scrubber"} <= {name for name, _ in seen}
    assert any("card" in name for name, _ in seen)


async def test_the_gallery_weighs_little(imported: Site, context: BrowserContext) -> None:
    page = await context.new_page()
    await page.goto(f"{imported.url}/gallery?tag=nothing+has+this")  # the page, and no photographs
    await expect(page.locator("#empty")).to_be_visible()
    await expect(page.locator("#live")).to_have_text("live")

    weights = await page.evaluate("""() => ["resource", "navigation"]
      .flatMap((kind) => performance.getEntriesByType(kind))
      .filter((entry) => !entry.name.includes("/media/")).map((entry) => [entry.name, entry.encodedBodySize])""")

    assert sum(size for _, size in weights) <= WEIGHT_KB * 1024, sorted(weights, key=lambda w: -w[1])[:8]
    assert all(name.startswith(imported.url) for name, _ in weights)
