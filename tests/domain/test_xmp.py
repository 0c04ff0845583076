"""The rating in an XMP packet, with everything else in it left alone; Exiv2 is the judge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from domain.errors import PermanentError
from domain.xmp import padded, stars_in, three_way, with_stars
from tests.domain.xmp_samples import DARKTABLE, LIGHTROOM, exiv2_properties

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def described(inner: str, attributes: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" '
        f'xmlns:xap="http://ns.adobe.com/xap/1.0/" {attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (described("", 'xap:Rating="3"'), 3),
        (described("<xap:Rating>4</xap:Rating>"), 4),
        (described("", 'xap:Rating="-1"'), -1),
        (described("", 'xap:Rating="0"'), 0),
        (described("", 'xap:Rating="5.0"'), 5),
        (described("", 'xap:Rating=""'), None),
        (described(""), None),
        (DARKTABLE.encode(), 1),
        (LIGHTROOM.encode(), 2),
        (described("", 'xap:Rating="2"') + b"\n" * 2000 + b"\0", 2),
        ("\ufeff".encode("utf-16-le") + described("", 'xap:Rating="2"').decode().encode("utf-16-le"), 2),
    ],
)
def test_what_a_packet_says(packet: bytes, said: int | None) -> None:
    assert stars_in(packet) == said


@pytest.mark.parametrize("packet", [DARKTABLE, LIGHTROOM])
@pytest.mark.parametrize("said", [-1, 0, 5])
def test_every_foreign_property_stays(packet: str, said: int) -> None:
    written = with_stars(packet.encode(), said)

    before, after = exiv2_properties(packet.encode()), exiv2_properties(written)
    assert after.pop("Xmp.xmp.Rating") == str(said)
    del before["Xmp.xmp.Rating"]
    assert after == before
    assert len(before) >= 9


@pytest.mark.parametrize("packet", [DARKTABLE, LIGHTROOM])
def test_nothing_but_the_rating_differs_in_the_tree(packet: str) -> None:
    written = with_stars(with_stars(packet.encode(), 4), stars_in(packet.encode()) or 0)

    assert etree.tostring(etree.fromstring(written), method="c14n") == etree.tostring(
        etree.fromstring(packet.encode()), method="c14n"
    )


def test_a_new_packet_is_read_by_exiv2() -> None:
    properties = exiv2_properties(with_stars(None, 5, sidecar_for="CR2"))

    assert properties == {"Xmp.xmp.Rating": "5", "Xmp.photoshop.SidecarForExtension": "CR2"}


def test_a_rating_that_stands_twice_says_the_same_in_both_places() -> None:
    twice = (
        f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:xmp="http://ns.adobe.com/xap/1.0/"><rdf:Description rdf:about="" '
        'xmp:Rating="1"/><rdf:Description rdf:about=""><xmp:Rating>2</xmp:Rating></rdf:Description></rdf:RDF>'
    )

    written = with_stars(twice.encode(), 4)

    assert b'xmp:Rating="4"' in written
    assert b"<xmp:Rating>4</xmp:Rating>" in written


@pytest.mark.parametrize(
    "packet",
    [
        '<rdf:Description rdf:about="uuid:1" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" pdf:Producer="p"/>'
        '<rdf:Description rdf:about="uuid:1" xmlns:xap="http://ns.adobe.com/xap/1.0/" xap:Label="Red"/>',
        '<rdf:Description rdf:about="" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" pdf:Producer="p"/>',
        '<rdf:Description rdf:about="" xmlns:mm="http://ns.adobe.com/xap/1.0/mm/"><mm:History><rdf:Seq><rdf:li '
        'xmlns:xap="http://ns.adobe.com/xap/1.0/" rdf:parseType="Resource"><xap:Label>Red</xap:Label></rdf:li>'
        '</rdf:Seq></mm:History></rdf:Description>',
        "",
    ],
)  # fmt: skip
def test_a_packet_keeps_one_prefix_for_a_namespace(packet: str) -> None:
    """Adobe's toolkit reads nothing of a packet that has two."""
    whole = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{packet}</rdf:RDF></x:xmpmeta>'.encode()

    after = exiv2_properties(with_stars(whole, 4))

    assert after.pop("Xmp.xmp.Rating") == "4"
    assert after == exiv2_properties(whole)


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"stars: 5", b"<x:xmpmeta>", b"<html/>", DARKTABLE[:700].encode(),
        b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + described("<xap:Rating>&b;</xap:Rating>"),
        b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + described("<xap:Rating>&a;</xap:Rating>"),
    ],
)  # fmt: skip
def test_what_is_no_packet_is_refused_and_never_written_over(packet: bytes) -> None:
    with pytest.raises(PermanentError, match="left alone"):
        stars_in(packet)
    with pytest.raises(PermanentError, match="left alone"):
        with_stars(packet, 5)


@given(st.integers(0, 5000))
def test_padding_is_white_space_that_changes_nothing(room: int) -> None:
    packet = with_stars(None, 3)

    filled = padded(packet, len(packet) + room)

    assert len(filled) == len(packet) + room
    assert stars_in(filled) == 3
    assert filled.endswith(b'<?xpacket end="w"?>')


@pytest.mark.parametrize(
    ("base", "here", "there", "verdict"),
    [
        (None, None, None, "silent"), (None, None, 0, "silent"), (None, 4, None, "write"), (None, 0, None, "silent"),
        (None, None, 4, "read"), (None, None, -1, "read"), (None, 4, 0, "write"), (None, 4, 4, "same"),
        (None, 4, 3, "conflict"), (None, 0, 4, "conflict"), (3, 4, 3, "write"), (3, 3, 4, "read"), (3, 3, 0, "read"),
        (3, 0, 3, "write"), (3, 4, 5, "conflict"), (3, 0, 5, "conflict"), (3, 4, 0, "conflict"), (3, 4, 4, "same"),
        (3, 4, None, "write"), (3, 0, None, "write"), (-1, -1, 2, "read"), (2, -1, 2, "write"), (2, -1, 5, "conflict"),
    ],
)  # fmt: skip
def test_three_ways(base: int | None, here: int | None, there: int | None, verdict: str) -> None:
    assert three_way(base, here, there) == verdict


SAID = st.one_of(st.none(), st.integers(-1, 5))


@given(SAID, SAID, SAID)
def test_nobodys_change_is_ever_lost(base: int | None, here: int | None, there: int | None) -> None:
    """Where a side would be overwritten, it said nothing, or says what both said before."""
    verdict = three_way(base, here, there)

    if verdict == "write":
        assert not there or there == base
    if verdict == "read":
        assert here is None or here == base
