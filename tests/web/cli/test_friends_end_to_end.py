"""Other programs and watched folders on a whole native stack: real decoders, the real pipeline, Exiv2 as the friend."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.xmp import with_stars
from domain.xmp_containers import embedded_packet, image_data_hash, write_with_packet
from tests.chaos.photographs import make_photographs
from tests.domain.xmp_samples import exiv2_properties
from tests.web.cli.test_end_to_end import Person
from web.native.ports import free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    person = Person(tmp_path)
    yield person
    person.stops()


def eventually(condition: Callable[[], Any], seconds: float = 240.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.5)
    return answer


def test_stars_go_out_and_come_back_and_a_watched_folder_follows(person: Person) -> None:
    roll = person.library / "roll"
    first, second = make_photographs(roll, 2, seed=77)
    started = person.asks("up", "--detach", "--no-browser", f"--port={free_port()}")
    url = started["url"]

    def photos() -> dict[str, Any]:
        items = httpx.get(f"{url}/api/photos", params={"filter": "all"}).json()["items"]
        return {item["file_path"]: item for item in items}

    person.types("import", str(roll), "--sample", "all", "--wait")
    photo = photos()[str(first)]
    httpx.put(f"{url}/api/photos/{photo['id']}/decision", json={"rating": 5}).raise_for_status()
    picture = image_data_hash(first)
    person.types("xmp", "allow", "1", "embedded")

    person.types("xmp", "write", "--embed")
    assert exiv2_properties(first)["Xmp.xmp.Rating"] == "5"
    assert image_data_hash(first) == picture
    again = person.asks("import", str(roll), "--sample", "all", "--wait")
    assert again["import"]["photos_selected"] == 0, "our own writing is read by no import"

    elsewhere = first.with_name("elsewhere.tmp.jpg")
    write_with_packet(first, with_stars(embedded_packet(first), 2), elsewhere)
    os.replace(elsewhere, first)
    assert person.asks("xmp", "read", "--accept")["taken"] == 1
    assert photos()[str(first)]["user_rating"] == 2

    person.types("roots", "watch", "1")
    (roll / "sub").mkdir()
    second.rename(roll / "sub" / "renamed.jpg")
    make_photographs(roll / "new", 1, seed=78)
    new = next((roll / "new").iterdir())
    before = {item["id"] for item in photos().values()}
    expected = {str(first), str(roll / "sub" / "renamed.jpg"), str(new)}
    eventually(lambda: photos().keys() == expected)

    found = photos()
    assert len({item["id"] for item in found.values()} - before) == 1
    assert found[str(first)]["user_rating"] == 2
