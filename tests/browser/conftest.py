"""A real Chromium against the real native stack with a real import; nothing is mocked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, async_playwright

from tests.chaos.photographs import make_photographs
from web.native.ports import free_port

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HOSTILE = "<img src=x onerror=document.title=1>.jpg"
PHOTOGRAPHS = 10


@dataclass
class Site:
    """The running fineshyt: its address, and a library of `PHOTOGRAPHS`, a broken file and a hostile name."""

    url: str
    library: Path

    def api(self, method: str, path: str, **options: object) -> httpx.Response:
        return httpx.request(method, self.url + path, timeout=30, **options)  # type: ignore[arg-type]


def _command(home: Path, *arguments: str, **environment: str) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FINESHYT", "LLM_", "CLIP_", "PHOTO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "web.cli", *arguments, "--home", str(home)],
        env=kept | environment, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not any(shutil.which(name) for name in _BROWSERS):
        pytest.skip("There is no Chromium here. Install it with: sudo apt-get install chromium")
    folder = Path(tmp_path_factory.mktemp("site"))
    library = folder / "library"
    paths = make_photographs(library / "roll", PHOTOGRAPHS, seed=700)
    paths[0].rename(library / "roll" / HOSTILE)
    (library / "roll" / "broken.jpg").write_text("no picture")
    make_photographs(library / "second", 3, seed=701)
    started = _command(
        folder / "home", "up", "--detach", "--no-browser", f"--port={free_port()}", "--json",
        PHOTO_LIBRARY=str(library), FREE_DISK_GB="0", FINESHYT_ENCODER="bundled", LLM_BASE_URL="http://127.0.0.1:9/v1/",
    )  # fmt: skip
    yield Site(json.loads(started.splitlines()[-1])["url"], library)
    _command(folder / "home", "down")


@pytest.fixture
async def page(site: Site) -> AsyncIterator[Page]:
    """A fresh browser; what its console or its security policy complains of fails the test."""
    path = next(found for name in _BROWSERS if (found := shutil.which(name)))
    arguments = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    arguments += ["--disable-sync", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(30_000)
        page.on(
            "console", lambda m: faults.append(m.text) if m.type == "error" and "status of 4" not in m.text else None
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        await browser.close()
    assert faults == []
