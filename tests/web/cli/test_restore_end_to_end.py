"""A machine is lost: the archive is restored on an empty home, and the same gallery hangs there again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos.photographs import make_photographs
from tests.web.cli.test_end_to_end import Person
from tests.web.cli.test_friends_end_to_end import eventually
from web.native.ports import free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]
PHOTOGRAPHS = 6
_ANEW = ("preview_url", "thumb_url")
"""Their addresses bear a generation."""


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Person]:
    person = Person(tmp_path)
    yield person
    person.stops()


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Person]:
    person = Person(tmp_path)
    person.home = tmp_path / "new home"
    yield person
    person.stops()


def _up(person: Person) -> str:
    return str(person.asks("up", "--detach", "--no-browser", f"--port={free_port()}")["url"])


def _gallery(url: str) -> list[Any]:
    items = httpx.get(f"{url}/api/photos", params={"sort": "-preference", "limit": 100}, timeout=30).json()["items"]
    for item in items:
        item["stages"].pop("curate", None)  # waits for a language model that is not there, due or sent as it happens
    return [{name: value for name, value in item.items() if name not in _ANEW} for item in items]


def test_the_same_gallery_on_an_empty_home(old: Person, new: Person, tmp_path: Path) -> None:
    roll = old.library / "roll"
    make_photographs(roll, PHOTOGRAPHS, seed=4004)
    url = _up(old)
    old.types("import", str(roll), "--sample", "all", "--wait")
    for item in _gallery(url):
        decided = {"rating": 1 + item["id"] % 5, "project": "Kept", "tags_add": ["fog"]}
        httpx.put(f"{url}/api/photos/{item['id']}/decision", json=decided).raise_for_status()
    eventually(lambda: _learnt(old))
    hung = _gallery(url)
    pixels = {item["id"]: _preview(url, item["id"]) for item in hung}

    saved = old.asks("backup", "--to", str(tmp_path / "other disk"))
    assert (saved["photos"], saved["proved"]) == (PHOTOGRAPHS, True)
    old.types("down")
    again = old.asks("backup", "--to", str(tmp_path / "other disk"), "--keep", "1")
    assert again["removed"] == [saved["path"]], "without a running fineshyt too"

    restored = new.asks("restore", again["path"])
    assert (restored["photos"], restored["previews"], restored["roots_missing"]) == (PHOTOGRAPHS, 0, [])
    url = _up(new)
    mended = new.asks("reconcile")
    assert (restored["previews_due"], mended["previews_due"], mended["embed_due"]) == (PHOTOGRAPHS, 0, 0)
    eventually(lambda: _status(new)["convert"]["due"] + _status(new)["convert"]["queued"] == 0)
    eventually(lambda: all(_preview(url, item["id"]) for item in hung) and _learnt(new))

    assert _differences(_gallery(url), hung) == []
    assert {item["id"]: _preview(url, item["id"]) for item in hung} == pixels
    refused = subprocess.run(
        [sys.executable, "-m", "web.cli", "restore", again["path"], "--home", str(new.home)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1 and f"{PHOTOGRAPHS} photographs already" in refused.stderr
    new.types("restore", again["path"], "--replace", code=1)  # while fineshyt is at work
    new.types("down")
    replaced = json.loads(new.types("restore", again["path"], "--replace", "--json").splitlines()[-1])
    assert (replaced["replaced"], Path(replaced["saved_before"]).is_file()) == (PHOTOGRAPHS, True)


def _learnt(person: Person) -> bool:
    """Every rating is in the model, and every photograph is scored with it."""
    state = person.asks("status")
    stage, model = state["stages"]["taste"], state["taste"]["model"]
    open_work = stage["due"] + stage["queued"] + stage["running"]
    return not open_work and model and model["n_ratings"] == PHOTOGRAPHS and model["scored_at"] is not None


def _differences(now: list[Any], before: list[Any]) -> list[Any]:
    """Order first, then what each photograph shows."""
    if [item["id"] for item in now] != [item["id"] for item in before]:
        return [[item["id"] for item in now], [item["id"] for item in before]]
    return [
        (n["id"], name, n[name], b[name]) for n, b in zip(now, before, strict=True) for name in b if n[name] != b[name]
    ]


def _status(person: Person) -> dict[str, Any]:
    stages: dict[str, Any] = person.asks("status")["stages"]
    return stages


def _preview(url: str, photo_id: int) -> bytes:
    address = httpx.get(f"{url}/api/photos/{photo_id}").json()["preview_url"]
    answer = httpx.get(f"{url}{address}")
    return answer.content if answer.status_code == 200 else b""
