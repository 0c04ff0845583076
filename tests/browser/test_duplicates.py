"""Copies and versions, in a real browser."""

from __future__ import annotations

import shutil

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image, ImageOps
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_ONE_LOOP, Site
from tests.chaos.photographs import make_photographs

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240), IN_ONE_LOOP]


@pytest.fixture
def versions(running_site: Site) -> Site:
    """A photograph three times over: as it came, in grey as a TIFF, and a copy of another in a second folder."""
    folder = running_site.library / "versions"
    if not folder.exists():
        first, second = make_photographs(folder, 2, seed=720, size=(900, 600))
        with Image.open(first) as image:
            ImageOps.grayscale(image).save(folder / f"{first.stem}_bw.tif", exif=image.getexif())
        (folder / "backup").mkdir()
        shutil.copy(second, folder / "backup" / second.name)
        running_site.api("POST", "/api/imports", json={"path": str(folder), "sample": "all"})
        running_site.wait_for("the versions", lambda: len(_groups(running_site)) == 2, 120)
    ids = [p["id"] for tab in ("all", "rejected") for p in running_site.photos(folder=folder, filter=tab)]
    nothing = {"rating": None, "rejected": False, "apart": False, "copy_kept": False}
    running_site.api("POST", "/api/photos/decisions", json={"ids": ids, **nothing}).raise_for_status()
    return running_site


def _groups(site: Site) -> list[str]:
    return [group["kind"] for group in site.api("GET", "/api/duplicates").json()["items"]]


async def test_copies_are_rejected_after_the_count_was_shown_and_taken_back(versions: Site, page: Page) -> None:
    await page.goto(f"{versions.url}/duplicates")
    copies = page.locator("#copies .burst")
    await expect(copies.locator(".card img")).to_have_count(2)

    await page.get_by_role("button", name="Reject every copy").click()
    await expect(page.locator("dialog")).to_contain_text("1 copy with exactly the same pixels is rejected")
    await page.get_by_role("button", name="Reject 1 copy", exact=True).click()
    await expect(page.locator("#copies-section")).to_be_hidden()
    assert len(versions.photos(folder=versions.library / "versions", filter="rejected")) == 1
    await page.get_by_role("button", name="Undo").last.click()

    await expect(copies.locator(".card img")).to_have_count(2)


async def test_the_chosen_copy_stays_and_copies_that_were_kept_do_not_come_back(versions: Site, page: Page) -> None:
    await page.goto(f"{versions.url}/duplicates")
    cards = page.locator("#copies .burst .card")
    await cards.nth(1).click()
    await page.keyboard.press("k")
    await expect(page.locator("dialog")).to_contain_text("in backup stays, 1 copy")
    await page.keyboard.press("Escape")

    await cards.nth(1).click()
    await page.keyboard.press("a")

    await expect(page.locator("#copies-section")).to_be_hidden()
    await page.reload()
    await expect(page.locator("#stacks .card img")).to_have_count(2)
    await expect(page.locator("#copies-section")).to_be_hidden()


async def test_a_stack_is_rated_together_until_it_is_split(versions: Site, page: Page) -> None:
    await page.goto(f"{versions.url}/duplicates")
    cards = page.locator("#stacks .burst .card")
    await expect(cards.first.locator(".name")).to_contain_text("_bw.tif")

    await cards.first.click()
    await page.keyboard.press("4")
    await expect(page.locator("#stacks .card[data-rating='4']")).to_have_count(2)
    await cards.first.click()
    await page.keyboard.press("s")
    await expect(page.locator("#stacks-section")).to_be_hidden()
    await page.keyboard.press("z")

    await expect(cards).to_have_count(2)


async def test_the_wall_marks_a_stack_hides_what_is_behind_and_leads_to_it(versions: Site, page: Page) -> None:
    folder = versions.library / "versions"
    await page.goto(f"{versions.url}/gallery?{versions.query(folder=folder)}")
    await expect(page.locator(".badge.versions.front").first).to_have_text("2 versions")
    await expect(page.locator(".badge.versions:not(.front)")).to_have_count(2)

    await page.get_by_role("button", name="Narrow").click()
    await page.locator("#facets select[name=versions]").select_option("front")
    await expect(page.locator("#counted")).to_have_text("2 photographs")
    await expect(page.locator(".badge.versions:not(.front)")).to_have_count(0)
    await page.get_by_role("button", name="Remove Versions behind the front are hidden").click()
    await expect(page.locator("#counted")).to_have_text("4 photographs")

    tiff = next(p for p in versions.photos(folder=folder) if p["filename"].endswith("_bw.tif"))
    await page.goto(f"{versions.url}/review?mode=browse&photo={tiff['id']}")
    await page.get_by_role("link", name="2 versions").click()
    await expect(page.locator("#position")).to_contain_text("of 2")
    await page.get_by_role("link", name="Split this stack").click()
    await expect(page.locator("#stacks .card")).to_have_count(2)


async def test_the_page_bars_nobody_and_fits_every_width(versions: Site, page: Page) -> None:
    for width in (390, 1280, 2560):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.goto(f"{versions.url}/duplicates")
        await page.locator("#stacks .card img").first.wait_for()
        results = await Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
