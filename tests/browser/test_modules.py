"""The pages' modules, checked without a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from web.assets import STATIC, modules

HERE = Path(__file__).parent


def test_the_modules_are_typed() -> None:
    checker = HERE / "node_modules" / "typescript" / "bin" / "tsc"
    node = shutil.which("node") or str(HERE.parents[1] / ".venv" / "bin" / "node")
    assert checker.is_file(), "The type checker is missing. Set it up with: make setup-test"

    done = subprocess.run([node, str(checker), "-p", str(HERE)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_every_module_is_reached_from_a_page() -> None:
    pages = [f"pages/{page.name}" for page in (STATIC / "pages").glob("*.js")]
    reached = {module for page in pages for module in modules(page)} | set(pages)

    here = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js")}
    ours = {path for path in here if not path.startswith(("docs/", "vendor/"))}

    assert ours == reached


def test_the_vendored_zoom_is_the_one_whose_types_are_checked() -> None:
    lock = (HERE / "package-lock.json").read_text()
    version = re.search(r'"node_modules/openseadragon": \{\s+"version": "([^"]+)"', lock)
    vendored = (STATIC / "vendor" / "openseadragon" / "openseadragon.min.js").read_text()[:400]

    assert version is not None
    assert f"openseadragon {version[1]}" in vendored
