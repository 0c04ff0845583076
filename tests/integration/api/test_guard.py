"""Who may ask: DNS rebinding and requests of other sites are refused on every route."""

from __future__ import annotations

import re

import httpx
import pytest

from contracts.settings import Settings
from web import assets
from web.security import allowed_hosts, refusal

pytestmark = pytest.mark.integration

_HOSTS = allowed_hosts(Settings(FINESHYT_ALLOWED_HOSTS="darkroom.local"))


@pytest.mark.parametrize(
    ("method", "headers", "passes"),
    [
        ("GET", {"host": "localhost:4000"}, True),
        ("POST", {"host": "127.0.0.1:4000"}, True),
        ("POST", {"host": "[::1]:4000"}, True),
        ("POST", {"host": "darkroom.local:4000"}, True),
        ("GET", {}, False),
        ("GET", {"host": "evil.example"}, False),
        ("GET", {"host": "localhost.evil.example:4000"}, False),
        ("GET", {"host": "localhost:4000]"}, False),
        ("GET", {"host": "localhost:port"}, False),
        ("POST", {"host": "localhost:4000", "origin": "http://localhost:4000"}, True),
        ("POST", {"host": "localhost:4000", "origin": "http://localhost:5000"}, False),
        ("POST", {"host": "localhost:4000", "origin": "http://evil.example"}, False),
        ("POST", {"host": "localhost:4000", "origin": "null"}, False),
        ("POST", {"host": "localhost:4000", "sec-fetch-site": "same-origin"}, True),
        ("POST", {"host": "localhost:4000", "sec-fetch-site": "cross-site"}, False),
        ("GET", {"host": "localhost:4000", "sec-fetch-site": "same-site"}, False),
        (
            "GET",
            {
                "host": "localhost",
                "sec-fetch-site": "cross-site",
                "sec-fetch-mode": "navigate",
                "sec-fetch-dest": "document",
            },
            True,
        ),
        (
            "POST",
            {
                "host": "localhost",
                "sec-fetch-site": "cross-site",
                "sec-fetch-mode": "navigate",
                "sec-fetch-dest": "document",
            },
            False,
        ),
        (
            "GET",
            {
                "host": "localhost",
                "sec-fetch-site": "cross-site",
                "sec-fetch-mode": "navigate",
                "sec-fetch-dest": "iframe",
            },
            False,
        ),
    ],
)
def test_the_rule(method: str, headers: dict[str, str], passes: bool) -> None:
    assert (refusal(method, headers, _HOSTS) is None) is passes


async def test_every_route_refuses_strange_hosts_and_other_sites(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    routes = [(method, re.sub(r"\{.*?\}", "1", path)) for path, methods in paths.items() for method in methods]
    pages = ("/", "/gallery", "/review", "/projects", "/bursts", "/taste", "/logs", "/docs", "/openapi.json")
    routes += [("get", path) for path in (*pages, f"{assets.address()}/core/api.js")]
    assert len(routes) > 40
    for method, path in routes:
        for strange in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await client.request(method.upper(), path, headers=strange)
            assert answer.status_code == 403, (method, path, strange)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-type"] == "application/problem+json"
