"""Stars out: into sidecars and files where other programs look. Nothing is written below a root without consent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.errors import DomainError
from domain.xmp import three_way
from domain.xmp_containers import container_of
from web import consents, xmp_places
from web.database import Connection
from web.errors import RequestError
from web.round_trip import Outcome, Wish, base_of, photos_of, remember, said_here
from web.xmp_places import Place, Written


async def write(connection: Connection, wish: Wish, advance: Callable[[int], None] = lambda n: None) -> Outcome:
    """Writes every decision to where the programs of the wish look. One file that fails stops none of the others.

    Raises RequestError when the wish names no place, or one inside the library that nobody consented to.
    """
    await _require_place(connection, wish)
    outcome = Outcome()
    writing = _Writing(connection, wish, outcome, await consents.given(connection))
    async for rows in photos_of(connection, wish, decided=True, outcome=outcome):
        agreed: list[tuple[int, str, int]] = []
        for row in rows:
            agreed += await writing.photo(row)
        if not wish.dry_run:
            await remember(connection, agreed)
        advance(len(rows))
    return outcome


async def _require_place(connection: Connection, wish: Wish) -> None:
    if wish.aside is None and not wish.beside and not wish.embed:
        raise RequestError(422, "Say where to: into a folder of yours, beside the originals, or into the files.")
    if wish.aside is None:
        return
    chosen = Path(wish.aside).resolve()
    for root in await connection.fetch("SELECT path FROM library_roots"):
        if chosen.is_relative_to(Path(root["path"]).resolve()):
            raise RequestError(
                422, f"{wish.aside} lies in the library {root['path']}. Choose a folder elsewhere, or write beside."
            )


@dataclass
class _Writing:
    connection: Connection
    wish: Wish
    outcome: Outcome
    given: set[tuple[int, str]]
    taken: dict[str, int] = field(default_factory=dict)
    """Sidecars of this run and whose they are: two RAWs with one stem share an `IMG.xmp`."""

    async def photo(self, row: Any) -> list[tuple[int, str, int]]:
        """What is agreed now, `(photo, place, said)`."""
        places = await asyncio.to_thread(self._places, row)
        agreed = []
        for place in places:
            kind = "embedded" if place.role == "embedded" else "sidecar"
            if not place.note and (row["root_id"], kind) not in self.given:
                self.outcome.without_consent += 1
            elif self._is_anothers(row, place):
                self.outcome.fail(place.path, "Two RAW files share this sidecar; rename one, or use darktable's names.")
            elif (said := await self._place(row, place)) is not None:
                agreed.append((row["id"], place.key, said))
        return agreed

    def _places(self, row: Any) -> list[Place]:
        root = Path(row["root"])
        aside = self.wish.aside / _folder_of(row) if self.wish.aside else None
        sidecars = self.wish.beside or aside is not None
        places = xmp_places.wanted_places(
            root, row["rel_path"], programs=self.wish.programs, aside=aside, sidecars=sidecars, embed=self.wish.embed
        )
        inside = container_of(row["rel_path"]) is not None
        self.outcome.needs_embedding += inside and not self.wish.embed and "lightroom" in self.wish.programs
        return places

    def _is_anothers(self, row: Any, place: Place) -> bool:
        return place.role != "embedded" and self.taken.setdefault(str(place.path).casefold(), row["id"]) != row["id"]

    async def _place(self, row: Any, place: Place) -> int | None:
        """What place and person agree on now; None: they do not."""
        try:
            there = await asyncio.to_thread(xmp_places.said_at, place)
            here, base = said_here(row, there), base_of(row, place)
            kind = three_way(base, here, there)
            if kind == "conflict" and self.wish.prefer == "here":
                kind = "write"
            if kind == "write":
                return await self._write(row, place, here or 0)
        except DomainError as error:
            self.outcome.fail(place.path, error.sentence)
            return None
        except OSError as error:
            self.outcome.fail(place.path, f"It could not be written: {error.strerror or error}.")
            return None
        if kind == "same":
            self.outcome.same += 1
            return here
        if kind == "read":
            self.outcome.changed_there += 1
        elif kind == "conflict":
            self.outcome.conflict(row, place, here, there or 0, base)
        return None

    async def _write(self, row: Any, place: Place, said: int) -> int:
        self.outcome.written += 1
        if self.wish.dry_run:
            return said
        inside = Path(place.note) if place.note else Path(row["root"])
        try:
            written = await asyncio.to_thread(xmp_places.write, place, said, inside=inside)
        except BaseException:
            self.outcome.written -= 1
            raise
        await self._note(row, place, written)
        return said

    async def _note(self, row: Any, place: Place, written: Written) -> None:
        """The original's new state, so that the next import does not read it again for our own writing."""
        if place.role == "embedded":
            await self.connection.execute(
                """UPDATE photos SET file_size = $2, mtime_ns = $3, file_hash = $4
                   WHERE id = $1 AND file_size = $5 AND mtime_ns = $6""",
                row["id"], written.size, written.mtime_ns, written.hash, row["file_size"], row["mtime_ns"],
            )  # fmt: skip
        elif not place.note:
            rel_path = place.path.relative_to(row["root"]).as_posix()
            await self.connection.execute(
                """UPDATE photos SET sidecar_rel_paths = array_append(sidecar_rel_paths, $2)
                   WHERE id = $1 AND NOT $2 = ANY (sidecar_rel_paths)""",
                row["id"], rel_path,
            )  # fmt: skip


def _folder_of(row: Any) -> str:
    """One folder a root below the chosen one: two roots may hold the same names."""
    return f"{Path(row['root']).name or 'root'}-{row['root_id']}"
