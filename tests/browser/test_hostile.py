"""Markup in names, tags of files and a model's words is text in every place, and other sites cannot act here.

In a real Chromium, on photographs of its own, which are discarded at the end.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aio_pika
import exiv2
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from contracts import topology
from contracts.results import CuratePayload, Result
from tests.browser.conftest import IN_ONE_LOOP, Site, launched
from tests.chaos.photographs import make_photographs
from web.database import connect
from web.native.home import Home

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240), IN_ONE_LOOP]

BAIT = '<img src=x class=hostile onerror="window.hostile=1">'
"""Without a slash, for names of files and folders."""
SCRIPT = f"</p></title>{BAIT}<script class=hostile>window.hostile=1</script>"
NAME, COPY, BROKEN = (f"{BAIT}{word}.jpg" for word in ("name", "copy", "broken"))
CAMERA = f"{BAIT}camera"
LENS = f"{BAIT}lens"
SUBJECT = f"{SCRIPT}subject"
MOOD = f"{SCRIPT}mood"
LIGHT = f"{SCRIPT}light"
TAG = f"{BAIT}tag"
PROJECT = f"{SCRIPT}project"
TITLE = f"{SCRIPT}title"
DROPPED = "dropped"


def _write_tags(path: Path) -> None:
    """EXIF and XMP full of markup."""
    image = exiv2.ImageFactory.open(str(path))
    image.readMetadata()
    exif, xmp = image.exifData(), image.xmpData()
    exif["Exif.Image.Make"] = CAMERA
    exif["Exif.Image.Model"] = CAMERA
    exif["Exif.Photo.LensModel"] = LENS
    for name in ("ImageDescription", "Artist", "Copyright", "Software"):
        exif[f"Exif.Image.{name}"] = SCRIPT
    xmp["Xmp.dc.title"] = TITLE
    xmp["Xmp.dc.description"] = TITLE
    xmp["Xmp.dc.subject"] = TITLE
    xmp["Xmp.xmp.Label"] = TITLE
    image.setExifData(exif)
    image.setXmpData(xmp)
    image.writeMetadata()


def _write_library(folder: Path) -> None:
    """A photograph, its copy in a folder with a hostile name, and a file that is no picture."""
    [path] = make_photographs(folder, 1, seed=790, size=(900, 600))
    _write_tags(path)
    (folder / f"{BAIT}folder").mkdir()
    shutil.copy(path, folder / f"{BAIT}folder" / COPY)
    path.rename(folder / NAME)
    (folder / BROKEN).write_text(SCRIPT)


async def _answer_as_the_model(site: Site, photo_id: int) -> None:
    """The answer of the stage that asks the language model, by the way of every answer."""
    home = Home(site.home)
    running = home.running()
    assert running is not None
    database = await connect(running.database_url)
    generation, attempts = await database.fetchrow(
        "SELECT generation, attempts FROM jobs WHERE stage = 'curate' AND subject_id = $1", photo_id
    )
    await database.close()
    said = CuratePayload(
        subject=SUBJECT, content_type=SCRIPT, lighting_critique=LIGHT, artistic_mood=MOOD, suggested_tags=(TAG,),
        model=SCRIPT,
    )  # fmt: skip
    answer = Result(
        claim_id="hostile", stage="curate", subject_id=photo_id, photo_id=photo_id, generation=generation,
        attempt=attempts + 1, worker="test:1", payload=said.model_dump(mode="json"),
    )  # fmt: skip
    broker = await aio_pika.connect(running.amqp_url)
    async with broker:
        exchange = await (await broker.channel()).get_exchange(topology.RESULTS, ensure=False)
        await exchange.publish(aio_pika.Message(answer.to_bytes()), topology.RESULTS_QUEUE)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hostile(running_site: Site) -> AsyncIterator[Site]:
    """All of it imported, and answered by the model."""
    folder = running_site.library / f"{BAIT}library"
    _write_library(folder)
    asked = {"path": str(folder), "sample": "all", "project": PROJECT}
    running_site.api("POST", "/api/imports", json=asked).raise_for_status()

    def listed(tab: str = "all") -> list[dict[str, Any]]:
        return running_site.photos(folder=folder, filter=tab)

    await asyncio.to_thread(running_site.wait_for, "the photographs", lambda: len(listed()) == 2, 120)
    await asyncio.to_thread(running_site.wait_for, "the failure", lambda: len(listed("failed")) == 1, 120)
    photos = listed()
    for photo in photos:
        await _answer_as_the_model(running_site, photo["id"])
    await asyncio.to_thread(running_site.wait_for, "the facts", lambda: all(p["subject"] for p in listed()), 60)
    try:
        yield running_site
    finally:
        running_site.api("PUT", f"/api/photos/{photos[0]['id']}/decision", json={"rating": None})
        running_site.api("PUT", f"/api/photos/{photos[1]['id']}/decision", json={"rating": None})
        running_site.api("DELETE", f"/api/projects/{quote(PROJECT, safe='')}")
        for photo in [*listed(), *listed("failed"), *running_site.photos(folder="", q=DROPPED)]:
            running_site.api("POST", f"/api/photos/{photo['id']}/discard")


def _folder(site: Site) -> str:
    return f"folder={quote(str(site.library / f'{BAIT}library'))}"


def _photo(site: Site) -> dict[str, Any]:
    return next(p for p in site.photos(folder=site.library / f"{BAIT}library") if p["filename"] == NAME)


async def _is_text(page: Page, *texts: str) -> None:
    """These stand on the page as they are, and nothing in it was taken for markup."""
    for text in texts:
        await expect(page.locator("body")).to_contain_text(text)
    assert await page.evaluate("window.hostile === undefined"), "a script ran"
    assert await page.locator(".hostile, img[src=x], [onerror]").count() == 0
    assert "fineshyt" in await page.title()


async def test_the_wall_and_its_facets(hostile: Site, page: Page) -> None:
    await page.goto(f"{hostile.url}/gallery?sort=name&{_folder(hostile)}")
    await expect(page.locator(".card img").first).to_be_visible()
    await _is_text(page, NAME, COPY, PROJECT)
    assert SUBJECT in [await image.get_attribute("alt") for image in await page.locator(".card img").all()]
    await page.click("#narrow")
    await expect(page.locator("#facets")).to_be_visible()
    for text in (CAMERA, LENS, TAG):
        await expect(page.locator("#facets")).to_contain_text(text)
    await _is_text(page)
    await page.goto(f"{hostile.url}/gallery?tag={quote(TAG)}&camera={quote(CAMERA)}&q={quote(SCRIPT)}")
    await expect(page.locator("#chips")).to_contain_text(TAG)
    await _is_text(page)


async def test_the_loupe_and_its_facts(hostile: Site, page: Page) -> None:
    await page.goto(f"{hostile.url}/review?mode=browse&sort=name&photo={_photo(hostile)['id']}")
    await expect(page.locator("#name")).to_have_text(NAME)
    await page.click("#facts-button")
    await expect(page.locator("#facts")).to_contain_text(LIGHT)
    await _is_text(page, NAME, CAMERA, LENS, SUBJECT, MOOD, LIGHT, TAG, PROJECT)


async def test_the_failed_lane_and_the_log(hostile: Site, page: Page) -> None:
    await page.goto(f"{hostile.url}/gallery?filter=failed&{_folder(hostile)}")
    await expect(page.locator(".failure p").first).to_contain_text(BROKEN)
    await _is_text(page, BROKEN)
    await page.goto(f"{hostile.url}/logs?q={quote(BROKEN)}")
    await expect(page.locator(".log .reason").first).to_contain_text(BROKEN)
    await page.locator(".log summary").first.click()
    await _is_text(page, BROKEN)


async def test_projects_and_duplicates(hostile: Site, page: Page) -> None:
    await page.goto(f"{hostile.url}/projects")
    card = page.locator(".project").filter(has_text=PROJECT)
    await expect(card.locator("h2")).to_have_text(PROJECT)
    await card.get_by_role("button", name="Delete").click()
    await expect(page.locator("dialog")).to_contain_text(PROJECT)
    await _is_text(page, PROJECT)
    await page.goto(f"{hostile.url}/duplicates?photo={_photo(hostile)['id']}")
    await expect(page.locator("#copies .burst").filter(has_text=NAME).first).to_be_visible()
    await _is_text(page, NAME, COPY)


async def test_the_first_page_its_folders_and_the_placard(hostile: Site, page: Page, tmp_path: Path) -> None:
    dropped = tmp_path / f"{BAIT}{DROPPED}.jpg"
    shutil.copy(make_photographs(tmp_path, 1, seed=791)[0], dropped)
    _write_tags(dropped)
    await page.goto(hostile.url)
    await expect(page.locator(".import").filter(has_text=f"{BAIT}library").first).to_be_visible()
    await page.set_input_files("#file", str(dropped))
    await expect(page.locator(".placard .card-text")).to_contain_text(CAMERA, timeout=60_000)
    await _is_text(page, f"{BAIT}library", CAMERA, LENS)
    upload = hostile.photos(folder="", q=DROPPED)[0]
    await _answer_as_the_model(hostile, upload["id"])
    await expect(page.locator(".placard h3")).to_have_text(SUBJECT, timeout=30_000)
    await _is_text(page, SUBJECT, MOOD, LIGHT, TAG)


async def test_what_is_said_of_a_decision_is_text_too(hostile: Site, page: Page) -> None:
    hostile.api("PUT", f"/api/photos/{_photo(hostile)['id']}/decision", json={"rating": 3}).raise_for_status()
    await page.goto(f"{hostile.url}/gallery?sort=name&{_folder(hostile)}")
    await expect(page.locator(".card img").first).to_be_visible()
    await page.locator(f".card[data-id='{_photo(hostile)['id']}']").focus()
    await page.keyboard.press("h")
    await expect(page.locator("dialog")).to_contain_text(f"History of {NAME}")
    await expect(page.locator("dialog .history li").first).to_contain_text("★★★")
    await _is_text(page)


# --- other sites --------------------------------------------------------------------------------------------------


@contextmanager
def _evil(html: str) -> Iterator[int]:
    """Another site, on a port of its own."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


