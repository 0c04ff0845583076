"""Native-size renderings for 100 % zoom: made when first asked for, kept beside the preview."""

from __future__ import annotations

from contracts.settings import Settings
from web import jobs
from web.database import Connection
from web.derivatives import derivative_path
from web.errors import RequestError
from web.items import media_url


async def request_rendering(connection: Connection, settings: Settings, photo_id: int) -> str | None:
    """The rendering's address if it is there; otherwise asks for it, unless it is on its way, and returns None."""
    row = await connection.fetchrow(
        """SELECT p.derivative_generation AS generation, j.status, j.error ->> 'sentence' AS sentence
           FROM photos p LEFT JOIN jobs j ON j.stage = 'render' AND j.subject_id = p.id
           WHERE p.id = $1 AND p.discarded_at IS NULL""",
        photo_id,
    )
    if row is None or row["generation"] is None:
        raise RequestError(404, f"Photograph {photo_id} has no picture yet to render.")
    if derivative_path(settings.derivatives_dir, photo_id, row["generation"], "render").is_file():
        return media_url("render", photo_id, row["generation"])
    if row["status"] not in ("due", "queued"):
        async with connection.transaction():
            await jobs.make_due(connection, "render", [photo_id], priority=jobs.PRIORITY_ASKED, urgent=True)
    return None
