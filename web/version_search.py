"""The search for versions: asked for by a row, run by one process at a time, its groups kept until the next.

Each import asks for it when it ends, and so does a button. The search itself (`domain.duplicates`) runs in a thread.
The wish goes only when it was fulfilled and nobody asked again meanwhile, so that a crash forgets nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from contracts.events import Event
from contracts.settings import Settings
from domain import duplicates
from web import bursts, events
from web.database import Connection
from web.single_flight import run_when_asked

log = structlog.get_logger()

CHANNEL = "fineshyt_versions"
_LOCK = 0x76657273  # "vers"
_FETCH = 5_000
_AT_ONCE = 2_000
_DULL = 0
"""Sharpness of a picture in which there is nothing to see."""

_ROWS = """
SELECT p.id, p.root_id, p.rel_path, p.camera, p.camera_serial, p.phash, p.sharpness_score, p.pixel_hash, p.file_hash,
       CASE WHEN p.captured_source = 'DateTimeOriginal' THEN (extract(epoch FROM p.captured_at) * 1000000)::bigint END
           AS at_us,
       coalesce(p.width::bigint * p.height, 0) AS area
FROM photos p WHERE p.status = 'ready' AND p.discarded_at IS NULL
"""


async def request(connection: Connection) -> None:
    """Versions are looked for soon, or once more when the search that runs now ends."""
    await connection.execute("UPDATE version_search SET wanted_at = clock_timestamp()")
    await connection.execute(f"NOTIFY {CHANNEL}")


async def state(connection: Connection) -> dict[str, Any]:
    """`wanted`: a search waits or runs. `found_at`: when the last one ended, None before the first."""
    row = await connection.fetchrow("SELECT wanted_at, found_at FROM version_search")
    found = row["found_at"]
    return {"wanted": row["wanted_at"] is not None, "found_at": found.isoformat() if found else None}


async def run_version_search(settings: Settings, stop: asyncio.Event) -> None:
    """Searches whenever it was asked for, until `stop`."""
    await run_when_asked(settings, stop, "version_search", channel=CHANNEL, lock=_LOCK, work=search_if_wanted)


async def search_if_wanted(connection: Connection) -> bool:
    """Looks through the whole archive if somebody asked; returns whether anybody did."""
    wanted = await connection.fetchval("SELECT wanted_at FROM version_search")
    if wanted is None:
        return False
    table, names, folders = await _archive(connection)
    found = await asyncio.to_thread(duplicates.find, table, names, folders)
    changed = await replace(connection, found)
    if changed:  # only what stands in front takes part in bursts
        await bursts.note_new_vectors(connection)
    async with connection.transaction():
        await connection.execute(
            "UPDATE version_search SET found_at = now(), wanted_at = CASE WHEN wanted_at > $1 THEN wanted_at END",
            wanted,
        )
        await events.publish(connection, [Event(kind="versions", data={"ids": []})])
    log.info("versions_found", photos=len(table), versions=len(found), changed=changed)
    return True


async def _archive(connection: Connection) -> tuple[NDArray[Any], list[str], list[str]]:
    """The table of `domain.duplicates.find`, and the names and folders of its rows."""
    numbers: dict[tuple[str, str], int] = {}
    parts, names, folders = [], [], []
    async with connection.transaction(readonly=True):
        cursor = await connection.cursor(_ROWS)
        while rows := await cursor.fetch(_FETCH):
            parts.append(np.array([_facts(row, numbers) for row in rows], duplicates.TABLE))
            for row in rows:
                folder, _, name = row["rel_path"].rpartition("/")
                names.append(name)
                folders.append(f"{row['root_id']}/{folder}")
    return (np.concatenate(parts) if parts else np.empty(0, duplicates.TABLE)), names, folders


def _facts(row: Any, numbers: dict[tuple[str, str], int]) -> tuple[Any, ...]:
    def number(kind: str, text: str | None) -> int:
        return numbers.setdefault((kind, text), len(numbers) + 1) if text else 0

    at, phash = row["at_us"], row["phash"]
    return (
        row["id"],
        duplicates.NO_TIME if at is None else at,
        number("camera", row["camera"]),
        number("serial", row["camera_serial"]),
        (phash or 0) % (1 << 64),
        phash is None or row["sharpness_score"] == _DULL,
        _start(row["pixel_hash"]),
        _start(row["file_hash"]),
        row["area"],
    )


def _start(digest: bytes | None) -> int:
    return int.from_bytes(digest[:8]) if digest else 0


async def replace(connection: Connection, found: NDArray[np.int64]) -> int:
    """Puts the groups of `domain.duplicates.find` in the place of those from before; returns how many photos changed.

    In pieces, so that nobody waits long; a group is never seen in halves.
    """
    fresh = _members(found)
    rows = await connection.fetch("SELECT photo_id, group_id, place, reason FROM version_members")
    old = {row["photo_id"]: (row["group_id"], row["place"], row["reason"]) for row in rows}
    changed = {i: (fresh.get(i) or old[i])[0] for i in fresh.keys() | old.keys() if fresh.get(i) != old.get(i)}
    for some in _pieces(changed):
        async with connection.transaction():
            await _write(connection, some, fresh)
    return len(changed)


def _members(found: NDArray[np.int64]) -> dict[int, tuple[int, int, int]]:
    """photo -> (group, place, reason). A group is named by its lowest photo, so that its name outlives a search."""
    lowest: dict[int, int] = {}
    for photo, number, _, _ in found.tolist():
        lowest[number] = min(photo, lowest.get(number, photo))
    return {photo: (lowest[number], place, reason) for photo, number, place, reason in found.tolist()}


def _pieces(group_of: dict[int, int]) -> Iterator[list[int]]:
    """Photos in lists of about `_AT_ONCE`, those of one group in one list."""
    piece: list[int] = []
    for _, members in groupby(sorted(group_of, key=lambda i: (group_of[i], i)), key=group_of.__getitem__):
        piece += members
        if len(piece) >= _AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece


async def _write(connection: Connection, ids: Sequence[int], fresh: dict[int, tuple[int, int, int]]) -> None:
    beside = await connection.fetch(
        """SELECT photo_id FROM version_members
           WHERE group_id IN (SELECT group_id FROM version_members WHERE photo_id = ANY ($1))""",
        list(ids),
    )
    touched = sorted({*ids, *(row["photo_id"] for row in beside)})
    await connection.execute("DELETE FROM version_members WHERE photo_id = ANY ($1)", list(ids))
    members = [(i, *fresh[i]) for i in ids if i in fresh]
    await connection.execute(
        """INSERT INTO version_members (photo_id, group_id, place, reason)
           SELECT m.* FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[]) AS m (photo_id, g, place, reason)
           JOIN photos p ON p.id = m.photo_id ON CONFLICT DO NOTHING""",
        *([member[n] for member in members] for n in range(4)),
    )
    await connection.execute("SELECT refresh_stacks($1)", touched)
    await events.publish(connection, [Event(kind="versions", data={"ids": touched})])