_DECIDED = ("user_rating", "rejected", "manual_match", "status", "file_path")
_FORGERY = """
<form method=post action="{url}/api/stages/bursts/pause" target=frame><button>go</button></form>
<form method=post action="{url}/api/photos/{photo}/discard" enctype="text/plain" target=frame><button>go</button></form>
<iframe name=frame src="{url}/gallery"></iframe><img src="{url}/media/preview/{photo}">
<script>
for (const form of document.forms) form.submit();
const asked = [["/api/stages/bursts/pause", "POST", ""], ["/api/photos/{photo}/discard", "POST", "x"],
  ["/api/logs", "DELETE", null], ["/api/photos/{photo}/decision", "PUT", '{{"rating": 1}}']];
const sent = asked.flatMap(([path, method, body]) => ["no-cors", "cors"].map((mode) =>
  fetch("{url}" + path, {{ method, body, mode }}).then((answer) => answer.text()).catch(() => "refused")));
navigator.sendBeacon("{url}/api/stages/bursts/pause", "x");
const read = fetch("{url}/api/photos").then((answer) => answer.text()).catch(() => "refused");
Promise.all([...sent, read]).then((all) => {{ window.told = all.join(""); }});
</script>
"""


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1", "sub.localhost"])
async def test_another_site_can_neither_act_nor_read_nor_rebind(hostile: Site, name: str) -> None:
    """Another site, one on another port of this machine, and a name that leads to fineshyt's own port."""
    photo = _photo(hostile)
    before = hostile.api("GET", f"/api/photos/{photo['id']}").json()
    logs = hostile.api("GET", "/api/logs/count").json()["count"]
    with _evil(_FORGERY.format(url=hostile.url, photo=photo["id"])) as port:
        async with launched("--host-resolver-rules=MAP *.example 127.0.0.1,MAP *.localhost 127.0.0.1") as browser:
            page = await browser.new_page()
            await page.goto(f"http://{name}:{port}/")
            await page.wait_for_function("window.told !== undefined")
            told = await page.evaluate("window.told")
            assert await page.evaluate("document.images[0].naturalWidth") == 0
            await asyncio.sleep(0.5)
            if name != "127.0.0.1":
                rebound = await page.goto(f"http://{name}:{hostile.url.rpartition(':')[2]}/api/photos")
                assert rebound is not None
                assert rebound.status == 403
                told += await rebound.text()
    assert "file_path" not in told
    after = hostile.api("GET", f"/api/photos/{photo['id']}").json()
    assert [after[name] for name in _DECIDED] == [before[name] for name in _DECIDED]
    assert hostile.api("GET", "/api/logs/count").json()["count"] >= logs
    assert hostile.api("GET", "/api/status").json()["stages"]["bursts"]["paused"] is False
