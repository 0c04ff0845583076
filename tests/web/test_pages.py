"""Addresses that pages tell a person to go to."""

from __future__ import annotations

import pytest

from contracts.settings import Settings
from web.pages import management_page


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("http://fineshyt:secret@127.0.0.1:15672/", "http://127.0.0.1:15672/"),
        ("http://192.168.1.5:15672", "http://192.168.1.5:15672/"),
        ("http://0.0.0.0:15672/", "http://nas.local:15672/"),
        ("http://fineshyt:secret@[::]:15672/", "http://nas.local:15672/"),
        ("", None),
        ("javascript:alert(1)", None),
    ],
)
def test_the_management_page_is_named_as_a_browser_reaches_it(setting: str, shown: str | None) -> None:
    assert management_page(Settings(RABBITMQ_MANAGEMENT_URL=setting), "nas.local") == shown


def test_an_address_of_ip_version_6_keeps_its_brackets() -> None:
    settings = Settings(RABBITMQ_MANAGEMENT_URL="http://0.0.0.0:15672/")

    assert management_page(settings, "fd00::5") == "http://[fd00::5]:15672/"
