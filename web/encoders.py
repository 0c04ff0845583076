"""Which encoder the archive is embedded with. Vectors of two encoders are never compared.

On the first start nothing is active: claims then carry the setting (`auto`: the embed consumer looks whether CLIP's
weights are at hand), and the first vector that comes back settles the choice.
"""

from __future__ import annotations

from typing import NamedTuple

from contracts.settings import Settings
from web import jobs
from web.database import Connection
from web.errors import RequestError

BUNDLED = "efficientnet-lite2"
AUTO = "auto"


def configured_encoder(settings: Settings) -> str:
    """The setting as an encoder's name, or `auto`."""
    if settings.encoder == "bundled":
        return BUNDLED
    if settings.encoder == "clip":
        return f"{settings.clip_model_name}/{settings.clip_pretrained}"
    return settings.encoder or AUTO


class Encoder(NamedTuple):
    """`dim`: None until the first vector has come."""

    id: int
    name: str
    dim: int | None


async def active_encoder(connection: Connection) -> Encoder | None:
    row = await connection.fetchrow("SELECT id, name, dim FROM encoders WHERE status = 'active'")
    return Encoder(*row) if row is not None else None


async def settle_encoders(connection: Connection, dims: dict[str, int]) -> dict[str, int]:
    """Ids of the encoders that answered, by name; the first that ever answers becomes the active one."""
    if await active_encoder(connection) is None:
        name, dim = next(iter(dims.items()))
        await connection.execute(
            """INSERT INTO encoders (name, dim, status) VALUES ($1, $2, 'active')
               ON CONFLICT (name) DO UPDATE SET status = 'active'""",
            name, dim,
        )  # fmt: skip
    rows = await connection.fetch(
        """UPDATE encoders e SET dim = coalesce(e.dim, d.dim) FROM unnest($1::text[], $2::int[]) AS d (name, dim)
           WHERE e.name = d.name RETURNING e.name, e.id""",
        list(dims), list(dims.values()),
    )  # fmt: skip
    return {row["name"]: row["id"] for row in rows}


async def use_encoder(connection: Connection, name: str) -> int:
    """Embeds the whole archive again with `name`, beside the old vectors; the relay switches when it is done.

    Returns how many photographs are to be embedded.
    """
    active = await active_encoder(connection)
    if active is not None and name == active.name:
        raise RequestError(409, f"{name} is the encoder in use already.")
    async with connection.transaction():
        await connection.execute("UPDATE encoders SET status = 'retired' WHERE status = 'building'")
        encoder_id = await connection.fetchval(
            """INSERT INTO encoders (name, status) VALUES ($1, 'building')
               ON CONFLICT (name) DO UPDATE SET status = 'building' RETURNING id""",
            name,
        )
        rows = await connection.fetch(
            """SELECT p.id FROM photos p WHERE p.derivative_generation IS NOT NULL AND p.discarded_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.encoder_id = $1 AND e.photo_id = p.id)""",
            encoder_id,
        )
        await jobs.make_due(connection, "embed", [row["id"] for row in rows], params={"encoder": name})
    return len(rows)
