"""ICC profiles for littleCMS, put together after ICC.1:2001-04: a matrix and gamma RGB one, and a grey gamma one."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

WHITE = (0.9642, 1.0, 0.8249)
"""D50, the white of every profile."""
WIDE = np.array([[0.60974, 0.31111, 0.14919], [0.20528, 0.62567, 0.06312], [0.01947, 0.06087, 0.74457]])
"""Primaries like those of Adobe RGB (1998), in columns, adapted to D50."""
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
WIDE_GAMMA = 2.19921875


def wide_rgb() -> bytes:
    columns = {name: _xyz(tuple(WIDE[:, i])) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _gamma(WIDE_GAMMA))
    return _profile(b"RGB ", {**columns, **curves})


def grey_gamma(gamma: float) -> bytes:
    return _profile(b"GRAY", {b"kTRC": _gamma(gamma)})


def wide_in_srgb(rgb: tuple[int, int, int]) -> NDArray[np.float64]:
    """0..255, by the definition of the two spaces, without littleCMS."""
    linear = (np.array(rgb) / 255) ** WIDE_GAMMA
    return srgb_encoded(np.linalg.solve(SRGB, WIDE @ linear))


def srgb_encoded(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))


def _gamma(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def _text(kind: bytes, text: bytes) -> bytes:
    if kind == b"desc":
        text = struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78)
    return kind + b"\0\0\0\0" + text + bytes(-len(text) % 4)


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {
        b"desc": _text(b"desc", b"made for a test"),
        b"cprt": _text(b"text", b"none\0"),
        b"wtpt": _xyz(WHITE),
        **tags,
    }
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(
        ">I4sI4s4s4s12x4s28x", at + len(body), b"\0\0\0\0", 0x02400000, b"mntr", space, b"XYZ ", b"acsp"
    )
    header += struct.pack(">3i", *(round(v * 65536) for v in WHITE))
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + body
