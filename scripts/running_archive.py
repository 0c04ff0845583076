"""A fineshyt of its own with a large archive in it, for benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser.conftest import command
from web.native.home import Home
from web.native.ports import free_port


@contextmanager
def running_archive(photos: int) -> Iterator[tuple[Home, str]]:
    """The home and the address of a native stack that `make_archive.py` filled; it ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        home, library = Path(folder) / "home", Path(folder) / "library"
        library.mkdir()
        started = command(
            home, "up", "--detach", "--no-browser", f"--port={free_port()}", "--json",
            PHOTO_LIBRARY=str(library), FREE_DISK_GB="0", FINESHYT_ENCODER="bundled", LLM_BASE_URL="http://127.0.0.1:9/v1/",
        )  # fmt: skip
        try:
            script = Path(__file__).with_name("make_archive.py")
            subprocess.run([sys.executable, str(script), str(home), f"--photos={photos}"], check=True)
            yield Home(home), json.loads(started.splitlines()[-1])["url"]
        finally:
            command(home, "down")
