"""The first page, the failed lane and the log, in a real browser."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import HOSTILE, IN_ONE_LOOP, PHOTOGRAPHS, Site, open_roll
from tests.chaos.photographs import make_photographs

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240), IN_ONE_LOOP]


async def test_photographs_appear_while_the_work_runs_and_nothing_reloads(site: Site, page: Page) -> None:
    make_photographs(site.library / "arriving", PHOTOGRAPHS, seed=710)
    await page.goto(f"{site.url}/gallery?sort=name&folder={site.library / 'arriving'}")
    await expect(page.locator("#empty")).to_be_visible()
    await page.evaluate("window.mark = 'same page'")

    site.api("POST", "/api/imports", json={"path": str(site.library / "arriving"), "sample": "all"})

    await expect(page.locator("#counted")).to_have_text(f"{PHOTOGRAPHS} photographs", timeout=60_000)
    await expect(page.locator(".card img").first).to_be_visible()
    assert await page.evaluate("window.mark") == "same page"


async def test_a_hostile_file_name_is_only_text(imported: Site, page: Page) -> None:
    await open_roll(imported, page)

    await expect(page.locator(".card .name").first).to_have_text(HOSTILE)
    assert await page.title() == "Gallery · fineshyt"


async def test_the_failed_lane_says_why_and_tries_again(imported: Site, page: Page) -> None:
    await page.goto(f"{imported.url}/gallery?filter=failed")

    await expect(page.locator(".failure p").first).to_contain_text("broken.jpg holds text and no picture")
    await page.get_by_role("button", name="Retry broken.jpg").click()
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


async def test_an_import_is_stopped_after_its_counts_were_shown(imported: Site, page: Page) -> None:
    make_photographs(imported.library / "stopped", 5, seed=711)
    imported.api("POST", "/api/stages/convert/pause")
    imported.api("POST", "/api/imports", json={"path": str(imported.library / "stopped"), "sample": "all"})
    await page.goto(imported.url)
    row = page.locator(".import").filter(has_text=str(imported.library / "stopped"))
    await expect(row).to_contain_text("5 waiting")

    await row.get_by_role("button", name="Stop importing").click()
    await expect(page.locator("dialog")).to_contain_text("5 that wait are forgotten")
    await page.get_by_role("button", name="Stop", exact=True).click()

    await expect(row).to_have_attribute("data-status", "stopped")
    imported.api("POST", "/api/stages/convert/resume")


async def test_everything_that_failed_is_tried_again_from_the_first_page(imported: Site, page: Page) -> None:
    await page.goto(imported.url)
    await expect(page.locator("#failed-link")).to_contain_text("failed")

    await page.get_by_role("button", name="Retry all").click()

    await expect(page.locator(".toast")).to_contain_text("again.")


async def test_the_first_page_shows_how_long_work_waits_and_leads_to_the_queues(imported: Site, page: Page) -> None:
    make_photographs(imported.library / "waiting", 2, seed=731)
    imported.api("POST", "/api/stages/convert/pause")
    imported.api("POST", "/api/imports", json={"path": str(imported.library / "waiting"), "sample": "all"})
    await page.goto(imported.url)

    oldest = page.locator("tr[data-stage=convert] .oldest")
    await expect(oldest).to_have_text(re.compile(r"^\d+ s$"))
    first = await oldest.text_content()
    await expect(oldest).not_to_have_text(first or "", timeout=5_000)
    link = page.get_by_role("link", name="management page")
    address = await link.get_attribute("href") or ""
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address), "no password in a page"
    assert "RabbitMQ Management" in httpx.get(address).text
    imported.api("POST", "/api/stages/convert/resume")


async def test_a_stage_is_paused_and_resumed(site: Site, page: Page) -> None:
    await page.goto(site.url)
    row = page.locator("tr[data-stage=bursts]")

    await row.get_by_role("button").click()
    await expect(row).to_contain_text("Paused by you.")
    await page.get_by_role("button", name="Undo").click()
    await expect(row).not_to_contain_text("Paused")


async def test_a_stage_that_waits_says_for_what_and_counts_down(imported: Site, page: Page) -> None:
    await page.goto(imported.url)
    imported.api("POST", "/api/stages/curate/resume")  # tried at once, and then again in seconds, not in minutes

    state = page.locator("tr[data-stage=curate] .state")
    await expect(state).to_contain_text("Waiting for the language model at http://127.0.0.1:9/v1/", timeout=15_000)
    await expect(state).to_contain_text(re.compile(r"Retrying in \d+ s\."))
    first = await state.text_content()
    await expect(state).not_to_have_text(first or "", timeout=5_000)


async def test_a_dropped_picture_answers_with_a_placard(site: Site, page: Page) -> None:
    picture = make_photographs(site.library.parent / "dropped", 1, seed=702)[0]
    await page.goto(site.url)

    await page.set_input_files("#file", str(picture))

    await expect(page.locator(".placard h3")).to_have_text(picture.name, timeout=60_000)
    await expect(page.locator(".placard .card-text")).to_contain_text("Test Camera")


async def test_the_log_is_looked_into_and_cleared_after_a_question(imported: Site, page: Page) -> None:
    await page.goto(f"{imported.url}/logs")
    await expect(page.locator(".log li").first).to_be_visible()
    await page.select_option("#worker", "convert")
    assert "worker=convert" in page.url

    total = imported.api("GET", "/api/logs/count").json()["count"]
    await page.get_by_role("button", name="Clear the log").click()
    await expect(page.locator("dialog")).to_contain_text(f"{total} line")
    await expect(page.locator("dialog")).to_contain_text("failed lane")
    await page.locator("dialog button.primary").click()

    await expect(page.locator(".toast")).to_contain_text("cleared")


async def test_the_api_pages_open(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/docs")
    await expect(page.locator(".swagger-ui").first).to_be_visible()
