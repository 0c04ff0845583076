"""What `xmp:Rating` means."""

from __future__ import annotations

from typing import Literal

Stars = Literal[-1, 1, 2, 3, 4, 5]
MAX_SIDECAR_BYTES = 16 << 20


def stars_of(text: str) -> Stars | None:
    """`xmp:Rating`: 1..5, -1 (or below) reject, 0 none. Some programs write `3.0`."""
    if not is_number(text):
        return None
    value = round(float(text))
    if value < 0:
        return -1
    return min(value, 5) or None  # type: ignore[return-value]


def is_number(text: str) -> bool:
    """Whether a rating's text says anything at all."""
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
