"""What a narrow window must not cut off or lay over something else, and what a wide one must use."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_ONE_LOOP, Site, open_roll

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(120), IN_ONE_LOOP]


async def test_on_a_telephone_every_place_is_in_sight(site: Site, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"{site.url}/taste")

    for place in await page.locator(".masthead nav > *").all():
        box: Any = await place.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


async def test_on_a_telephone_the_tab_that_is_open_is_scrolled_into_sight(imported: Site, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"{imported.url}/gallery?filter=failed")

    await expect(page.locator("#tabs [data-tab=failed]")).to_be_in_viewport(ratio=1)


async def test_on_a_telephone_what_a_failure_says_stays_within_its_row(imported: Site, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"{imported.url}/gallery?filter=failed")
    details = page.get_by_role("link", name="What the log says of broken.jpg")
    await expect(details).to_be_visible()

    link: Any = await details.bounding_box()
    row: Any = await page.locator(".canvas").bounding_box()
    assert link["y"] + link["height"] <= row["y"] + row["height"]


async def test_the_bar_of_a_selection_uses_the_width(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    await page.locator(".card").first.focus()
    await page.keyboard.press("m")

    bar: Any = await page.locator("#bulk").bounding_box()
    assert bar["width"] > 640
    assert abs(bar["x"] + bar["width"] / 2 - 640) < 1
