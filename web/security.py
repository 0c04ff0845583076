"""Who may ask: a guard in front of every route against DNS rebinding and requests forged by other sites.

A request passes only if its `Host` is one of ours, its `Origin` (if any) is the page's own, and the browser does not
say that another site sent it. Programs that send neither `Origin` nor `Sec-Fetch-Site` (curl) pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.settings import Settings
from web.problems import problem

_ALWAYS = frozenset({"localhost", "127.0.0.1", "[::1]"})
ANY_ADDRESS = frozenset({"0.0.0.0", "::", "[::]", ""})  # noqa: S104 - names no host
_PORT = re.compile("[0-9]{0,5}")
_DEFAULT_PORTS = {"http": "80", "https": "443"}

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

RESPONSE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def split_host(value: str) -> tuple[str, str]:
    """`(host, port)` of a Host header, lower-cased; an IPv6 address keeps its brackets; the port may be empty."""
    value = value.strip().lower()
    if value.startswith("["):
        host, bracket, rest = value.partition("]")
        return host + bracket, rest.removeprefix(":")
    host, _, port = value.partition(":")
    return host, port


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Names under which this server may be addressed, without ports."""
    bind = settings.host.lower()
    bind = f"[{bind}]" if ":" in bind and not bind.startswith("[") else bind
    named = {split_host(name)[0] for name in settings.allowed_hosts.replace(",", " ").split()}
    return frozenset((_ALWAYS | named | {bind}) - ANY_ADDRESS)


def refusal(method: str, headers: Mapping[str, str], hosts: frozenset[str]) -> str | None:
    """Why a request is refused, in a sentence; None when it may pass. `headers` has lower-case names."""
    host, port = split_host(headers.get("host", ""))
    if host not in hosts or not _PORT.fullmatch(port):
        return (
            f"This address ({host or 'none'}) is not one of fineshyt's. "
            "Use http://localhost, or add the name to FINESHYT_ALLOWED_HOSTS."
        )
    origin = headers.get("origin")
    if origin is not None and not _same_origin(origin, host, port):
        return "Another site sent this request. Open fineshyt's own page and do it there."
    if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _reads_a_page(method, headers):
        return "Another site sent this request. Open fineshyt's own page and do it there."
    return None


def _same_origin(origin: str, host: str, port: str) -> bool:
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.netloc:
        return False
    origin_host, origin_port = split_host(parts.netloc)
    return origin_host == host and (origin_port or default) == (port or default)


def _reads_a_page(method: str, headers: Mapping[str, str]) -> bool:
    """A person followed a link to one of our pages."""
    return (
        method in ("GET", "HEAD")
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


class Guard:
    """ASGI middleware: refuses what `refusal` refuses, and puts the strict headers on every response."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        twice = len(headers.getlist("host")) > 1 or len(headers.getlist("origin")) > 1
        reason = "The request names two hosts." if twice else refusal(scope.get("method", "GET"), headers, self._hosts)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(RESPONSE_HEADERS)
            await send(message)

        app = self._app if reason is None else problem(403, reason)
        await app(scope, receive, send_guarded)
