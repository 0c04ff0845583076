"""Stacks: versions of one photograph behind the one in front, as the read model has them (`refresh_stacks`)."""

from __future__ import annotations

from collections.abc import Iterable

from web.database import Connection


async def rated_with(connection: Connection, photo_ids: Iterable[int]) -> set[int]:
    """The other photos of the stacks that these belong to: what is said of one in stars is said of all."""
    asked = set(photo_ids)
    rows = await connection.fetch(
        """SELECT photo_id FROM gallery WHERE stack_front IN (
               SELECT stack_front FROM gallery WHERE photo_id = ANY ($1::bigint[]) AND stack_front IS NOT NULL)""",
        list(asked),
    )
    return {row["photo_id"] for row in rows} - asked
