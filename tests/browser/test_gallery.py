"""The wall: keys, selection, views, places, undo and history."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import HOSTILE, IN_ONE_LOOP, PHOTOGRAPHS, Site, open_roll

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240), IN_ONE_LOOP]

PRESS = """([code, key]) => {
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { code, key, bubbles: true }));
  return document.activeElement.closest(".card")?.dataset.rating;
}"""


def _ratings(site: Site) -> list[int | None]:
    return [photo["user_rating"] for photo in site.photos()]


async def test_a_key_acts_before_the_server_answers_and_undo_takes_it_back(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    card = page.locator(".card").nth(2)
    await card.focus()
    await page.route("**/decision", lambda route: None)  # nobody answers

    assert await page.evaluate(PRESS, ["Digit4", "4"]) == "4"
    assert await page.evaluate(PRESS, ["KeyZ", "z"]) == ""


async def test_a_rating_is_said_stored_and_survives_a_reload(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    card = page.locator(".card").nth(2)

    await card.focus()
    await page.keyboard.press("4")
    await expect(page.locator(".toast").first).to_contain_text("★★★★")
    await page.keyboard.press("z")
    await expect(card).to_have_attribute("data-rating", "")
    await card.locator(".stars button").nth(4).click()
    await expect(page.locator(".toast").filter(has_text="★★★★★")).to_be_visible()
    await page.reload()

    await expect(page.locator(".card").nth(2)).to_have_attribute("data-rating", "5")
    assert _ratings(imported)[2] == 5


async def test_undo_goes_on_across_reloads_and_pages(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    await page.locator(".card").nth(1).focus()
    for key in ("2", "3"):
        await page.keyboard.press(key)
        await expect(page.locator(".card").nth(1)).to_have_attribute("data-rating", key)
    imported.wait_for("the rating", lambda: _ratings(imported)[1] == 3)

    await page.reload()
    await expect(page.locator(".card").nth(1)).to_have_attribute("data-rating", "3")
    await page.keyboard.press("z")
    await expect(page.locator(".card").nth(1)).to_have_attribute("data-rating", "2")
    await page.goto(f"{imported.url}/review?{imported.query(mode='browse')}")
    await expect(page.locator("#figure img")).to_be_visible()
    await page.keyboard.press("z")
    imported.wait_for("the undo", lambda: _ratings(imported)[1] is None)


async def test_a_refused_decision_is_put_back_and_said(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    card = page.locator(".card").nth(3)
    await card.focus()
    answer = {"status": 409, "json": {"detail": "Somebody forbids it."}, "content_type": "application/problem+json"}
    await page.route("**/decision", lambda route: route.fulfill(**answer))  # type: ignore[arg-type]

    await page.keyboard.press("5")

    await expect(page.locator(".toast.error")).to_contain_text("Somebody forbids it.")
    await expect(card).to_have_attribute("data-rating", "")


async def test_keys_do_nothing_while_typing_or_with_control(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    card = page.locator(".card").nth(2)

    await card.focus()
    await page.keyboard.press("Control+3")
    await page.locator("#q").click()
    await page.keyboard.type("3")

    await expect(page.locator("#q")).to_have_value("3")
    await expect(card).to_have_attribute("data-rating", "")


async def test_views_live_in_the_address_and_the_back_button_works(imported: Site, page: Page) -> None:
    await open_roll(imported, page)

    await page.locator("[data-tab=rejected]").click()
    await expect(page.locator("#empty")).to_contain_text("Nothing hangs here")
    assert "filter=rejected" in page.url
    await page.go_back()
    await expect(page.locator("#counted")).to_have_text(f"{PHOTOGRAPHS} photographs")
    await page.locator("#turn").click()
    assert "sort=-name" in page.url
    await expect(page.locator(".card .name").first).not_to_have_text(HOSTILE)
    await page.get_by_role("button", name="Remove Folder").click()
    await expect(page.locator("#chips .chip")).to_have_count(0)
    assert "folder=" not in page.url


async def test_the_view_is_narrowed_by_facets_with_counts(imported: Site, page: Page) -> None:
    await open_roll(imported, page)

    await page.get_by_role("button", name="Narrow").click()
    camera = page.locator("#facets select[name=camera]")
    await expect(camera.locator("option").nth(1)).to_have_text(f"Test Camera ({PHOTOGRAPHS})")
    await camera.select_option("Test Camera")
    assert "camera=Test+Camera" in page.url
    await page.fill("#facets input[name=min_sharpness]", "101")
    await page.keyboard.press("Tab")

    await expect(page.locator("#empty")).to_contain_text("no photograph fits all of this")


async def test_a_range_is_selected_across_rows_that_were_never_loaded(imported: Site, page: Page) -> None:
    await page.set_viewport_size({"width": 520, "height": 520})
    await open_roll(imported, page)
    assert await page.locator(".card").count() < PHOTOGRAPHS

    await page.locator(".card").first.click(position={"x": 5, "y": 5})
    await page.keyboard.press("Shift+End")
    await expect(page.locator("#bulk .said")).to_have_text(f"{PHOTOGRAPHS} selected")
    await page.keyboard.press("4")

    imported.wait_for("all ratings", lambda: _ratings(imported) == [4] * PHOTOGRAPHS)
    await page.keyboard.press("z")
    imported.wait_for("the undo", lambda: _ratings(imported) == [None] * PHOTOGRAPHS)


async def test_what_is_selected_is_put_into_a_project_and_taken_out_by_one_undo(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    for n in (0, 1):
        await page.locator(".card").nth(n).focus()
        await page.keyboard.press("m")

    await page.get_by_role("button", name="Project…").click()
    await page.fill("#answer", "Night walks")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".card .facts").first).to_contain_text("Night walks")
    imported.wait_for("the project", lambda: imported.photos()[1]["project"] == "Night walks")
    await page.get_by_role("button", name="Undo").click()

    imported.wait_for("the undo", lambda: imported.photos()[1]["project"] is None)


async def test_a_rejected_photograph_leaves_at_once_and_the_focus_goes_to_the_next(imported: Site, page: Page) -> None:
    await open_roll(imported, page)
    await page.locator(".card").nth(3).focus()
    following = await page.locator(".card").nth(4).get_attribute("data-id")

    await page.keyboard.press("x")

    await expect(page.locator("#counted")).to_have_text(f"{PHOTOGRAPHS - 1} photographs")
    assert await page.evaluate("document.activeElement.dataset.id") == following
    imported.wait_for("the rejection", lambda: len(imported.photos(filter="rejected")) == 1)


async def test_the_trash_is_emptied_after_the_servers_count_was_shown(imported: Site, page: Page) -> None:
    ids = [photo["id"] for photo in imported.photos()[:2]]
    imported.api("POST", "/api/photos/decisions", json={"ids": ids, "rejected": True})
    await page.goto(f"{imported.url}/gallery?filter=rejected")

    await page.get_by_role("button", name="Empty the trash").click()

    await expect(page.locator("dialog")).to_contain_text("2 rejected photographs leave the gallery")
    await expect(page.locator("dialog")).to_contain_text("Your originals stay")
    await page.get_by_role("button", name="Cancel").click()
    assert len(imported.photos(filter="rejected")) == 2


async def test_the_scrubber_reaches_any_place_by_keys_and_by_drag(imported: Site, page: Page) -> None:
    await page.set_viewport_size({"width": 520, "height": 520})
    await open_roll(imported, page)
    scrubber = page.get_by_role("slider", name="Place in the archive")

    await scrubber.focus()
    await page.keyboard.press("End")
    last = imported.photos()[-1]["filename"]
    await expect(page.locator(".card .name").filter(has_text=last)).to_be_visible()
    box: Any = await scrubber.bounding_box()
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 1)

    await expect(page.locator(".card .name").filter(has_text=HOSTILE)).to_be_visible()
    await expect(scrubber).to_have_attribute("aria-valuenow", "1")


async def test_scores_and_ratings_change_in_place_without_a_jump(imported: Site, page: Page) -> None:
    await page.set_viewport_size({"width": 520, "height": 520})
    await open_roll(imported, page)
    await page.locator(".card").nth(2).focus()
    await page.evaluate("document.getElementById('wall').scrollTop = 300")
    await page.wait_for_timeout(200)
    focused = await page.evaluate("document.activeElement.dataset.id")
    other = next(p["id"] for p in imported.photos() if str(p["id"]) != focused)

    imported.api("PUT", f"/api/photos/{other}/decision", json={"rating": 3})

    await expect(page.locator("[data-tab=rated] .n")).not_to_have_text("0")
    await page.wait_for_timeout(500)
    assert await page.evaluate("document.getElementById('wall').scrollTop") == 300
    assert await page.evaluate("document.activeElement.dataset.id") == focused


async def test_two_tabs_stay_consistent(imported: Site, context: BrowserContext) -> None:
    first, second = await context.new_page(), await context.new_page()
    for tab in (first, second):
        await open_roll(imported, tab)

    await first.locator(".card").nth(2).focus()
    await first.keyboard.press("3")

    await expect(second.locator(".card").nth(2)).to_have_attribute("data-rating", "3")
    await first.close()  # the tab that listened for both, perhaps
    imported.api("PUT", f"/api/photos/{imported.photos()[2]['id']}/decision", json={"rating": 1})
    await expect(second.locator(".card").nth(2)).to_have_attribute("data-rating", "1")


@pytest.mark.offline
async def test_a_rating_made_without_a_connection_is_applied_when_it_is_back(
    imported: Site, page: Page, context: BrowserContext
) -> None:
    await open_roll(imported, page)
    await page.locator(".card").nth(5).focus()
    await context.set_offline(True)

    await page.keyboard.press("5")
    await expect(page.locator(".card").nth(5)).to_have_attribute("data-rating", "5")
    await expect(page.locator(".toast.kept")).to_contain_text("1 decision waits")
    assert _ratings(imported)[5] is None
    await context.set_offline(False)

    await expect(page.locator(".toast").last).to_contain_text("1 decision sent")
    assert _ratings(imported)[5] == 5


async def test_the_history_takes_one_action_back_and_restores_as_of_a_date(imported: Site, page: Page) -> None:
    photo = imported.photos()[6]
    path = f"/api/photos/{photo['id']}/decision"
    imported.api("PUT", path, json={"rating": 2})
    await open_roll(imported, page)
    moment = await page.evaluate(
        "new Date(Date.now() - new Date().getTimezoneOffset() * 60000 + 1000).toISOString().slice(0, 19)"
    )
    await page.wait_for_timeout(1100)
    imported.api("PUT", path, json={"rating": 5})

    await page.locator(".card").nth(6).focus()
    await page.keyboard.press("h")
    dialog = page.locator("dialog")
    await expect(dialog).to_contain_text(f"History of {photo['filename']}")
    await expect(dialog.locator(".history li").first).to_contain_text("★★ → ★★★★★")
    await dialog.locator("#as-of").fill(moment)
    await dialog.get_by_role("button", name="Show what would change").click()
    await expect(dialog.locator(".preview")).to_contain_text("1 change on 1 photograph would be put back")
    await dialog.get_by_role("button", name="Put 1 photograph back").click()
    imported.wait_for("the restored rating", lambda: imported.photos()[6]["user_rating"] == 2)
    # Until the list has come anew the rating stands first.
    await expect(dialog.locator(".history li").first).to_contain_text("★★★★★ → ★★")
    await dialog.locator(".history li").first.get_by_role("button", name="Take back").click()

    imported.wait_for("the restore taken back", lambda: imported.photos()[6]["user_rating"] == 5)


async def test_a_selection_is_put_back_as_of_a_date(imported: Site, page: Page) -> None:
    ids = [photo["id"] for photo in imported.photos()[:4]]
    await page.goto(imported.url)
    moment = await page.evaluate(
        "new Date(Date.now() - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 19)"
    )
    await page.wait_for_timeout(1100)
    imported.api("POST", "/api/photos/decisions", json={"ids": ids, "rating": 4})
    await open_roll(imported, page)
    for n in (0, 1):
        await page.locator(".card").nth(n).focus()
        await page.keyboard.press("m")

    await page.get_by_role("button", name="History…").click()
    dialog = page.locator("dialog")
    await dialog.locator("#as-of").fill(moment)
    await dialog.get_by_role("button", name="Show what would change").click()
    await expect(dialog.locator(".preview")).to_contain_text("2 changes on 2 photographs would be put back")
    await dialog.get_by_role("button", name="Put 2 photographs back").click()

    imported.wait_for("the ratings", lambda: _ratings(imported)[:4] == [None, None, 4, 4])


async def test_enter_opens_the_loupe_and_back_returns_to_the_same_photograph(imported: Site, page: Page) -> None:
    await page.set_viewport_size({"width": 520, "height": 520})
    await open_roll(imported, page)
    await page.locator(".card").first.focus()
    await page.keyboard.press("End")
    last = imported.photos()[-1]

    await page.keyboard.press("Enter")
    await expect(page.locator("#name")).to_have_text(last["filename"])
    await page.go_back()

    await expect(page.locator(f".card[data-id='{last['id']}']")).to_be_visible()


async def test_the_grid_never_loads_a_preview(imported: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    await open_roll(imported, page)
    await page.locator(".card").first.focus()
    await page.keyboard.press("End")
    await page.wait_for_timeout(300)

    assert any("/media/thumb/" in url for url in asked)
    assert not any("/media/preview/" in url or "/media/render/" in url for url in asked)
