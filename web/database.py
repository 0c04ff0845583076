"""Connections to Postgres: one asyncpg pool a process, with JSON and half-precision vectors understood.

Vectors travel as numpy float16 arrays (`halfvec` in binary). The codec is registered on raw asyncpg connections only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import numpy as np
import orjson
from numpy.typing import NDArray
from pgvector import HalfVector

Connection: TypeAlias = Any  # asyncpg ships no types; Connection | PoolConnectionProxy
Pool: TypeAlias = Any
Record: TypeAlias = Any


def _encode_halfvec(value: NDArray[np.floating[Any]] | HalfVector) -> bytes:
    vector = value if isinstance(value, HalfVector) else HalfVector(np.asarray(value, dtype=np.float16))
    return bytes(vector.to_binary())


def _decode_halfvec(value: bytes) -> NDArray[np.float16]:
    return np.frombuffer(value, dtype=">f2", offset=4).astype(np.float16)


def _dump(value: Any) -> bytes:
    return b"\x01" + orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _load(value: bytes) -> Any:
    return orjson.loads(value[1:])


async def prepare_connection(connection: Connection) -> None:
    """Registers the codecs. Every asyncpg connection of ours goes through here."""
    await connection.set_type_codec("jsonb", schema="pg_catalog", format="binary", encoder=_dump, decoder=_load)
    await connection.set_type_codec(
        "halfvec", schema="public", format="binary", encoder=_encode_halfvec, decoder=_decode_halfvec
    )


# A generic plan made while a table was nearly empty would be kept while an import fills it: 100,000 paths took 66 s
# to register with generic plans.
_SERVER_SETTINGS = {"plan_cache_mode": "force_custom_plan", "application_name": "fineshyt"}


async def connect(url: str) -> Connection:
    """One connection of its own, for locks, listening and long scans."""
    connection = await asyncpg.connect(url, server_settings=_SERVER_SETTINGS)
    await prepare_connection(connection)
    return connection


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """One connection for as long as the block lasts; an error in it breaks off what still runs there."""
    connection = await connect(url)
    try:
        yield connection
    except BaseException:
        connection.terminate()
        raise
    await connection.close()


async def create_pool(url: str, *, size: int = 10) -> Pool:
    """A pool of up to `size` connections."""
    return await asyncpg.create_pool(
        url, min_size=1, max_size=size, init=prepare_connection, server_settings=_SERVER_SETTINGS
    )
