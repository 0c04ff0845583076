"""How the tags of a file travel and lie in the database: a JSON object, deflated.

The consumer deflates, of which there are many; the writer, of which there is one, hands the bytes on as they are. Tags
take three times their place otherwise, in the queue, in the write-ahead log and on disk.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import orjson

_LARGEST = 64 * 1024 * 1024
"""Bytes of JSON; what a file claims beyond that is no tag."""


def deflate_exif(tags: Mapping[str, Any]) -> bytes:
    """`{"Exif.Photo.ISOSpeedRatings": 400, ...}` as zlib-compressed JSON."""
    return zlib.compress(orjson.dumps(dict(tags)))


def inflate_exif(deflated: bytes) -> dict[str, Any]:
    """The tags that `deflate_exif` was given. Raises ValueError for anything else."""
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(deflated, _LARGEST)
        if not inflater.eof:
            raise ValueError("The tags are cut short, or larger than any file's.")
        tags = orjson.loads(text)
    except zlib.error as error:
        raise ValueError(f"The tags cannot be inflated: {error}") from error
    if not isinstance(tags, dict):
        raise ValueError("The tags are no JSON object.")  # noqa: TRY004 - what is wrong is the content
    return tags
