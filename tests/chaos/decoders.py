"""A decoder that dies or hangs on one file, and is the real one for all others."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path
from typing import Any

from domain.imaging import conversion


def convert(original: Path, **options: Any) -> Any:
    if original.name == "doomed.jpg":
        if os.environ["FINESHYT_TEST_FATE"] == "segfault":
            ctypes.string_at(0)
        time.sleep(3600)
    return conversion.convert(original, **options)
