"""What `/taste` tells and why a photograph has its score, learnt by the running stack from ratings given here."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_ONE_LOOP, PHOTOGRAPHS, Site

# The first test here may be the one that starts everything, encoder included.
pytestmark = [pytest.mark.browser, IN_ONE_LOOP, pytest.mark.timeout(240)]
STARS = [5, 1, 4, 2, 5, 1, 3, 4, 2]


@pytest.fixture
def learnt(imported: Site) -> Site:
    """All of the roll but three photographs is rated, and nothing else; that is learnt and scored."""
    rated = [photo["id"] for photo in imported.api("GET", "/api/photos?filter=rated&limit=200").json()["items"]]
    if rated:
        imported.api("POST", "/api/photos/decisions", json={"ids": rated, "rating": None}).raise_for_status()
    ids = [photo["id"] for photo in imported.photos()]

    def vectors() -> int:
        done: int = imported.api("GET", "/api/status").json()["stages"]["embed"]["done"]
        return done

    imported.wait_for("vectors", lambda: vectors() >= len(ids))
    for photo, stars in zip(ids, STARS, strict=False):
        imported.api("PUT", f"/api/photos/{photo}/decision", json={"rating": stars}).raise_for_status()

    def scored() -> bool:
        state = imported.api("GET", "/api/status").json()
        model = state["taste"]["model"]
        learning = sum(state["stages"]["taste"][kind] for kind in ("due", "queued", "running"))
        return bool(not learning and model and model["scored_at"])

    imported.wait_for("the scores", scored)
    return imported


async def test_taste_tells_what_it_learnt_and_that_it_is_tentative(page: Page, learnt: Site) -> None:
    await page.goto(f"{learnt.url}/taste")

    await expect(page.locator("#headline")).to_contain_text("Tentative: ")
    await expect(page.locator("#figures")).to_contain_text("tentative")
    await expect(page.locator("body")).to_have_attribute("data-taste", "tentative")
    offer = page.locator("#offer .card")
    await expect(offer.first).to_be_visible()
    await expect(page.locator("#most .card").first).to_be_visible()
    await expect(page.locator("#precision")).to_contain_text("judged by models that did not know them")
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def test_one_offer_in_five_says_that_it_is_random(page: Page, learnt: Site) -> None:
    async with page.expect_response(re.compile("/api/taste/next")) as answer:
        await page.goto(f"{learnt.url}/taste")
    offered = await (await answer.value).json()
    await expect(page.locator("#offer .card", has_text="Drawn at random")).to_have_count(len(offered["random"]))


async def test_a_score_says_why_and_its_parts_add_up(page: Page, learnt: Site) -> None:
    fresh = learnt.photos()[PHOTOGRAPHS - 1]["id"]
    await page.goto(f"{learnt.url}/review?{learnt.query(mode='browse', photo=fresh)}")
    await expect(page.locator("#score")).to_be_visible()

    await page.keyboard.press("w")

    dialog = page.locator("#dialog")
    await expect(dialog.get_by_role("heading")).to_contain_text("of 100")
    points = await dialog.locator("tbody .points").all_inner_texts()
    total = await dialog.locator("tfoot .points").inner_text()
    said = [float(text.replace("−", "-")) for text in points]
    assert abs(sum(said) - float(total.replace("−", "-"))) < 0.05 * (len(said) + 1)
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    await page.keyboard.press("Escape")
    await page.locator("#score").click()
    await expect(dialog).to_be_visible()
