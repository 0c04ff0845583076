"""Tags on their way: nothing lost, nothing believed."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.exif import deflate_exif, inflate_exif
from tests.integration.messages import converted

TAGS = {"Exif.Image.Model": 'M10 "Monochrom" €\n', "Exif.Photo.ISOSpeedRatings": 400, "Exif.GPSInfo.Lat": [52, 1.5]}


def test_tags_survive_the_journey() -> None:
    assert inflate_exif(deflate_exif(TAGS)) == TAGS
    assert inflate_exif(deflate_exif({})) == {}


def test_a_payload_deflates_the_tags_that_it_is_made_of() -> None:
    from contracts.results import ConvertPayload

    payload = ConvertPayload.model_validate(converted("p", exif=TAGS))

    assert inflate_exif(payload.exif) == TAGS
    assert ConvertPayload.model_validate_json(payload.model_dump_json()) == payload


@given(st.binary(max_size=200))
def test_what_is_no_tags_is_said_so(noise: bytes) -> None:
    with pytest.raises(ValueError):
        inflate_exif(noise)


@pytest.mark.parametrize(
    "broken", [deflate_exif(TAGS)[:-5], zlib.compress(b"[1]"), zlib.compress(b"{"), zlib.compress(b" " * (65 << 20))],
    ids=["cut short", "a list", "no JSON", "a bomb"],
)  # fmt: skip
def test_broken_tags_are_refused(broken: bytes) -> None:
    with pytest.raises(ValueError):
        inflate_exif(broken)
