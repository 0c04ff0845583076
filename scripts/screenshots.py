"""Pictures of the pages of a running fineshyt: `python scripts/screenshots.py http://127.0.0.1:4000 FOLDER`."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from playwright.async_api import async_playwright

WIDTHS = {390: 844, 1280: 800, 2560: 1440}
PAGES = {"import": "/", "gallery": "/gallery", "failed": "/gallery?filter=failed", "logs": "/logs"}
ARGUMENTS = ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]


async def take(base: str, folder: Path) -> None:
    """Every page at every width, light and dark, as `PAGE-WIDTH-SCHEME.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=browser_path, args=arguments)
        for scheme in ("light", "dark"):
            for width, height in WIDTHS.items():
                context = await browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                page = await context.new_page()
                for name, path in PAGES.items():
                    await page.goto(base + path)
                    await page.wait_for_timeout(1500)
                    await page.screenshot(path=folder / f"{name}-{width}-{scheme}.png")
                await context.close()
        await browser.close()


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1], Path(sys.argv[2])))
