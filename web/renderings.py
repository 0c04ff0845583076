"""Native-size renderings for 100 % zoom: made when first asked for, kept beside the preview."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.JpegImagePlugin import JpegImageFile

from contracts.settings import Settings
from domain.tiling import OVERLAP, TILE_SIZE, max_level
from web import jobs
from web.database import Connection
from web.derivatives import derivative_path, tiles_path
from web.errors import RequestError
from web.items import media_url


@dataclass(frozen=True)
class Tiles:
    """The pyramid of a rendering that is too large for a browser.

    `url` holds the placeholders {level}, {column} and {row}. `max_level` is native size, each level below it half as
    wide and high, rounded up; `min_level` fits into one tile. Tiles at the right and the lower edge are cut short.
    """

    url: str
    tile_size: int
    overlap: int
    min_level: int
    max_level: int


@dataclass(frozen=True)
class Rendering:
    url: str
    width: int
    height: int
    tiles: Tiles | None


async def request_rendering(connection: Connection, settings: Settings, photo_id: int) -> Rendering | None:
    """The rendering if it is there; otherwise asks for it, unless it is on its way, and returns None."""
    found, job = await _looked_for(connection, settings, photo_id)
    if found is None and job["status"] not in ("due", "queued"):
        async with connection.transaction():
            await jobs.make_due(connection, "render", [photo_id], priority=jobs.PRIORITY_ASKED, urgent=True)
    return found


async def rendering(connection: Connection, settings: Settings, photo_id: int) -> Rendering | None:
    """The rendering if it is there, None while it is made. Asks for nothing.

    Raises RequestError 409 with the stage's sentence when it was given up, 404 when nobody asked for it.
    """
    found, job = await _looked_for(connection, settings, photo_id)
    if found is None and job["status"] == "failed":
        raise RequestError(409, job["sentence"] or f"Photograph {photo_id} could not be rendered.")
    if found is None and job["status"] not in ("due", "queued"):
        raise RequestError(404, f"No rendering of photograph {photo_id} was asked for.")
    return found


async def _looked_for(connection: Connection, settings: Settings, photo_id: int) -> tuple[Rendering | None, Any]:
    """The rendering, and its job: `status` and `sentence`, None where there is none. Raises RequestError 404."""
    row = await connection.fetchrow(
        """SELECT p.derivative_generation AS generation, j.status, j.error ->> 'sentence' AS sentence
           FROM photos p LEFT JOIN jobs j ON j.stage = 'render' AND j.subject_id = p.id
           WHERE p.id = $1 AND p.discarded_at IS NULL""",
        photo_id,
    )
    if row is None or row["generation"] is None:
        raise RequestError(404, f"Photograph {photo_id} has no picture yet to render.")
    return await asyncio.to_thread(_found, settings.derivatives_dir, photo_id, row["generation"]), row


def _found(derivatives: Path, photo_id: int, generation: int) -> Rendering | None:
    url = media_url("render", photo_id, generation)
    size = _size(derivative_path(derivatives, photo_id, generation, "render"))
    if url is None or size is None:
        return None
    tiles = None
    if tiles_path(derivatives, photo_id, generation).is_dir():
        address = f"/media/tiles/{photo_id}/{{level}}/{{column}}_{{row}}?v={generation}"
        tiles = Tiles(address, TILE_SIZE, OVERLAP, 0, max_level(*size))
    return Rendering(url, *size, tiles)


def _size(rendering: Path) -> tuple[int, int] | None:
    """By its header: a RAW's row may speak of the preview that the camera embedded. None for what is lost or broken.

    Not by Pillow's `open`, which takes a picture of this size for an attack.
    """
    try:
        with rendering.open("rb") as file:
            return JpegImageFile(file).size
    except (OSError, SyntaxError):
        return None
