"""Packets and containers as other programs make them; files written by them, read by Exiv2."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

DARKTABLE = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:darktable="http://darktable.sf.net/"
   exif:DateTimeOriginal="2021:06:05 12:34:56.000"
   xmp:Rating="1"
   darktable:xmp_version="5"
   darktable:raw_params="0"
   darktable:auto_presets_applied="1"
   darktable:history_end="2">
   <dc:subject><rdf:Seq><rdf:li>fog &amp; sea</rdf:li></rdf:Seq></dc:subject>
   <darktable:history>
    <rdf:Seq>
     <rdf:li
      darktable:num="0"
      darktable:operation="rawprepare"
      darktable:enabled="1"
      darktable:modversion="1"
      darktable:params="00000000000000000000000000000000"
      darktable:multi_name=""
      darktable:blendop_params="gz12eJxjYGBgkGAAgRNODESDBnsIHll8ANNSGQM="/>
     <rdf:li
      darktable:num="1"
      darktable:operation="channelmixerrgb"
      darktable:enabled="1"
      darktable:modversion="3"
      darktable:params="gz04eJxjYGiwZ4AAM"
      darktable:multi_name="b&amp;w"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""

LIGHTROOM = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000 1.000000, 0000/00/00-00:00:00">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   xmp:CreatorTool="Adobe Photoshop Lightroom Classic 13.0 (Macintosh)"
   xmp:Label="Red"
   photoshop:SidecarForExtension="CR2"
   crs:Exposure2012="+0.35"
   crs:ToneCurveName2012="Custom&#10;two lines"
   crs:ConvertToGrayscale="True">
   <xmp:Rating>2</xmp:Rating>
   <crs:ToneCurvePV2012><rdf:Seq><rdf:li>0, 0</rdf:li><rdf:li>255, 250</rdf:li></rdf:Seq></crs:ToneCurvePV2012>
   <crs:MaskGroupBasedCorrections>
    <rdf:Seq>
     <rdf:li>
      <rdf:Description crs:What="Correction" crs:CorrectionAmount="1">
      <crs:CorrectionMasks><rdf:Seq><rdf:li crs:What="Mask/Image" crs:MaskActive="true"/></rdf:Seq>
      </crs:CorrectionMasks>
      </rdf:Description>
     </rdf:li>
    </rdf:Seq>
   </crs:MaskGroupBasedCorrections>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""


def exiv2_properties(source: Path | bytes) -> dict[str, str]:
    """Every XMP property as Exiv2 reads it: the judge that is not ours."""
    return {str(d.key()): str(d.toString()) for d in _opened(source).xmpData()}


def exiv2_tags(path: Path) -> dict[str, str]:
    return {str(d.key()): str(d.toString()) for d in _opened(path).exifData() if "XMLPacket" not in str(d.key())}


def _opened(source: Path | bytes) -> Any:
    import exiv2

    exiv2.LogMsg.setLevel(exiv2.LogMsg.Level.mute)
    image = exiv2.ImageFactory.open(source if isinstance(source, bytes) else str(source))
    image.readMetadata()
    return image


def write_psd(path: Path, resources: bytes = b"") -> Path:
    """A grey PSD of 16 by 12 pixels with the given image resources."""
    width, height = 16, 12
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, height, width, 8, 1)
    pixels = b"\0\0" + bytes(range(width)) * height
    blocks = (b"", resources, b"")
    path.write_bytes(head + b"".join(struct.pack(">I", len(block)) + block for block in blocks) + pixels)
    return path


def psd_resource(number: int, data: bytes, name: bytes = b"") -> bytes:
    named = bytes([len(name)]) + name
    named += b"\0" * (len(named) % 2)
    return b"8BIM" + struct.pack(">H", number) + named + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
