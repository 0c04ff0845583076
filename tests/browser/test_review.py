"""The loupe: cull and rate, zoom to real pixels, compare, the focus overlay."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_ONE_LOOP, PHOTOGRAPHS, Site

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240), IN_ONE_LOOP]


async def _review(site: Site, page: Page, **more: object) -> None:
    await page.goto(f"{site.url}/review?{site.query(**more)}")
    await expect(page.locator("#figure img")).to_be_visible()
    await page.evaluate("localStorage.clear()")


async def test_cull_rates_advances_marks_as_seen_and_resumes(imported: Site, page: Page) -> None:
    await _review(imported, page, mode="cull")
    await expect(page.locator("#position")).to_have_text(f"1 of {PHOTOGRAPHS}")
    first = await page.locator("#name").text_content()

    await page.keyboard.press("4")
    await page.keyboard.press("Space")
    await page.keyboard.press("Numpad2")

    await expect(page.locator("#position")).to_have_text(f"4 of {PHOTOGRAPHS}")
    rated = {photo["filename"]: photo["user_rating"] for photo in imported.photos()}
    imported.wait_for("the ratings", lambda: sum(p["user_rating"] is not None for p in imported.photos()) == 2)
    imported.wait_for("the passed frames", lambda: sum(p["seen"] for p in imported.photos()) >= 3)
    assert first in rated
    here = await page.locator("#name").text_content()
    await page.goto(f"{imported.url}/review?{imported.query(mode='cull')}")
    await expect(page.locator("#name")).to_have_text(here or "")


async def test_another_browser_resumes_at_the_first_frame_never_seen(imported: Site, page: Page) -> None:
    in_order = imported.photos(sort="captured")
    for photo in in_order[:3]:
        imported.api("PUT", f"/api/photos/{photo['id']}/decision", json={"seen": True})

    await _review(imported, page, mode="cull")

    await expect(page.locator("#name")).to_have_text(in_order[3]["filename"])


async def test_the_next_frame_is_decoded_when_the_key_asks_for_it(imported: Site, page: Page) -> None:
    await _review(imported, page, mode="browse")
    await page.wait_for_timeout(500)
    before = await page.locator("#figure").get_attribute("data-id")

    shown = await page.evaluate("""() => {
      const key = { code: "ArrowRight", key: "ArrowRight", bubbles: true };
      document.body.dispatchEvent(new KeyboardEvent("keydown", key));
      const image = document.querySelector("#figure img");
      return [document.querySelector("#figure").dataset.id, image.complete && image.naturalWidth > 0];
    }""")

    assert shown[0] != before
    assert shown[1] is True


async def test_undo_returns_to_what_was_rated(imported: Site, page: Page) -> None:
    await _review(imported, page, mode="cull")
    first = await page.locator("#name").text_content()
    await page.keyboard.press("5")
    await expect(page.locator("#position")).to_have_text(f"2 of {PHOTOGRAPHS}")

    await page.keyboard.press("z")

    await expect(page.locator("#name")).to_have_text(first or "")
    await expect(page.locator("#figure")).to_have_attribute("data-rating", "")


async def test_rate_begins_with_the_lowest_and_an_empty_mode_says_what_next(imported: Site, page: Page) -> None:
    photos = imported.photos()
    for photo, rating in zip(photos, (3, 1, 2), strict=False):
        imported.api("PUT", f"/api/photos/{photo['id']}/decision", json={"rating": rating})

    await _review(imported, page, mode="rate")
    await expect(page.locator("#name")).to_have_text(photos[1]["filename"])
    await page.keyboard.press("End")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#end")).to_contain_text("That was the last one")
    imported.as_new()
    await page.goto(f"{imported.url}/review?{imported.query(mode='rate')}")

    await expect(page.locator("#end")).to_contain_text("Nothing here is rated yet")


async def test_full_size_is_developed_on_request_and_panned_by_keys(imported: Site, page: Page) -> None:
    await _review(imported, page, mode="browse")

    await page.keyboard.press("f")
    zoom = page.locator("#zoom")
    await expect(zoom).to_have_attribute("data-state", "native", timeout=30_000)
    await expect(zoom).to_have_attribute("data-scale", "100")
    where = "document.querySelector('#zoom canvas').toDataURL()"
    before = await page.evaluate(where)
    await page.keyboard.press("ArrowRight")
    await page.wait_for_timeout(700)
    assert await page.evaluate(where) != before
    before = await page.evaluate(where)
    await page.mouse.move(640, 400)
    await page.mouse.down()
    await page.mouse.move(500, 330, steps=4)
    await page.mouse.up()
    await page.wait_for_timeout(700)
    assert await page.evaluate(where) != before
    await expect(zoom).to_be_visible()
    position = await page.locator("#position").text_content()
    await page.keyboard.press("Shift+ArrowRight")
    await expect(page.locator("#position")).not_to_have_text(position or "")
    await expect(zoom).to_be_visible()
    await page.keyboard.press("Escape")

    await expect(zoom).to_be_hidden()


async def test_the_focus_overlay_and_the_facts(imported: Site, page: Page) -> None:
    await _review(imported, page, mode="browse")

    await page.keyboard.press("o")
    await expect(page.locator("#box .tiles")).to_be_visible()
    await page.keyboard.press("i")
    await expect(page.locator("#facts")).to_contain_text("Test Camera")
    await page.keyboard.press("v")

    assert await page.evaluate("getComputedStyle(document.querySelector('#figure img')).filter") == "grayscale(1)"


async def test_frames_are_compared_with_one_zoom_and_the_winner_is_pinned(imported: Site, page: Page) -> None:
    await _review(imported, page, mode="browse")
    names = [photo["filename"] for photo in imported.photos()]

    await page.keyboard.press("c")
    panes = page.locator(".pane")
    await expect(panes).to_have_count(2)
    await expect(panes.nth(0)).to_contain_text(names[0])
    await page.keyboard.press("f")
    for n in (0, 1):
        await expect(panes.nth(n).locator(".pane-stage")).to_have_attribute("data-scale", "100")
    await page.keyboard.press("ArrowRight")
    await expect(panes.nth(1)).to_contain_text(names[2])
    await expect(panes.nth(1).locator(".pane-stage")).to_have_attribute("data-scale", "100")
    await page.keyboard.press("4")
    await expect(panes.nth(1)).to_have_attribute("data-rating", "4")
    await page.keyboard.press("Enter")
    await expect(panes.nth(0)).to_contain_text(names[2])
    await page.keyboard.press("+")
    await expect(panes).to_have_count(3)
    assert "compare=" in page.url
    await page.reload()
    await expect(page.locator(".pane")).to_have_count(3)
    await page.keyboard.press("Escape")

    await expect(page.locator("#compare")).to_be_hidden()
    await expect(page.locator("#name")).to_have_text(names[2])


async def test_back_closes_the_comparison(imported: Site, page: Page) -> None:
    await _review(imported, page, mode="browse")
    await page.keyboard.press("c")
    await expect(page.locator(".pane")).to_have_count(2)

    await page.go_back()

    await expect(page.locator("#compare")).to_be_hidden()
    await expect(page.locator("#figure img")).to_be_visible()
