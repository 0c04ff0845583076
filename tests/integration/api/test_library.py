"""Imports, folders, uploads, stages, logs and operations; paths stay below the roots."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.integration.archive import Archive
from tests.integration.messages import failure
from web import assets, stages

pytestmark = pytest.mark.integration

PAGES = ("/", "/gallery", "/review", "/projects", "/bursts", "/taste", "/logs")


async def test_an_import_starts_is_shown_and_stops(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()

    begun = await client.post("/api/imports", json={"path": str(root), "sample": "all", "project": "Fog"})
    shown = await client.get(begun.headers["location"])
    stopped = await client.delete(begun.headers["location"])

    assert begun.status_code == 201
    assert (shown.json()["status"], shown.json()["project"], shown.json()["sample"]) == ("scanning", "Fog", None)
    assert stopped.json()["status"] == "stopped"
    assert (await client.get("/api/imports/999")).status_code == 404


async def test_nothing_outside_the_roots_is_looked_at(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    outside = archive.folder / "outside"
    outside.mkdir()
    (root / "way out").symlink_to(outside)

    for path in ("/etc", str(outside), str(root / "way out"), f"{root}/../outside"):
        assert (await client.post("/api/imports", json={"path": path})).status_code == 403, path
        assert (await client.get("/api/folders", params={"path": path})).status_code == 403, path
    assert (await client.post("/api/imports", json={"path": str(root / "nowhere")})).status_code == 404
    listed = (await client.get("/api/folders", params={"path": str(root)})).json()
    assert listed["folders"] == []


@pytest.mark.parametrize(
    "path", ["~nobody-of-that-name/x", "/no\x00where", "/" + "x" * 300, "/half \ud800", "relative/folder"]
)
async def test_a_path_that_is_none_is_refused_in_words(archive: Archive, client: httpx.AsyncClient, path: str) -> None:
    root = await archive.root()
    below = path if path.startswith("~") else f"{root}/{path}"
    for asked in (path, below):
        for where in ("/api/imports", "/api/catalogues/ratings"):
            refused = await client.post(where, content=json.dumps({"path": asked}))
            assert refused.status_code in {403, 404, 422}, (where, asked, refused.text)
            assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/imports/9223372036854775808", None),
        ("GET", "/api/history?before=99999999999999999999", None),
        ("GET", "/api/photos?stack=9223372036854775808", None),
        ("GET", "/api/photos?tag=%00", None),
        ("GET", "/api/logs?minutes=1e300", None),
        ("GET", "/api/projects/%00", None),
        ("GET", "/api/taste/next?seed=-1", None),
        ("POST", "/api/photos/by-ids", {"ids": [2**63]}),
        ("POST", "/api/photos/decisions", {"ids": [2**64], "rating": 3}),
        ("POST", "/api/photos/decisions", {"ids": [1], "project": "Fog\x00"}),
        ("POST", "/api/photos/decisions", {"ids": [1], "project": "Fog \ud800"}),
        ("POST", "/api/undo", {"as_of": "0001-01-01T00:00:00+14:00"}),
    ],
)
async def test_what_no_column_holds_is_refused_in_words(
    archive: Archive, client: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    await archive.ready_photo(await archive.root(), "a.jpg")

    refused = await client.request(method, path, content=None if body is None else json.dumps(body))

    assert refused.status_code == 422, refused.text
    assert refused.headers["content-type"] == "application/problem+json"


async def test_folders_are_listed_without_hidden_ones(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    for name in ("2024", "2023", ".hidden"):
        (root / name).mkdir()
    (root / "a.jpg").write_bytes(b"x")

    listed = (await client.get("/api/folders", params={"path": str(root)})).json()

    assert [folder["name"] for folder in listed["folders"]] == ["2023", "2024"]
    assert listed["pictures"] == 1
    assert [r["path"] for r in (await client.get("/api/roots")).json()["items"]] == [str(root)]


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.exe", b"x", 415),
        ("a.jpg", b"", 422),
        ("../../evil\n.JPG", b"pixels", 202),
        ("a" * 300 + ".tif", b"x", 202),
        ("写" * 119 + ".tif", b"x", 202),  # three bytes each, and a name holds 255
    ],
)
async def test_an_upload_keeps_to_its_folder(
    archive: Archive, client: httpx.AsyncClient, name: str, content: bytes, status: int
) -> None:
    answer = await client.post("/api/uploads", files={"file": (name, content)})

    assert answer.status_code == status
    uploads = archive.settings.home / "uploads"
    files = [path for path in archive.folder.rglob("*") if path.is_file() and path.read_bytes() == content != b""]
    assert all(path.is_relative_to(uploads) for path in files)
    if status == 202:
        assert (await client.get(answer.json()["url"])).json()["photo_id"] == answer.json()["photo_id"]
        job = await archive.job("convert", answer.json()["photo_id"])
        assert (job["status"], job["urgent"]) == ("due", True)


async def test_stages_pause_and_resume(archive: Archive, client: httpx.AsyncClient) -> None:
    await client.post("/api/stages/convert/pause")
    paused = (await client.get("/api/status")).json()["stages"]["convert"]
    await client.post("/api/stages/convert/resume")
    resumed = (await client.get("/api/status")).json()["stages"]["convert"]

    assert (paused["paused"], paused["reason"]) == (True, "Paused by you.")
    assert resumed["paused"] is False
    assert (paused["paused_by"], resumed["paused_by"]) == ("person", None)
    assert (await client.post("/api/stages/nonsense/pause")).status_code == 404


async def test_an_open_breaker_says_when_it_tries_again(archive: Archive, client: httpx.AsyncClient) -> None:
    await stages.open_breaker(archive.connection, "curate", "The language model does not answer.")

    broken = (await client.get("/api/status")).json()["stages"]["curate"]
    await client.post("/api/stages/curate/pause")
    held = (await client.get("/api/status")).json()["stages"]["curate"]

    assert (broken["paused_by"], broken["reason"]) == ("breaker", "The language model does not answer.")
    seconds = (datetime.fromisoformat(broken["until"]) - datetime.now(UTC)).total_seconds()
    assert 0 < seconds <= stages.FIRST_PROBE_S
    assert (held["paused_by"], held["until"]) == ("person", None)


async def test_the_log_is_filtered_and_cleared(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    await archive.apply(failure("embed", photo))
    await archive.apply(failure("curate", photo, "permanent"))

    assert len((await client.get("/api/logs")).json()["items"]) == 2
    [line] = (await client.get("/api/logs?worker=embed&status=retrying&minutes=5&q=picture")).json()["items"]
    assert (line["attempt"], line["max_attempts"]) == (1, archive.settings.max_attempts)
    assert (await client.delete("/api/logs")).json() == {"deleted": 2}


async def test_pages_and_operations_answer(client: httpx.AsyncClient) -> None:
    for path in (*PAGES, "/docs", "/healthz", "/readyz", "/openapi.json", "/favicon.ico"):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "fineshyt_stage_paused" in (await client.get("/metrics")).text


async def test_every_file_that_a_page_names_is_there_and_is_kept_for_good(client: httpx.AsyncClient) -> None:
    for page in PAGES:
        named = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', (await client.get(page)).text))
        assert len(named) > 4
        for path in sorted(named):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert "immutable" in answer.headers["cache-control"]


async def test_a_page_asks_at_once_for_every_module_that_it_imports(client: httpx.AsyncClient) -> None:
    page = (await client.get("/review")).text

    for module in ("core/api.js", "loupe/zoom.js", "parts/dialog.js"):
        assert f'rel="modulepreload" href="{assets.address()}/{module}"' in page


async def test_errors_are_problems_with_a_sentence(client: httpx.AsyncClient) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("DELETE", "/api/photos", 405),
        ("GET", "/api/photos/x", 422),
    ):
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"].endswith((".", "/docs."))


async def test_search_by_words_says_why_likeness_took_no_part(archive: Archive, client: httpx.AsyncClient) -> None:
    photo = await archive.ready_photo(await archive.root(), "harbour.jpg")

    answer = (await client.get("/api/search", params={"q": "harbour"})).json()

    assert [item["id"] for item in answer["items"]] == [photo]
    assert answer["by_likeness"] is False
    assert answer["note"]


async def test_copies_are_listed_as_duplicates(archive: Archive, client: httpx.AsyncClient) -> None:
    root = await archive.root()
    photos = [await archive.ready_photo(root, name, "pixels") for name in ("a.jpg", "copy.jpg")]

    [group] = (await client.get("/api/duplicates")).json()["items"]

    assert (group["kind"], [p["id"] for p in group["photos"]]) == ("same_pixels", photos)
