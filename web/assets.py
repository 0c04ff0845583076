"""What the pages load: style sheets, fonts and ES modules, under an address that never changes content.

The address holds a hash of all files, so that a browser keeps them for good and never mixes two releases.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

STATIC = Path(__file__).parent / "static"
_IMPORT = re.compile(r'^import\s[^"]*"(\.[^"]+)";$', re.MULTILINE)


@cache
def build() -> str:
    """A hash of every file's name and content."""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def address() -> str:
    """Where the files lie: `/static/HASH`."""
    return f"/static/{build()}"


@cache
def modules(entry: str) -> tuple[str, ...]:
    """Every module that `entry` imports, directly or not: the page asks for all of them at once."""
    found: dict[str, None] = {}
    waiting = [entry]
    while waiting:
        module = waiting.pop()
        for relative in _IMPORT.findall((STATIC / module).read_text(encoding="utf-8")):
            imported = os.path.normpath(PurePosixPath(module).parent / relative)
            if imported not in found:
                found[imported] = None
                waiting.append(imported)
    return tuple(sorted(found))


class _Kept(StaticFiles):
    """Kept by the browser for good: another content has another address."""

    def file_response(
        self, full_path: Any, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def assets() -> ASGIApp:
    """The files, compressed on the way."""
    return GZipMiddleware(_Kept(directory=STATIC), minimum_size=1000, compresslevel=6)
