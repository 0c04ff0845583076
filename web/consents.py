"""Leave to write below a library root, given by the person per root and kind. Without it nothing is written there."""

from __future__ import annotations

from typing import Any, Literal

from web.database import Connection
from web.errors import RequestError

Kind = Literal["sidecar", "embedded"]
KINDS: tuple[Kind, ...] = ("sidecar", "embedded")


async def listed(connection: Connection) -> list[dict[str, Any]]:
    """Every root with what may be written below it."""
    rows = await connection.fetch(
        """SELECT r.id, r.path, array_remove(array_agg(c.kind ORDER BY c.kind), NULL) AS kinds
           FROM library_roots r LEFT JOIN write_consents c ON c.root_id = r.id GROUP BY r.id ORDER BY r.path"""
    )
    return [{"root_id": row["id"], "path": row["path"], "kinds": list(row["kinds"])} for row in rows]


async def given(connection: Connection) -> set[tuple[int, str]]:
    """`(root, kind)` of every consent."""
    return {(row["root_id"], row["kind"]) for row in await connection.fetch("SELECT root_id, kind FROM write_consents")}


async def give(connection: Connection, root_id: int, kind: Kind) -> None:
    await _require_root(connection, root_id)
    await connection.execute(
        "INSERT INTO write_consents (root_id, kind) VALUES ($1, $2) ON CONFLICT DO NOTHING", root_id, kind
    )


async def take_back(connection: Connection, root_id: int, kind: Kind) -> None:
    await _require_root(connection, root_id)
    await connection.execute("DELETE FROM write_consents WHERE root_id = $1 AND kind = $2", root_id, kind)


async def _require_root(connection: Connection, root_id: int) -> None:
    if not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM library_roots WHERE id = $1)", root_id):
        raise RequestError(404, f"There is no root {root_id}. See `fineshyt roots list`.")
