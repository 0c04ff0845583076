"""What a request may reach: no file but derivatives and our own pages, and nothing at all for other sites.

Asked over a plain socket, since every client of HTTP tidies paths up before it sends them.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.abuse.conftest import SECRET, Web

pytestmark = pytest.mark.integration

_UP = (
    "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "....//", ".%2e/", "%252e%252e%252f", "%c0%ae%c0%ae/",
    "..%00/", "..;/", "%uff0e%uff0e/",
)  # fmt: skip
_TARGETS = ("secret.txt", "web/app.py", "etc/passwd", "run.json")
_LEAKS = (SECRET.encode(), b"create_app", b"root:x:0:0", b"amqp://")


def _raw(web: Web, target: str, *headers: str, method: str = "GET", host: str | None = None) -> tuple[int, bytes]:
    """Status and everything that came back."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host or f'127.0.0.1:{web.port}'}", *headers, "Connection: close"]
    with socket.create_connection(("127.0.0.1", web.port), 20) as line:
        line.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(status.group(1)) if status else 0, answer


def _ways(prefixes: list[str]) -> Iterator[str]:
    for prefix in prefixes:
        for up in _UP:
            for depth in (1, 4, 12):
                for target in _TARGETS:
                    yield f"{prefix}{up * depth}{target}"
        for target in ("/etc/passwd", "//etc/passwd", "%2fetc%2fpasswd", "file:///etc/passwd", "%00", "C:%5cboot.ini"):
            yield f"{prefix}{target}"


def test_no_path_leads_out_of_what_is_served(web: Web) -> None:
    pages = web.client.get("/gallery").text
    static = re.search(r"/static/[0-9a-f]+/", pages)
    assert static is not None
    prefixes = [
        "/", static.group(), "/static/", "/media/", "/media/preview/", "/media/preview/1/", "/media/tiles/1/0/",
        "/media/tiles/1/", "/api/uploads/", "/api/photos/", "/api/projects/", "/docs/", "/api/stages/",
    ]  # fmt: skip
    asked = 0
    for target in _ways(prefixes):
        status, answer = _raw(web, target)
        assert 400 <= status < 500, (target, answer[:300])
        assert not any(leak in answer for leak in _LEAKS), target
        asked += 1
    assert asked > 2000


def test_no_path_in_a_request_leads_out_of_the_library(web: Web) -> None:
    outside = web.library.parent / "outside"
    outside.mkdir()
    (outside / "library.db").write_text(SECRET)
    (web.library / "door").symlink_to(outside)
    (web.library / "door.db").symlink_to(outside / "library.db")
    (web.library / "loop").symlink_to(web.library / "loop")
    paths = [
        "/etc", str(outside), f"{web.library}/../outside", f"{web.library}/door", f"{web.library}/./2024/../../outside",
        f"{web.library}/loop", f"{web.library}/2024/%2e%2e/%2e%2e/outside", f"file://{outside}", "~", "~root", "..",
        f"{web.library}\x00/../outside", f"{web.library}-beside", f"//{outside}", "\\\\server\\share", "/proc/self",
    ]  # fmt: skip
    for path in paths:
        asked = {
            "folders": web.client.get("/api/folders", params={"path": path}),
            "imports": web.client.post("/api/imports", json={"path": path}),
            "catalogues": web.client.post("/api/catalogues/ratings", json={"path": f"{path}/library.db"}),
        }
        for where, answer in asked.items():
            assert 400 <= answer.status_code < 500, (where, path, answer.text)
            assert SECRET not in answer.text
    linked = web.client.post("/api/catalogues/ratings", json={"path": f"{web.library}/door.db"})
    assert linked.status_code == 403


def test_a_name_of_another_site_that_leads_here_is_refused(web: Web) -> None:
    """DNS rebinding: the browser takes the address for the attacker's own site and says so in `Host`."""
    for host in (
        "evil.example", f"evil.example:{web.port}", f"localhost.evil.example:{web.port}", "127.0.0.1.evil.example",
        f"127.0.0.1@evil.example:{web.port}", f"evil.example#127.0.0.1:{web.port}", "0.0.0.0", f"[::]:{web.port}",
        "2130706433", "127.1", "0x7f.1", "", f"localhost:{web.port}]", "localhost:x", " ",
    ):  # fmt: skip
        for target in ("/", "/api/photos", "/openapi.json", "/events", "/media/preview/1", "/nothing"):
            status, answer = _raw(web, target, host=host or "\t")
            assert status in (400, 403), (host, target, answer[:300])
            assert b"file_path" not in answer
    twice, _ = _raw(web, "/api/photos", "Host: evil.example")
    named, _ = _raw(web, "http://evil.example/api/photos", host="evil.example")
    assert {twice, named} <= {400, 403}


_FOREIGN: tuple[dict[str, str], ...] = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "file://"},
    {"Origin": "http://[evil"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
)


def test_what_another_site_sends_changes_nothing(web: Web) -> None:
    """As forms, beacons and scripts of another site would send it, without asking first."""
    photo = web.photos[0]
    asked = (
        ("POST", "/api/photos/decisions", f'{{"ids": [{photo}], "rejected": true}}'),
        ("PUT", f"/api/photos/{photo}/decision", '{"rating": 5}'),
        ("POST", f"/api/photos/{photo}/discard", "{}"),
        ("POST", "/api/trash/empty", '{"expected": 0}'),
        ("POST", "/api/stages/convert/pause", ""),
        ("POST", "/api/imports", json.dumps({"path": str(web.library)})),
        ("DELETE", "/api/logs", ""),
    )
    before = web.client.get(f"/api/photos/{photo}").json()
    for headers in _FOREIGN:
        for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
            for method, path, body in asked:
                answer = web.client.request(method, path, content=body, headers=headers | {"Content-Type": kind})
                assert answer.status_code == 403, (method, path, kind, headers)
    assert web.client.get(f"/api/photos/{photo}").json() == before
    assert web.client.get("/api/status").json()["stages"]["convert"]["paused"] is False
    assert web.client.get("/api/logs/count").json()["count"] > 0


def test_what_is_dropped_on_the_page_stays_in_its_folder(web: Web) -> None:
    homes = web.library.parent
    before = {path for path in homes.rglob("*") if path.is_file()}
    names = ("../../x.jpg", "..\\..\\x.jpg", "/etc/x.jpg", "x\x00.jpg", "a/../../../x.jpg", "写" * 200 + ".jpg", ".jpg")
    for name in names:
        form = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\npixels\r\n--b--\r\n'
        answer = web.client.post(
            "/api/uploads", content=form.encode(), headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        assert answer.status_code in (202, 400, 415, 422), (name, answer.text)
    new = {path for path in homes.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(homes / "home" / "uploads") for path in new - {web.log}), new


def test_a_search_is_never_read_as_a_pattern_or_a_statement(web: Web) -> None:
    for words in ("'; DROP TABLE photos; --", "%", "_", "\\", "$1", "{0}", "a" * 90, "\\x00", '"', "&|!()<>:*"):
        for field in ("q", "tag", "project", "camera", "folder", "minus"):
            answer = web.client.get(f"/api/photos?{field}={quote(words)}")
            assert answer.status_code == 200, (field, words, answer.text)
            assert answer.json()["items"] == [] or field == "minus" or (field, words) == ("q", "_"), (field, words)
    assert web.client.get("/api/photos").json()["total"] >= 8
