"""The page of bursts in a real browser, on frames that were imported and found by the real stage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from PIL import Image, ImageFilter
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import BURST, IN_ONE_LOOP, Site
from tests.chaos.photographs import make_burst

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.timeout(240), IN_ONE_LOOP]
FRAMES = 3 + 5 + 4
"""Of the bracket, the focus stack and the panorama."""


def write_frames(folder: Path, month: int, frames: Sequence[Image.Image], tags: Sequence[dict[int, object]]) -> None:
    """JPEGs two seconds apart, with the tags of the Exif directory that each is given."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (frame, more) in enumerate(zip(frames, tags, strict=True)):
        exif = Image.Exif()
        exif[0x0110] = "Test Camera"
        directory = exif.get_ifd(0x8769)
        at = datetime(2024, month, 1, 12) + timedelta(seconds=2 * number)
        directory[0x9003] = at.strftime("%Y:%m:%d %H:%M:%S")
        for tag, value in ({_SHUTTER: 0.01, _APERTURE: 8.0, _ISO: 100, _FOCAL: 35.0, _MODE: 1} | more).items():
            directory[tag] = value
        frame.convert("RGB").save(folder / f"{folder.name}-{number}.jpg", quality=92, exif=exif)


_SHUTTER, _APERTURE, _ISO, _FOCAL, _BIAS, _DISTANCE, _MODE = 0x829A, 0x829D, 0x8827, 0x920A, 0x9204, 0x9206, 0xA402


def make_sequences(library: Path) -> None:
    """A bracket that the camera speaks of, a focus stack by its distances, a panorama by its pictures."""
    stops = (-2.0, 0.0, 2.0)
    still = _scene().crop((0, 0, 1500, 1000))
    light = [still.point([min(255, int(v * 2 ** (s / 2.2))) for v in range(256)]) for s in stops]
    write_frames(library / "bracket", 7, light, [{_SHUTTER: 2**s / 100, _BIAS: s, _MODE: 2} for s in stops])
    still = _scene().crop((0, 0, 1500, 1000))
    blurred = [still.filter(ImageFilter.GaussianBlur(n)) for n in range(5)]
    write_frames(library / "focus", 8, blurred, [{_DISTANCE: metres} for metres in (0.3, 0.33, 0.37, 0.42, 0.48)])
    scene = _scene()
    swept = [scene.crop((700 * n, 0, 700 * n + 1500, 1000)) for n in range(4)]
    write_frames(library / "panorama", 9, swept, [{}] * 4)


def _scene() -> Image.Image:
    """Another one each time: equal pixels would be copies of one photograph."""
    return Image.effect_noise((400, 100), 90).resize((4000, 1000), Image.Resampling.BICUBIC)


def _settled(site: Site) -> bool:
    stages = site.api("GET", "/api/status").json()["stages"]
    open_jobs = [stages[name][kind] for name in ("convert", "embed", "bursts") for kind in ("due", "queued", "running")]
    return not any(open_jobs)


@pytest.fixture(scope="module")
def shot(running_site: Site) -> Site:
    """Two bursts, a bracket, a focus stack and a panorama are in the archive, and bursts were looked for."""
    library = running_site.library
    make_sequences(library)
    make_burst(library / "burst-2", 3, seed=733)
    for folder in ("burst", "burst-2", "bracket", "focus", "panorama"):
        running_site.api(
            "POST", "/api/imports", json={"path": str(library / folder), "sample": "all"}
        ).raise_for_status()
    running_site.wait_for("the frames", lambda: _frames(running_site) == BURST + 3 + FRAMES)
    running_site.wait_for("the vectors", lambda: _settled(running_site), 120)
    return running_site


def _frames(site: Site) -> int:
    items = site.api("GET", "/api/photos?limit=200").json()["items"]
    return sum(item["filename"].startswith(("burst", "bracket", "focus", "panorama")) for item in items)


@pytest.fixture
def found(shot: Site) -> Iterator[Site]:
    """Nothing about the bursts is decided."""
    shot.api("POST", "/api/bursts/detect", json={"threshold": 0.5}).raise_for_status()
    shot.wait_for("the bursts", lambda: _settled(shot) and _totals(shot)["open"] == 2)
    yield shot
    while shot.api("POST", "/api/undo", json={"as_of": "2020-01-01T00:00:00Z"}).json()["reverted"]:
        pass


def _totals(site: Site) -> dict[str, int]:
    totals: dict[str, int] = site.api("GET", "/api/bursts").json()["totals"]
    return totals


def burst_of(page: Page, frames: int) -> Locator:
    return page.locator(".burst").filter(has_text=f"{frames} frames.")


async def opened(site: Site, page: Page, state: str = "open") -> None:
    await page.goto(f"{site.url}/bursts?state={state}")
    await expect(page.locator("#states a[aria-current] .n")).not_to_be_empty()


