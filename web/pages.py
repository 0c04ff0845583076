"""The pages: thin templates, filled by the API. Nothing that a file or a model said goes into a template."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.templating import Jinja2Templates

from web.context import Db
from web.database import Connection
from web.live import newest_id

HERE = Path(__file__).parent
STATIC = HERE / "static"

router = APIRouter(include_in_schema=False)
_templates = Jinja2Templates(directory=HERE / "templates")


async def _page(request: Request, connection: Connection, name: str) -> Response:
    """`cursor`: what happens after this page was made reaches it over /events."""
    response = _templates.TemplateResponse(
        request, f"{name}.html", {"page": name, "cursor": await newest_id(connection)}
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@router.get("/")
async def import_page(request: Request, db: Db) -> Response:
    return await _page(request, db, "import")


@router.get("/gallery")
async def gallery_page(request: Request, db: Db) -> Response:
    return await _page(request, db, "gallery")


@router.get("/logs")
async def logs_page(request: Request, db: Db) -> Response:
    return await _page(request, db, "logs")


@router.get("/docs")
async def docs_page(request: Request) -> Response:
    return _templates.TemplateResponse(request, "docs.html", {})


@router.get("/favicon.ico")
async def favicon() -> Response:
    return Response((STATIC / "favicon.svg").read_bytes(), media_type="image/svg+xml")
