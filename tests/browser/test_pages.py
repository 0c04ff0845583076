"""What a photographer does on the pages, in a real browser."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import HOSTILE, PHOTOGRAPHS, Site

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240)]


def _roll(site: Site) -> str:
    return f"{site.url}/gallery?sort=name&folder={quote(str(site.library / 'roll'))}"


async def _imported(site: Site, page: Page) -> None:
    """The roll hangs in the gallery."""
    if site.api("GET", "/api/photos").json()["total"] < PHOTOGRAPHS:
        site.api("POST", "/api/imports", json={"path": str(site.library / "roll"), "sample": "all"})
    await page.goto(_roll(site))
    await expect(page.locator(".card")).to_have_count(PHOTOGRAPHS, timeout=60_000)


async def test_photographs_appear_while_the_work_runs_and_nothing_reloads(site: Site, page: Page) -> None:
    await page.goto(_roll(site))
    await page.evaluate("window.mark = 'same page'")

    site.api("POST", "/api/imports", json={"path": str(site.library / "roll"), "sample": "all"})

    await expect(page.locator(".card img")).to_have_count(PHOTOGRAPHS, timeout=60_000)
    await expect(page.locator("[data-tab=failed] .n")).to_have_text("1", timeout=30_000)
    assert await page.evaluate("window.mark") == "same page"
    names = await page.locator(".card .name").all_text_contents()
    assert names == sorted(names, key=str.lower)


async def test_a_hostile_file_name_is_only_text(site: Site, page: Page) -> None:
    await _imported(site, page)

    await expect(page.locator(".card .name").first).to_have_text(HOSTILE)
    assert await page.title() == "fineshyt: gallery"


async def test_a_key_rates_undo_takes_it_back_and_a_click_survives_a_reload(site: Site, page: Page) -> None:
    await _imported(site, page)
    card = page.locator(".card").nth(2)

    await card.focus()
    await page.keyboard.press("4")
    await expect(card).to_have_attribute("data-rating", "4")
    await expect(page.locator(".toast").first).to_contain_text("★★★★")
    await page.keyboard.press("z")
    await expect(card).to_have_attribute("data-rating", "")
    await card.locator(".stars button").nth(4).click()
    await expect(page.locator(".toast").last).to_contain_text("★★★★★")

    await page.reload()
    await expect(page.locator(".card").nth(2)).to_have_attribute("data-rating", "5")
    await expect(page.locator("[data-tab=rated] .n")).to_have_text("1")


async def test_keys_do_nothing_while_typing_or_with_control(site: Site, page: Page) -> None:
    await _imported(site, page)
    card = page.locator(".card").nth(5)

    await card.focus()
    await page.keyboard.press("Control+3")
    await page.locator("#q").click()
    await page.keyboard.type("3")

    await expect(page.locator("#q")).to_have_value("3")
    await expect(card).to_have_attribute("data-rating", "")


async def test_views_live_in_the_address_and_the_back_button_works(site: Site, page: Page) -> None:
    await _imported(site, page)

    await page.locator("[data-tab=failed]").click()
    await expect(page.locator(".card")).to_have_count(1)
    assert "filter=failed" in page.url
    await page.go_back()
    await expect(page.locator(".card")).to_have_count(PHOTOGRAPHS)
    await page.locator("#turn").click()
    assert "sort=-name" in page.url
    await expect(page.locator(".card .name").last).to_have_text(HOSTILE)


async def test_the_failed_lane_says_why_and_tries_again(site: Site, page: Page) -> None:
    await _imported(site, page)
    await page.goto(f"{site.url}/gallery?filter=failed")

    await expect(page.locator(".failure p").first).to_contain_text("broken.jpg holds text and no picture")
    await page.get_by_role("button", name="Retry", exact=True).click()
    await expect(page.locator(".toast")).to_contain_text("Trying again")


async def test_an_import_is_started_shown_and_counted_on_the_first_page(site: Site, page: Page) -> None:
    await page.goto(site.url)
    await page.locator(".chip").first.wait_for()
    await page.fill("#path", "/nowhere/at/all")
    await page.get_by_role("button", name="Import", exact=True).click()
    await expect(page.locator("#note")).to_contain_text("/nowhere/at/all")

    await page.fill("#path", str(site.library / "second"))
    await page.check("#all")
    await page.get_by_role("button", name="Import", exact=True).click()

    row = page.locator(".import").filter(has_text=str(site.library / "second")).first
    await expect(row).to_have_attribute("data-status", "done", timeout=60_000)
    await expect(row).to_contain_text("3 ready")


async def test_a_stage_is_paused_and_resumed(site: Site, page: Page) -> None:
    await page.goto(site.url)
    row = page.locator("tr[data-stage=bursts]")

    await row.get_by_role("button").click()
    await expect(row).to_contain_text("Paused by you.")
    await row.get_by_role("button", name="resume bursts").click()
    await expect(row).not_to_contain_text("Paused")


async def test_a_dropped_picture_answers_with_a_placard(site: Site, page: Page) -> None:
    from tests.chaos.photographs import make_photographs

    picture = make_photographs(site.library.parent / "dropped", 1, seed=702)[0]
    await page.goto(site.url)

    await page.set_input_files("#file", str(picture))

    await expect(page.locator(".placard h3")).to_have_text(picture.name, timeout=60_000)
    await expect(page.locator(".placard .card-text")).to_contain_text("Test Camera")


async def test_the_log_is_looked_into_and_cleared_after_a_question(site: Site, page: Page) -> None:
    await _imported(site, page)
    await page.goto(f"{site.url}/logs")
    await expect(page.locator(".log li").first).to_be_visible()

    await page.get_by_role("button", name="Clear the log").click()
    await page.get_by_role("button", name="Clear", exact=True).click()

    await expect(page.locator(".toast")).to_contain_text("cleared")


async def test_the_api_pages_open(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/docs")
    await expect(page.locator(".swagger-ui").first).to_be_visible()
