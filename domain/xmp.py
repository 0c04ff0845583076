"""XMP packets: reading and setting the stars, with everything else in them left as it is.

A packet is edited as the XML tree that it is: history of darktable, settings of Lightroom, comments, prefixes and order
stay, because nothing but the rating is touched. (Exiv2 would read and write it anew, and lose what it does not model.)
"""

from __future__ import annotations

from typing import Any, Literal

from lxml import etree

from domain.errors import PermanentError
from domain.stars import MAX_SIDECAR_BYTES, is_number, stars_of

Said = int
"""What a file or the person says of a photo: 1..5 stars, -1 a reject, 0 neither."""

XMP = "http://ns.adobe.com/xap/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_RATING = f"{{{XMP}}}Rating"
_DESCRIPTION = f"{{{_RDF}}}Description"
_ABOUT = f"{{{_RDF}}}about"
_BOM = b"\xef\xbb\xbf"
_NEW = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="fineshyt">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""

etree.register_namespace("photoshop", _PHOTOSHOP)


def stars_in(packet: bytes) -> Said | None:
    """What the packet says; None where it does not speak of a rating.

    Raises PermanentError where it is no XMP, or declares entities or a document type.
    """
    said = _said(_descriptions(_tree(packet)))
    return None if said is None else _understood(said)


def _understood(text: str) -> Said | None:
    return (stars_of(text) or 0) if is_number(text) else None


def with_stars(packet: bytes | None, said: Said, *, sidecar_for: str = "") -> bytes:
    """The packet, or with None a new one, saying `said`; otherwise equal to the last comment.

    `sidecar_for`: the RAW's extension without a dot, noted in a new packet as Adobe's programs do. Raises
    PermanentError as `stars_in` does.
    """
    tree = _tree(packet if packet is not None else _NEW.encode())
    descriptions = _descriptions(tree)
    if packet is None and sidecar_for:
        descriptions[0].set(f"{{{_PHOTOSHOP}}}SidecarForExtension", sidecar_for)
    if _said(descriptions) != str(said):
        _say(tree, descriptions, said)
    return _text(tree, packet)


def _tree(packet: bytes) -> Any:
    if len(packet) > MAX_SIDECAR_BYTES:
        raise PermanentError("Its XMP is larger than 16 MB, so it was left alone.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    wide = packet.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        tree = etree.fromstring(packet if wide else packet.rstrip(b"\0 \r\n\t"), parser).getroottree()
    except (etree.XMLSyntaxError, ValueError) as error:
        raise PermanentError("Its XMP cannot be read, so it was left alone.", detail=str(error)) from error
    if tree.docinfo.doctype:
        raise PermanentError("Its XMP declares a document type, so it was left alone.")
    return tree


def _rdf(tree: Any) -> Any:
    root = tree.getroot()
    rdf = root if root.tag == f"{{{_RDF}}}RDF" else root.find(f"{{{_RDF}}}RDF")
    if rdf is None:
        raise PermanentError("Its XMP holds no properties as XMP writes them, so it was left alone.")
    return rdf


def _descriptions(tree: Any) -> list[Any]:
    return list(_rdf(tree).findall(_DESCRIPTION))


def _said(descriptions: list[Any]) -> str | None:
    """The rating's text: an attribute or an element of any of the descriptions."""
    for description in descriptions:
        if (text := description.get(_RATING)) is not None:
            return str(text).strip()
        if (element := description.find(_RATING)) is not None:
            return (element.text or "").strip()
    return None


def _say(tree: Any, descriptions: list[Any], said: Said) -> None:
    """In the place where the rating stands; where it stands twice, both say the same."""
    places = 0
    for description in descriptions:
        if description.get(_RATING) is not None:
            description.set(_RATING, str(said))
            places += 1
        for element in description.findall(_RATING):
            element.text = str(said)
            places += 1
    if not places:
        _place_for(tree, descriptions).set(_RATING, str(said))


def _place_for(tree: Any, descriptions: list[Any]) -> Any:
    """A description that knows XMP's namespace, else a new one that names it as the packet does.

    Adobe's toolkit, and Exiv2 with it, reads nothing at all of a packet with two prefixes for one namespace.
    """
    known = next((d for d in descriptions if XMP in d.nsmap.values()), None)
    if known is not None:
        return known
    nested = (prefix for element in _rdf(tree).iter() for prefix, uri in element.nsmap.items() if uri == XMP)
    fresh = etree.SubElement(_rdf(tree), _DESCRIPTION, nsmap={next(nested, None) or "xmp": XMP})
    about = descriptions[0].get(_ABOUT, "") if descriptions else ""
    fresh.set(_ABOUT, about)
    return fresh


def _text(tree: Any, before: bytes | None) -> bytes:
    declared = before is not None and before.removeprefix(_BOM).startswith(b"<?xml ")
    text: bytes = etree.tostring(tree, encoding="UTF-8", xml_declaration=declared)
    return text


def padded(packet: bytes, length: int) -> bytes:
    """The packet with white space before its end mark, `length` bytes altogether. It must not be longer."""
    room = length - len(packet)
    at = packet.rfind(b"<?xpacket end")
    at = len(packet) if at < 0 else at
    lines = b"".join((b"\n" + b" " * 99) for _ in range(room // 100))
    return packet[:at] + lines + b" " * (room - len(lines)) + packet[at:]


# --- three ways ---------------------------------------------------------------------------------------------------


Verdict = Literal["same", "write", "read", "conflict", "silent"]
"""What is to happen between the person's decision here and what a file says; silent: nothing is said."""


def three_way(base: Said | None, here: Said | None, there: Said | None) -> Verdict:
    """`base`: what both said when they last agreed; None: never. `here`: None when the person never said anything.

    A side that did not change since yields to the one that did. Both changed, and differently: a conflict, in which
    nothing is written on either side. A file that does not speak (`there` is None) overrules nothing.
    """
    if there is None:
        return "write" if here or (here is not None and base) else "silent"
    if here is None:
        return "read" if there else "silent"
    if here == there:
        return "same"
    if base is None:
        return "conflict" if there else "write"  # 0 in a file that we never spoke with: untouched there
    return "read" if here == base else "write" if there == base else "conflict"
