"""Search on the wall: what looks alike, with plus and minus, and how it stands in the address."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import IN_ONE_LOOP, PHOTOGRAPHS, Site, open_roll

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240), IN_ONE_LOOP]


@pytest.fixture
def embedded(imported: Site) -> Site:
    """Every photograph of the roll has its vector."""
    imported.wait_for("vectors", lambda: all(p["stages"].get("embed") == "done" for p in imported.photos()), 120)
    return imported


def _hung(site: Site, query: str) -> list[int]:
    ids: list[int] = site.api("GET", f"/api/photos/ids?{query}").json()["ids"]
    return ids


async def _first(page: Page) -> int:
    return int(await page.locator(".card").first.get_attribute("data-id") or 0)


async def test_more_like_this_by_key_hangs_it_first_and_stands_in_the_address(embedded: Site, page: Page) -> None:
    await open_roll(embedded, page)
    third = embedded.photos()[2]

    await page.locator(".card").nth(2).focus()
    await page.keyboard.press("l")

    await expect(page.locator("#sort")).to_have_value("relevance")
    await expect(page.locator(".card").first).to_have_attribute("data-id", str(third["id"]))
    assert page.url.endswith(f"/gallery?like={third['id']}")
    await expect(page.locator("#asking")).to_contain_text(third["filename"])
    await page.reload()
    await expect(page.locator(".card").first).to_have_attribute("data-id", str(third["id"]))
    assert await _first(page) == _hung(embedded, f"like={third['id']}")[0]
    await page.go_back()
    await expect(page.locator("#counted")).to_have_text(f"{PHOTOGRAPHS} photographs")
    await expect(page.locator("#asking")).to_be_hidden()


async def test_photographs_are_added_taken_off_and_removed_by_their_chips(embedded: Site, page: Page) -> None:
    one, two = embedded.photos()[1:3]
    await page.goto(f"{embedded.url}/gallery?like={one['id']}")
    await page.locator(f".card[data-id='{two['id']}']").focus()

    await page.keyboard.press("Shift+L")
    await page.wait_for_url(f"**unlike={two['id']}*")
    await page.get_by_role("button", name=f"Look for what is like {two['filename']} instead").click()
    await page.wait_for_url(f"**like={one['id']}%2C{two['id']}*")
    assert "unlike" not in page.url
    await page.get_by_role("button", name=f"Remove {one['filename']}").click()

    await expect(page.locator(".card").first).to_have_attribute("data-id", str(two["id"]))
    await page.get_by_role("button", name=f"Remove {two['filename']}").click()
    await expect(page.locator("#asking")).to_be_hidden()


async def test_the_button_on_a_card_and_the_selection_look_for_more(embedded: Site, page: Page) -> None:
    await open_roll(embedded, page)
    photos = embedded.photos()
    await page.locator(".card").nth(1).hover()

    await page.locator(".card").nth(1).get_by_role("button", name="More like").click()
    await page.wait_for_url(f"**like={photos[1]['id']}")
    await expect(page.locator(".card").first).to_have_attribute("data-id", str(photos[1]["id"]))
    for n in (4, 5):
        await page.locator(f".card[data-id='{photos[n]['id']}']").focus()
        await page.keyboard.press("m")
    await page.get_by_role("button", name="More like these").click()

    ids = [photos[n]["id"] for n in (1, 4, 5)]
    await page.wait_for_url(f"**like={'%2C'.join(map(str, ids))}*")
    await expect(page.locator("#asking img")).to_have_count(3)


async def test_words_with_minus_leave_photographs_out(embedded: Site, page: Page) -> None:
    photos = embedded.photos()
    for photo, tags in ((photos[3], ["harbour"]), (photos[4], ["harbour", "people"])):
        embedded.api("PUT", f"/api/photos/{photo['id']}/decision", json={"tags_add": tags}).raise_for_status()
    await open_roll(embedded, page)

    await page.fill("#q", "harbour -people")
    await page.keyboard.press("Enter")

    await expect(page.locator("#counted")).to_have_text("1 photograph")
    await expect(page.locator("#q")).to_have_value("harbour")
    await expect(page.locator("#sort")).to_have_value("relevance")
    await expect(page.locator("#asking")).to_contain_text("− people")
    await expect(page.locator("#asking")).to_contain_text("sees pictures only")
    await page.get_by_role("button", name="Remove − people").click()
    await expect(page.locator("#counted")).to_have_text("2 photographs")
    await page.fill("#without", "people")
    await page.keyboard.press("Enter")
    await expect(page.locator("#counted")).to_have_text("1 photograph")
    await page.locator("#sort").select_option("name")
    assert "sort=name" in page.url


async def test_sharper_is_chosen_beside_the_chips(embedded: Site, page: Page) -> None:
    photo = embedded.photos()[0]["id"]
    await page.goto(f"{embedded.url}/gallery?like={photo}")

    await page.locator("#toward").select_option("sharper")

    await page.wait_for_url("**toward=sharper*")
    expected = _hung(embedded, f"like={photo}&toward=sharper")
    await expect(page.locator(".card").nth(1)).to_have_attribute("data-id", str(expected[1]))


async def test_more_like_this_from_the_loupe(embedded: Site, page: Page) -> None:
    await page.goto(f"{embedded.url}/review?{embedded.query(mode='browse')}")
    await expect(page.locator("#figure img")).to_be_visible()
    shown = await page.locator("#figure").get_attribute("data-id")

    await page.get_by_role("button", name="More like this").click()

    await page.wait_for_url(f"**/gallery?like={shown}")
    await expect(page.locator(".card").first).to_have_attribute("data-id", str(shown))


async def test_the_buttons_of_the_loupe_stand_in_one_row_beside_a_long_name(embedded: Site, page: Page) -> None:
    for width, rows in ((1101, 1), (1280, 1), (2560, 1), (390, 2)):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"{embedded.url}/review?{embedded.query(mode='browse')}")
        await expect(page.locator("#figure img")).to_be_visible()
        await page.locator("#name").evaluate("name => { name.textContent = 'DSC_20240517_4711_harbour.tif'.repeat(4) }")

        tops = "buttons => [...new Set(buttons.map((button) => Math.round(button.getBoundingClientRect().top)))].length"
        assert await page.locator(".deeds button").evaluate_all(tops) <= rows, width
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


async def test_a_search_with_all_its_parts_bars_nobody(embedded: Site, page: Page) -> None:
    one, two = (photo["id"] for photo in embedded.photos()[:2])
    await page.goto(f"{embedded.url}/gallery?like={one}&unlike={two}&minus=people&toward=sharper")
    await expect(page.locator("#asking img")).to_have_count(2)

    results = await Axe().run(page)

    assert results.violations_count == 0, results.generate_report()
