"""Re-encoded pixels by photo id. Originals are never served, and no path comes from a request."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as FromPath
from fastapi.responses import FileResponse

from web.api.shapes import PhotoId
from web.context import Context, Here
from web.derivatives import Kind, derivative_path, tile_path
from web.errors import RequestError

router = APIRouter(prefix="/media", tags=["media"])
_FOREVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
Generation = Annotated[int, Query(ge=0, le=2**31 - 1)]
Place = Annotated[int, FromPath(ge=0, le=1_000_000)]


@router.get("/{kind}/{photo_id}")
async def derivative(
    kind: Kind, photo_id: PhotoId, request: Request, here: Here, v: Generation | None = None
) -> Response:
    """A preview, thumbnail or rendering (JPEG). With `v`, the generation, it never changes and is kept for good."""
    path = None if v is None else derivative_path(here.settings.derivatives_dir, photo_id, v, kind)
    generation = v
    if path is None or not path.is_file():
        generation = await _current_generation(here, photo_id)
        path = derivative_path(here.settings.derivatives_dir, photo_id, generation, kind)
        if not path.is_file():
            raise RequestError(404, f"There is no {kind} of photograph {photo_id}.")
    etag = f'"{photo_id}-{generation}-{kind}"'
    return _jpeg(request, path, etag, _FOREVER if generation == v else _ASK_AGAIN)


@router.get("/tiles/{photo_id}/{level}/{column}_{row}")
async def tile(
    photo_id: PhotoId, level: Place, column: Place, row: Place, v: Generation, request: Request, here: Here
) -> Response:
    """A tile (JPEG) of a rendering too large for a browser; `POST /api/photos/{id}/render` says which there are.

    Of the generation `v` and no other: tiles of two would not fit together. Never changes and is kept for good.
    """
    path = tile_path(here.settings.derivatives_dir, photo_id, v, level, column, row)
    if not path.is_file():
        raise RequestError(404, f"There is no such tile of photograph {photo_id}. Ask for its rendering again.")
    return _jpeg(request, path, f'"{photo_id}-{v}-{level}-{column}-{row}"', _FOREVER)


def _jpeg(request: Request, path: Path, etag: str, cache: str) -> Response:
    headers = {"ETag": etag, "Cache-Control": cache}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    stat = path.stat()
    headers["Last-Modified"] = formatdate(stat.st_mtime, usegmt=True)
    return FileResponse(path, headers=headers, media_type="image/jpeg", stat_result=stat)


async def _current_generation(here: Context, photo_id: int) -> int:
    async with here.pool.acquire() as connection:
        generation = await connection.fetchval(
            "SELECT derivative_generation FROM photos WHERE id = $1 AND discarded_at IS NULL", photo_id
        )
    if generation is None:
        raise RequestError(404, f"There is no picture of photograph {photo_id}.")
    return int(generation)
