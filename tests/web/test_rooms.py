"""What the processes of the web room really load: no network of neurons, no decoder of camera files."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = {"torch", "torchvision", "open_clip", "rawpy", "sklearn", "pyvips"}


@pytest.mark.parametrize("entry", ["web.__main__", "web.results.__main__", "web.cli"])
def test_a_process_of_the_web_room_stays_light(entry: str) -> None:
    program = f"import sys, {entry}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "web" in loaded
    assert not loaded & _HEAVY
