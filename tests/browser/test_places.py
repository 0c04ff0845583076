"""Projects, bursts and taste, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_ONE_LOOP, Site

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240), IN_ONE_LOOP]


async def test_a_project_is_renamed_and_its_label_deleted_after_the_count_was_shown(imported: Site, page: Page) -> None:
    ids = [photo["id"] for photo in imported.photos()[:3]]
    imported.api("POST", "/api/photos/decisions", json={"ids": ids, "project": "Harbour"})
    await page.goto(f"{imported.url}/projects")
    await expect(page.locator(".project[data-name=Harbour]")).to_contain_text("3 photographs")

    await page.get_by_role("button", name="Rename Harbour").click()
    await page.fill("#answer", "Harbour / night")
    await page.get_by_role("button", name="Rename", exact=True).click()
    await expect(page.locator("h2").filter(has_text="Harbour / night")).to_be_visible()
    await page.get_by_role("button", name="Delete the label Harbour / night").click()
    await expect(page.locator("dialog")).to_contain_text("3 photographs lose the label")
    await page.get_by_role("button", name="Delete the label", exact=True).click()
    label = page.locator(".project[data-name='Harbour / night']")
    await expect(label).to_have_count(0)
    await page.get_by_role("button", name="Undo").last.click()

    await expect(label).to_contain_text("3 photographs")


async def test_two_projects_are_merged(imported: Site, page: Page) -> None:
    photos = imported.photos()
    for name, some in (("One", photos[:2]), ("Two", photos[2:5])):
        imported.api("POST", "/api/photos/decisions", json={"ids": [p["id"] for p in some], "project": name})
    await page.goto(f"{imported.url}/projects")

    await page.get_by_role("button", name="Merge One into another").click()
    await expect(page.locator("dialog")).to_contain_text("2 photographs move there")
    await page.fill("#answer", "Two")
    await page.get_by_role("button", name="Merge", exact=True).click()

    await expect(page.locator(".project[data-name=One]")).to_have_count(0)
    await expect(page.locator(".project[data-name=Two]")).to_contain_text("5 photographs")
    await page.locator(".project[data-name=Two] a").click()
    await expect(page.locator("#counted")).to_have_text("5 photographs")


def _embedded(site: Site) -> bool:
    embed = site.api("GET", "/api/status").json()["stages"]["embed"]
    return embed["due"] + embed["queued"] + embed["running"] == 0 and embed["done"] > 0


async def test_taste_is_learnt_from_the_offer_and_the_threshold_shows_what_matches(imported: Site, page: Page) -> None:
    imported.wait_for("embeddings", lambda: _embedded(imported))
    await page.goto(f"{imported.url}/taste")
    await expect(page.locator("#headline")).to_contain_text("0 ratings so far")
    cards = page.locator("#offer .card")
    await expect(cards.first).to_be_visible()

    await cards.first.focus()
    for key in "51425":
        await page.keyboard.press(key)
    await expect(page.locator("#headline")).to_contain_text("Tentative", timeout=30_000)
    slider = page.get_by_role("slider", name="Match threshold")
    await slider.fill("0")
    await expect(page.locator("#cut")).to_have_text("0")
    await expect(page.locator("#matching")).to_contain_text("would match")

    await expect(page.locator(".toast").last).to_contain_text("MATCH begins at 0")
    imported.api("PUT", "/api/taste/threshold", json={"value": 70})