async def test_the_best_comes_to_the_front_and_one_key_takes_it_back(found: Site, page: Page) -> None:
    await opened(found, page)
    burst = burst_of(page, BURST)
    await expect(burst.locator(".keeper .name")).to_have_text(re.compile("-0000.jpg"))

    await burst.get_by_role("button", name="Keep the best").click()

    await expect(burst).to_have_count(0)
    await expect(page.locator("#toasts")).to_contain_text(f"in front, {BURST - 1} frames behind it")
    assert (_totals(found)["open"], _totals(found)["kept"]) == (1, 1)
    await page.keyboard.press("z")
    await expect(burst_of(page, BURST)).to_have_count(1)
    assert _totals(found)["kept"] == 0


async def test_frames_behind_the_best_leave_the_tab_and_stay_in_the_gallery(found: Site, page: Page) -> None:
    before = found.api("GET", "/api/photos?filter=bursts").json()["total"]
    everything = found.api("GET", "/api/photos?filter=all").json()["total"]
    await opened(found, page)

    await burst_of(page, BURST).get_by_role("button", name="Keep the best").click()
    await expect(burst_of(page, BURST)).to_have_count(0)

    await page.goto(f"{found.url}/gallery?filter=bursts")
    await expect(page.locator("#counted")).to_have_text(f"{before - BURST + 1} photographs")
    assert found.api("GET", "/api/photos?filter=all").json()["total"] == everything


async def test_a_stack_unfolds_and_another_frame_comes_to_its_front(found: Site, page: Page) -> None:
    await opened(found, page)
    await burst_of(page, BURST).get_by_role("button", name="Keep the best").click()
    await expect(burst_of(page, BURST)).to_have_count(0)
    await opened(found, page, "kept")
    await expect(page.locator(".burst .card")).to_have_count(1)

    await page.get_by_role("button", name=f"Show the {BURST - 1} frames behind it").click()
    await expect(page.locator(".burst .card")).to_have_count(BURST)
    await page.locator(".burst .card").nth(1).click()
    await page.get_by_role("button", name="Keep this frame").click()

    await expect(page.locator(".burst .said")).to_contain_text("-0001.jpg is in front")


async def test_keys_decide_one_burst_after_the_other(found: Site, page: Page) -> None:
    await opened(found, page)
    await page.locator(".burst .card").first.focus()

    await page.keyboard.press("k")
    await expect(page.locator(".burst")).to_have_count(1)
    await expect(page.locator(".burst .card").first).to_be_focused()
    await page.keyboard.press("a")

    await expect(page.locator(".burst")).to_have_count(0)
    totals = _totals(found)
    assert (totals["open"], totals["kept"], totals["whole"]) == (0, 1, 1)


async def test_the_rest_is_rejected_only_by_the_second_button(found: Site, page: Page) -> None:
    await opened(found, page)
    await burst_of(page, BURST).get_by_role("button", name=f"Reject the rest ({BURST - 1})").click()

    await expect(page.locator("#toasts")).to_contain_text(f"{BURST - 1} frames rejected. Your originals stay")
    rejected = "/api/photos?filter=rejected"
    found.wait_for("the rejects", lambda: found.api("GET", rejected).json()["total"] == BURST - 1)
    await page.get_by_role("button", name="Undo").last.click()
    await expect(burst_of(page, BURST)).to_have_count(1)
    assert found.api("GET", rejected).json()["total"] == 0


async def test_what_was_meant_as_a_whole_is_shown_apart_and_never_offered(found: Site, page: Page) -> None:
    await opened(found, page, "intended")
    said = page.locator(".burst .said")
    await expect(said).to_contain_text(
        ["An exposure bracket of 3 frames", "A focus stack of 5 frames", "A panorama of 4 frames"]
    )
    for button in await page.get_by_role("button", name="Keep the best", exact=True).all():
        await expect(button).to_be_disabled()
    await expect(page.locator(".badge.stacked").first).to_have_text("Bracket")


