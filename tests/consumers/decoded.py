"""What a decoder child is made to run by the tests."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

from domain.errors import PermanentError, TransientError, UnavailableError

_kept: list[bytearray] = []


def pid() -> dict[str, Any]:
    return {"pid": os.getpid(), "parent": os.getppid()}


def segfault() -> dict[str, Any]:
    ctypes.string_at(0)
    return {}


def leave(status: int) -> dict[str, Any]:
    os._exit(status)


def hang(seconds: float) -> dict[str, Any]:
    time.sleep(seconds)
    return {"pid": os.getpid()}


def hungry(megabytes: int, seconds: float) -> dict[str, Any]:
    """Takes memory, keeps it, and stays for a while."""
    taken = bytearray(megabytes << 20)
    taken[::4096] = b"x" * len(taken[::4096])  # a page that nobody wrote to is not resident
    _kept.append(taken)
    time.sleep(seconds)
    return {"pid": os.getpid()}


def fail(kind: str) -> dict[str, Any]:
    more = {"op": "convert.read", "context": {"path": "/photos/a.tif"}, "detail": "why"}
    if kind == "permanent":
        raise PermanentError("a.tif is empty.", **more)
    if kind == "transient":
        raise TransientError("a.tif is busy.", retry_after_s=7, **more)
    if kind == "unavailable":
        raise UnavailableError("The library is away.", needs_person=True, upstream={"status_code": 401}, **more)
    raise ZeroDivisionError("ours")


def large(n: int) -> dict[str, Any]:
    return {"text": "x" * n}


def pickled() -> Any:
    """Something that only a pickle could carry."""
    return {"here": object()}
