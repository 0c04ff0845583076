"""A real Chromium against the real native stack with a real import; nothing is mocked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.chaos.photographs import make_burst, make_photographs
from web.native.ports import free_port

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
PATIENCE_S = 45
"""For what the browser waits: a busy machine is no reason to fail."""
expect.set_options(timeout=PATIENCE_S * 1000)
IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="session")
"""For every module here: the browser belongs to the loop that started it."""
HOSTILE = "<img src=x onerror=document.title=1>.jpg"
PHOTOGRAPHS = 12
BURST = 4


@dataclass
class Site:
    """The running fineshyt, and a library with a roll of `PHOTOGRAPHS`, a broken file and a hostile name."""

    url: str
    library: Path
    home: Path
    pids: dict[str, int] = field(default_factory=dict)

    def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, timeout=30, **options)

    def roll(self, **more: object) -> str:
        """The gallery's address of the roll, by name."""
        return f"{self.url}/gallery?{self.query(**more)}"

    def query(self, **more: object) -> str:
        wanted = {"sort": "name", "folder": str(self.library / "roll")} | more
        return "&".join(f"{name}={quote(str(value))}" for name, value in wanted.items())

    def photos(self, **more: object) -> list[dict[str, Any]]:
        """The items of the roll, by name."""
        items: list[dict[str, Any]] = self.api("GET", f"/api/photos?{self.query(**more)}").json()["items"]
        return items

    def wait_for(self, what: str, found: Any, seconds: float = 60) -> None:
        """Until `found()` is true."""
        deadline = time.monotonic() + seconds
        while not found():
            assert time.monotonic() < deadline, f"{what} did not come"
            time.sleep(0.2)

    def all_of_the_roll(self) -> list[int]:
        return [photo["id"] for tab in ("all", "rejected") for photo in self.photos(filter=tab)]

    def as_new(self) -> None:
        """Nothing of the roll is decided."""
        ids = self.all_of_the_roll()
        nothing = {"rating": None, "manual_match": False, "rejected": False, "project": None, "seen": False}
        self.api("POST", "/api/photos/decisions", json={"ids": ids, **nothing}).raise_for_status()


def command(home: Path, *arguments: str, expected: tuple[int, ...] = (0,), **environment: str) -> str:
    """What `fineshyt ARGUMENTS --home HOME` prints, free of this machine's own settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FINESHYT", "LLM_", "CLIP_", "PHOTO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "web.cli", *arguments, "--home", str(home)],
        env=kept | environment, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode in expected, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="package")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Started once for all tests here."""
    if not any(shutil.which(name) for name in _BROWSERS):
        pytest.skip("There is no Chromium here. Install it with: sudo apt-get install chromium")
    if subprocess.run([sys.executable, "-m", "playwright", "--version"], capture_output=True, check=False).returncode:
        pytest.skip("Playwright's driver does not run here. Install what it needs: sudo apt-get install libatomic1")
    folder = Path(tmp_path_factory.mktemp("site"))
    library = folder / "library"
    paths = make_photographs(library / "roll", PHOTOGRAPHS, seed=700, size=(2000, 1500))
    paths[0].rename(library / "roll" / HOSTILE)
    (library / "roll" / "broken.jpg").write_text("no picture")
    make_photographs(library / "second", 3, seed=701)
    make_burst(library / "burst", BURST, seed=703)
    started = command(
        folder / "home", "up", "--detach", "--no-browser", f"--port={free_port()}", "--json",
        PHOTO_LIBRARY=str(library), FREE_DISK_GB="0", FINESHYT_ENCODER="bundled", LLM_BASE_URL="http://127.0.0.1:9/v1/",
    )  # fmt: skip
    state = json.loads(started.splitlines()[-1])
    site = Site(state["url"], library, folder / "home", state["pids"])
    yield site
    command(folder / "home", "down")


@pytest.fixture
def site(running_site: Site) -> Site:
    """The running site as it is."""
    return running_site


@pytest.fixture
def imported(running_site: Site) -> Site:
    """The roll hangs in the gallery, and nothing of it is decided."""
    if len(running_site.all_of_the_roll()) < PHOTOGRAPHS:
        running_site.api("POST", "/api/imports", json={"path": str(running_site.library / "roll"), "sample": "all"})
        running_site.wait_for("the roll", lambda: len(running_site.photos()) == PHOTOGRAPHS)
    running_site.as_new()
    return running_site


@asynccontextmanager
async def launched(*more: str) -> AsyncIterator[Browser]:
    path = next(found for name in _BROWSERS if (found := shutil.which(name)))
    arguments = [*_ARGUMENTS, *more, "--disable-sync", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser(running_site: Site) -> AsyncIterator[Browser]:
    """One Chromium for all tests; they share its event loop."""
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[BrowserContext]:
    """A browser without a past; what a console or the security policy complains of fails the test.

    Tests marked `offline` cut the connection: what the console says of that is no fault.
    """
    faults: list[str] = []
    cut = request.node.get_closest_marker("offline") is not None

    def told(kind: str, text: str) -> None:
        known = "status of 4" in text or (cut and ("net::ERR" in text or "status of 5" in text))
        if kind == "error" and not known:
            faults.append(text)

    def watch(page: Page) -> None:
        page.on("console", lambda message: told(message.type, message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))

    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_S * 1000)
    context.on("page", watch)
    yield context
    await context.close()
    assert faults == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> Page:
    return await context.new_page()


async def open_roll(site: Site, page: Page, **more: object) -> None:
    """The roll's gallery, loaded."""
    await page.goto(site.roll(**more))
    await expect(page.locator("#counted")).to_have_text(f"{PHOTOGRAPHS} photographs")
    await expect(page.locator(".card img").first).to_be_visible()