async def test_the_best_of_every_burst_is_shown_first_and_is_one_undo(found: Site, page: Page) -> None:
    await opened(found, page)
    await page.get_by_role("button", name="Keep the best of every burst").click()
    dialog = page.locator("dialog")
    await expect(dialog).to_contain_text("In 2 bursts the best frame comes to the front")
    await expect(dialog).to_contain_text(f"{BURST + 1} other frames stay behind it")
    await expect(dialog).to_contain_text("3 brackets, stacks and panoramas are left alone")
    await expect(dialog.locator(".plan li")).to_have_count(2)
    await expect(dialog.locator(".plan img")).to_have_count(BURST + 3)

    await dialog.get_by_role("button", name="Stack 2 bursts").click()
    await expect(page.locator(".burst")).to_have_count(0)
    assert _totals(found)["kept"] == 2
    await page.get_by_role("button", name="Undo").last.click()

    await expect(page.locator(".burst")).to_have_count(2)
    assert _totals(found)["kept"] == 0


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_frame_that_the_person_likes_is_shown_and_not_rejected(found: Site, page: Page, width: int) -> None:
    """Best and second frame of the longer burst have five stars, and the second is picked: the others are rejected."""
    groups = found.api("GET", "/api/bursts?state=open").json()["items"]
    frames = next(group["photos"] for group in groups if len(group["photos"]) == BURST)
    for frame in frames[:2]:
        decision = {"rating": 5, "manual_match": True}
        found.api("PUT", f"/api/photos/{frame['id']}/decision", json=decision).raise_for_status()
    await page.set_viewport_size({"width": width, "height": 844})
    await opened(found, page)
    reject = burst_of(page, BURST).get_by_role("button", name="Reject the rest")
    await expect(reject).to_have_text(f"Reject the rest ({BURST - 2})")
    await expect(reject).to_have_attribute("title", "1 frame that you like stays.")

    await page.get_by_role("button", name="Keep the best of every burst").click()
    dialog = page.locator("dialog")
    await expect(dialog).to_contain_text("1 of the other frames is picked or has four or five stars")
    await expect(dialog.locator(".liked figcaption")).to_have_text("Chef’s Pick★★★★★")
    await expect(dialog.locator(".liked").get_by_role("img", name="5 stars")).to_be_visible()
    wider: float = await page.evaluate("document.querySelector('dialog .plan').scrollWidth > innerWidth")
    assert not wider
    assert await _violations(page) == ""
    await dialog.get_by_role("button", name=f"Reject {BURST} frames").click()

    await expect(page.locator("#toasts")).to_contain_text(f"{BURST} frames rejected, 1 frame that you like stays.")
    rejected = found.api("GET", "/api/photos?filter=rejected").json()["items"]
    assert frames[1]["id"] not in [item["id"] for item in rejected]
    assert len(rejected) == BURST


async def test_the_parameters_of_a_search_are_previewed(found: Site, page: Page) -> None:
    await opened(found, page)
    await page.get_by_role("button", name="Look for bursts").click()
    await page.fill("#threshold", "0.999")
    await page.fill("#gap", "0.5")
    await page.get_by_role("button", name="Preview").click()

    told = page.locator("dialog .told")
    await expect(told).to_contain_text("With 0.999 and 0.5 s: 0 bursts", timeout=30_000)
    await expect(told).to_contain_text("Now there are 2")
    assert _totals(found)["open"] == 2
    await page.keyboard.press("Escape")


async def test_a_later_search_does_not_offer_what_was_decided(found: Site, page: Page) -> None:
    await opened(found, page)
    for act in ("Keep the best", "Keep all"):
        count = await page.locator(".burst").count()
        await page.locator(".burst").first.get_by_role("button", name=act).click()
        await expect(page.locator(".burst")).to_have_count(count - 1)

    await page.get_by_role("button", name="Look for bursts").click()
    await page.fill("#threshold", "0.5")
    await page.get_by_role("button", name="Look through the archive").click()
    await expect(page.locator("#toasts")).to_contain_text("Looking for bursts")
    found.wait_for("the search", lambda: _settled(found))

    totals = _totals(found)
    assert (totals["open"], totals["kept"], totals["whole"]) == (0, 1, 1)


async def test_review_compares_the_frames_of_a_burst(found: Site, page: Page) -> None:
    await opened(found, page)
    await burst_of(page, BURST).get_by_role("link", name="Compare").click()

    await expect(page.locator("#compare")).to_be_visible()
    await expect(page.locator("#compare img, #compare canvas").first).to_be_visible()
    assert len(await page.locator("#compare [data-id], #compare .pane").all()) >= BURST


@pytest.mark.parametrize("width", [390, 1280, 2560])
async def test_the_page_fits_its_window(found: Site, page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    for state in ("open", "intended"):
        await opened(found, page, state)
        await expect(page.locator(".burst img").first).to_be_visible()
        wider: float = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0


async def test_the_lists_and_both_dialogs_bar_nobody(found: Site, page: Page) -> None:
    for state in ("intended", "open"):
        await opened(found, page, state)
        await expect(page.locator(".burst img").first).to_be_visible()
        assert await _violations(page) == "", state
    await page.get_by_role("button", name="Keep the best of every burst").click()
    await page.locator("dialog .plan img").first.wait_for()
    assert await _violations(page) == "", "every burst"
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Look for bursts").click()
    await page.locator("#threshold").wait_for()
    assert await _violations(page) == "", "parameters"


async def _violations(page: Page) -> str:
    results = await Axe().run(page)
    return results.generate_report() if results.violations_count else ""
