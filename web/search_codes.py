"""The search index in memory: read from Postgres when a search first needs it, 104 MB a million photographs."""

from __future__ import annotations

import asyncio

import numpy as np
from numpy.typing import NDArray

from domain.sign_codes import SignCodes, to_words
from web.database import Connection

_HEADER = 19
"""Bytes before the first row of a binary COPY: the signature, the flags and the length of an extension."""
_READ_AT_A_TIME = 65_536


class CodesInMemory:
    """The codes of the index in force, one encoder's at a time. A build that replaces them is noticed by its table."""

    def __init__(self) -> None:
        self._table: str | None = None
        self._codes: SignCodes | None = None
        self._reading = asyncio.Lock()

    async def of(self, connection: Connection, encoder_id: int) -> SignCodes | None:
        """None where the encoder has no index. Raises asyncpg.UndefinedTableError where a build replaces it now."""
        row = await connection.fetchrow(
            "SELECT s.codes, s.mean, e.dim FROM search_indexes s JOIN encoders e ON e.id = s.encoder_id "
            "WHERE s.encoder_id = $1",
            encoder_id,
        )
        if row is None:
            return None
        async with self._reading:
            if self._codes is None or self._table != row["codes"]:
                self._codes = None  # two of them would need twice the memory
                self._codes = await _read(connection, row["codes"], row["mean"], row["dim"])
                self._table = row["codes"]
            return self._codes


async def _read(connection: Connection, table: str, mean: NDArray[np.float16], dim: int) -> SignCodes:
    rows = _Rows(dim)
    await connection.copy_from_query(
        f"SELECT photo_id, code FROM {table}", output=rows.take, format="binary", timeout=None
    )
    ids, words = await asyncio.to_thread(rows.all)
    return SignCodes(ids, words, mean)


class _Rows:
    """Rows (photo_id, code) of a binary COPY; all are equally long."""

    def __init__(self, dim: int) -> None:
        self._row = np.dtype(
            [("columns", ">i2"), ("id_size", ">i4"), ("id", ">i8"), ("size", ">i4"), ("bits", ">i4"),
             ("code", "u1", (-(-dim // 8),))]
        )  # fmt: skip
        self._bytes = bytearray()
        self._ids: list[NDArray[np.int64]] = []
        self._words: list[NDArray[np.uint64]] = []
        self._skip = _HEADER

    async def take(self, data: bytes) -> None:
        self._bytes += data
        if len(self._bytes) >= self._skip + _READ_AT_A_TIME * self._row.itemsize:
            await asyncio.to_thread(self._parse)

    def _parse(self) -> None:
        n = (len(self._bytes) - self._skip) // self._row.itemsize
        rows = np.frombuffer(self._bytes, self._row, count=n, offset=self._skip)
        self._ids.append(rows["id"].astype(np.int64))
        self._words.append(to_words(rows["code"]))
        self._bytes = self._bytes[self._skip + n * self._row.itemsize :]
        self._skip = 0

    def all(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """(ids, words) of everything taken, by id. What is left is the end mark."""
        self._parse()
        ids, words = np.concatenate(self._ids), np.concatenate(self._words, axis=1)
        if (np.diff(ids) < 0).any():  # Postgres may join a scan that another session began further on
            order = np.argsort(ids)
            ids, words = ids[order], np.ascontiguousarray(words[:, order])
        return ids, words
