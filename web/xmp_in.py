"""Stars in: what other programs changed in sidecars and files since both sides last agreed."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from domain.errors import DomainError
from domain.xmp import three_way
from web import xmp_places
from web.database import Connection
from web.decisions import in_one_transaction
from web.foreign_ratings import said_by, take_over
from web.round_trip import Outcome, Wish, base_of, photos_of, remember, said_here
from web.xmp_places import Place


async def read(
    connection: Connection,
    wish: Wish,
    *,
    accept: bool = False,
    action_id: uuid.UUID | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> Outcome:
    """What other programs changed since. Without `accept` only counted; with it taken over as one action."""
    outcome = Outcome()
    wanted: dict[int, int] = {}
    before: dict[int, int | None] = {}
    agreed: list[tuple[int, str, int]] = []
    async for rows in photos_of(connection, wish, decided=False, outcome=outcome):
        for row in rows:
            said, places = await _read_photo(row, wish, outcome)
            agreed += [(row["id"], place.key, there) for place, there in places]
            if said is not None:
                wanted[row["id"]], before[row["id"]] = said, said_by(row)
        advance(len(rows))
    outcome.changed_there = len(wanted)
    if accept:
        await in_one_transaction(connection, lambda: _accept(connection, outcome, wanted, before, agreed, action_id))
    return outcome


async def _accept(
    connection: Connection,
    outcome: Outcome,
    wanted: dict[int, int],
    before: dict[int, int | None],
    agreed: Sequence[tuple[int, str, int]],
    action_id: uuid.UUID | None,
) -> None:
    name = action_id or uuid.uuid4()
    changed = set(await take_over(connection, wanted, before, "xmp", name, "xmp"))
    outcome.taken = len(changed)
    outcome.action_id = name if changed else None
    await remember(connection, [a for a in agreed if a[0] in changed or a[0] not in wanted])


async def _read_photo(row: Any, wish: Wish, outcome: Outcome) -> tuple[int | None, list[tuple[Place, int]]]:
    """What the files say anew (None: nothing), and the places with what they say that both sides then agree on."""
    said: dict[Place, int] = {}
    conflicts: list[tuple[Place, int]] = []
    same: list[tuple[Place, int]] = []
    for place, there in await asyncio.to_thread(_spoken, row, outcome):
        kind = three_way(base_of(row, place), said_here(row, there), there)
        if kind == "read" or (kind == "conflict" and wish.prefer == "file"):
            said[place] = there
        elif kind == "conflict":
            conflicts.append((place, there))
        elif kind == "same":
            same.append((place, there))
    if conflicts or len(set(said.values())) > 1:
        for place, there in [*conflicts, *said.items()]:
            outcome.conflict(row, place, said_here(row, there), there, base_of(row, place))
        return None, same
    if not said:
        outcome.same += bool(same)
        return None, same
    return next(iter(said.values())), list(said.items())


def _spoken(row: Any, outcome: Outcome) -> list[tuple[Place, int]]:
    """Every place of the photo that speaks of a rating."""
    spoken = []
    for place in xmp_places.found_places(Path(row["root"]), row["rel_path"]):
        try:
            there = xmp_places.said_at(place)
        except DomainError as error:
            outcome.fail(place.path, error.sentence)
        except OSError as error:
            outcome.fail(place.path, f"It could not be read: {error.strerror or error}.")
        else:
            if there is not None:
                spoken.append((place, there))
    return spoken
