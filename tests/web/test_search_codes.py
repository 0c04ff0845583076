"""The codes as Postgres sends them: whatever the pieces, whatever the order."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from domain.sign_codes import to_words
from web.search_codes import _Rows

DIM = 72


def _copy(ids: list[int], codes: np.ndarray) -> bytes:
    rows = (
        struct.pack(">hiqii", 2, 8, photo, 4 + codes.shape[1], DIM) + code.tobytes()
        for photo, code in zip(ids, codes, strict=True)
    )
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"".join(rows) + b"\xff\xff"


@pytest.mark.parametrize("piece", [1, 7, 33, 100_000])
async def test_rows_arrive_in_pieces_and_are_put_in_order(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.search_codes._READ_AT_A_TIME", 3)
    codes = np.random.default_rng(1).integers(0, 256, (8, DIM // 8), dtype=np.uint8)
    sent = _copy([5, 6, 7, 8, 1, 2, 3, 4], codes)
    rows = _Rows(DIM)
    for start in range(0, len(sent), piece):
        await rows.take(sent[start : start + piece])

    ids, words = rows.all()

    assert ids.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    np.testing.assert_array_equal(words, to_words(np.roll(codes, 4, axis=0)))


async def test_an_empty_table_has_no_codes() -> None:
    rows = _Rows(DIM)
    await rows.take(_copy([], np.empty((0, DIM // 8), np.uint8)))

    ids, words = rows.all()

    assert (len(ids), words.shape) == (0, (2, 0))
