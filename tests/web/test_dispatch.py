"""The nightly window of the language model."""

from __future__ import annotations

from datetime import time

import pytest

from web.relay.dispatch import in_window


@pytest.mark.parametrize(
    ("window", "now", "open_"),
    [
        ("", time(12), True),
        ("22:00-07:00", time(23), True),
        ("22:00-07:00", time(6, 59), True),
        ("22:00-07:00", time(7), False),
        ("22:00-07:00", time(12), False),
        ("01:00-05:00", time(3), True),
        ("01:00-05:00", time(0, 59), False),
    ],
)
def test_a_window_may_cross_midnight(window: str, now: time, open_: bool) -> None:
    assert in_window(window, now) is open_
