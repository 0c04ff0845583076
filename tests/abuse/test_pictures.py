"""Thousands of damaged pictures through real consumers: each is shown or named with its reason, and all goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.abuse.pictures import write_damaged
from tests.abuse.watched import Watched
from tests.chaos.photographs import make_photographs
from tests.chaos.stack import Stack, running_stack
from tests.servers import PrivateServers

pytestmark = [pytest.mark.chaos, pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(2700)]

PICTURES = 5_000
CHILD_MB = 800
"""`CONVERT_MEMORY_MB` of this stack; a child is looked at twenty times a second, and may have grown since."""
_GROWN_MB = 400
_ITSELF_MB = 400
_ENCODER_MB = 1_500


@pytest.fixture
def stack(private_servers: PrivateServers, tmp_path: Path) -> Iterator[Stack]:
    limits = {"CONVERT_MEMORY_MB": str(CHILD_MB), "FILES_PER_CHILD": "200"}
    with running_stack(private_servers, tmp_path / "home", limits) as stack:
        yield stack


def _digests(paths: list[Path]) -> dict[Path, bytes]:
    return {path: hashlib.blake2b(path.read_bytes()).digest() for path in paths}


async def _unexpected(stack: Stack) -> list[Any]:
    """Failures that no decoder meant: exceptions of our own."""
    async with stack.database() as database:
        rows: list[Any] = await database.fetch(
            """SELECT file, reason, detail->>'message' AS message FROM error_logs
               WHERE detail->>'error_type' NOT IN ('PermanentError', 'TransientError', 'UnavailableError',
                                                   'DecoderDiedError', 'DecoderHungError')"""
        )
    return rows


async def test_every_damaged_picture_is_shown_or_named_with_its_reason(
    stack: Stack, shared_data: Path, tmp_path: Path
) -> None:
    library = tmp_path / "library"
    paths = write_damaged(library, shared_data, PICTURES, seed=20)
    before = _digests(paths)

    with Watched(stack) as watched:
        import_id = await stack.import_folder(library)
        await stack.settle(import_id, len(paths), seconds=2400)
        [healthy] = make_photographs(tmp_path / "healthy", 1, seed=900)
        later = await stack.import_folder(tmp_path / "healthy")
        await stack.settle(later, 1)

    await stack.assert_accounted(import_id, paths)
    await stack.assert_accounted(later, [healthy])
    assert await stack.ready(later) == 1
    ready = await stack.ready(import_id)
    async with stack.database() as database:
        failed = await database.fetch(
            "SELECT rel_path, failure_reason FROM photos WHERE import_id = $1 AND status = 'failed'", import_id
        )
        waiting = await database.fetchval(
            "SELECT count(*) FROM jobs WHERE stage IN ('scan', 'convert', 'embed') AND status IN ('due', 'queued')"
        )
    print(f"{ready} ready, {len(failed)} failed; {watched}")
    for row in failed:
        assert Path(row["rel_path"]).name in row["failure_reason"], row
        assert row["failure_reason"].endswith("."), row
    assert min(ready, len(failed)) > PICTURES // 20, "the damage is too much, or too little, to say anything"
    assert waiting == 0
    assert await _unexpected(stack) == []
    assert _digests(paths) == before
    watched.assert_nobody_died()
    assert len(watched.children["convert"]) > 2 * PICTURES / 200 / 2, "decoders are replaced after 200 files"
    assert watched.largest_child_mb["convert"] < CHILD_MB + _GROWN_MB
    for name in ("scan", "convert", "results"):
        assert watched.largest_mb[name] < _ITSELF_MB, str(watched)
    assert watched.largest_mb["embed"] < _ENCODER_MB
