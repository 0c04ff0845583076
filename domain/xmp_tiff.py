"""The XMP packet of a TIFF, BigTIFF or DNG: tag 700 of the first directory, exchanged without moving anything else."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from domain.xmp import padded

_XMP = 700
_SUB_DIRECTORIES = 330
_DATA_TAGS = ((273, 279), (324, 325), (513, 514))
"""Offsets and byte counts of strips, tiles, and old JPEG previews."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MAX_ENTRIES = 4096
_MAX_DIRECTORIES = 10_000
_BYTE = 1
_CLASSIC_LIMIT = 2**32 - 1


@dataclass(frozen=True)
class _Entry:
    at: int
    """Where its bytes lie in the file."""
    tag: int
    kind: int
    count: int
    value: bytes
    """The value, or its offset."""


class Tiff:
    """A TIFF open for reading, or for reading and writing. ValueError: it is none, or broken."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0)
        head = file.read(16)
        self._order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        version = struct.unpack(f"{self._order}H", head[2:4])[0] if self._order else 0
        if version not in (42, 43):
            raise ValueError("no TIFF")
        self._big = version == 43
        self._word, self._width = ("Q", 8) if self._big else ("I", 4)
        self._entry_bytes = 20 if self._big else 12
        self._count_format, self._count_bytes = ("Q", 8) if self._big else ("H", 2)
        self._first_at = 8 if self._big else 4

    # --- reading ----------------------------------------------------------------------------------------------------

    def packet(self) -> bytes | None:
        entry = self._xmp_entry(self._entries(self._first()))
        return None if entry is None else self._bytes_of(entry)

    def image_ranges(self) -> Iterator[tuple[int, int]]:
        """`(offset, length)` of all image data, page by page."""
        for directory in self._directories():
            entries = {entry.tag: entry for entry in self._entries(directory)}
            for offsets, counts in _DATA_TAGS:
                if offsets in entries:
                    if counts not in entries:
                        raise ValueError("image data of unknown length")
                    pairs = zip(self._numbers(entries[offsets]), self._numbers(entries[counts]), strict=True)
                    yield from pairs

    def _unpack(self, layout: str, data: bytes) -> tuple[int, ...]:
        return struct.unpack(self._order + layout, data)

    def _read(self, at: int, length: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(length)
        if len(data) != length:
            raise ValueError(f"{length} bytes at {at} lie beyond the end")
        return data

    def _first(self) -> int:
        return self._unpack(self._word, self._read(self._first_at, self._width))[0]

    def _entries(self, directory: int) -> list[_Entry]:
        (count,) = self._unpack(self._count_format, self._read(directory, self._count_bytes))
        if count > _MAX_ENTRIES:
            raise ValueError(f"{count} entries in a directory")
        start = directory + self._count_bytes
        data = self._read(start, count * self._entry_bytes)
        entries = []
        for n in range(count):
            raw = data[n * self._entry_bytes : (n + 1) * self._entry_bytes]
            tag, kind = self._unpack("HH", raw[:4])
            (values,) = self._unpack(self._word, raw[4 : 4 + self._width])
            entries.append(_Entry(start + n * self._entry_bytes, tag, kind, values, raw[4 + self._width :]))
        return entries

    def _next(self, directory: int, entries: list[_Entry]) -> int:
        at = directory + self._count_bytes + len(entries) * self._entry_bytes
        return self._unpack(self._word, self._read(at, self._width))[0]

    def _directories(self) -> list[int]:
        """Pages, and the sub-images of each; every directory once."""
        waiting, seen = [self._first()], dict[int, None]()
        while waiting:
            directory = waiting.pop()
            if not directory or directory in seen:
                continue
            if len(seen) >= _MAX_DIRECTORIES:
                raise ValueError("too many directories")
            seen[directory] = None
            entries = self._entries(directory)
            waiting.append(self._next(directory, entries))
            for entry in entries:
                if entry.tag == _SUB_DIRECTORIES:
                    waiting.extend(self._numbers(entry))
        return list(seen)

    def _bytes_of(self, entry: _Entry) -> bytes:
        length = entry.count * _SIZES.get(entry.kind, 1)
        if length <= self._width:
            return entry.value[:length]
        return self._read(self._unpack(self._word, entry.value)[0], length)

    def _numbers(self, entry: _Entry) -> tuple[int, ...]:
        letter = _WHOLE.get(entry.kind)
        if letter is None:
            raise ValueError(f"tag {entry.tag} holds no whole numbers")
        return self._unpack(f"{entry.count}{letter}", self._bytes_of(entry))

    @staticmethod
    def _xmp_entry(entries: list[_Entry]) -> _Entry | None:
        return next((entry for entry in entries if entry.tag == _XMP), None)

    # --- writing ----------------------------------------------------------------------------------------------------

    def set_packet(self, packet: bytes, padding: int) -> None:
        """In the old packet's place where it fits; else behind the end, with `padding` bytes of room."""
        directory = self._first()
        entries = self._entries(directory)
        old = self._xmp_entry(entries)
        room = old.count * _SIZES.get(old.kind, 1) if old else 0
        if old is not None and room >= len(packet) and room > self._width:
            self._write(self._unpack(self._word, old.value)[0], padded(packet, room))
            return
        content = padded(packet, len(packet) + padding)
        made = struct.pack(f"{self._order}HH{self._word}{self._word}", _XMP, _BYTE, len(content), self._append(content))
        if old is not None:
            self._write(old.at, made)
        else:
            self._write_first_directory(directory, entries, made)

    def _write(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        self._file.write(data)

    def _append(self, data: bytes) -> int:
        """Returns the even offset at which `data` lies now."""
        end = self._file.seek(0, os.SEEK_END)
        at = end + end % 2
        if not self._big and at + len(data) > _CLASSIC_LIMIT:
            raise ValueError("a TIFF of 4 GB has no room")
        self._write(end, b"\0" * (at - end) + data)
        return at

    def _write_first_directory(self, directory: int, entries: list[_Entry], made: bytes) -> None:
        """A copy with one entry more behind the end, and the header's pointer to it: the old one stays, unused."""
        raw = {entry.tag: self._read(entry.at, self._entry_bytes) for entry in entries}
        if len(raw) != len(entries):
            raise ValueError("a tag stands twice")
        raw[_XMP] = made
        block = struct.pack(self._order + self._count_format, len(raw))
        block += b"".join(raw[tag] for tag in sorted(raw))
        block += struct.pack(self._order + self._word, self._next(directory, entries))
        at = self._append(block)
        self._write(self._first_at, struct.pack(self._order + self._word, at))
