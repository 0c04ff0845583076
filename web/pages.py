"""The pages: thin templates, filled by the API. Nothing that a file or a model said goes into a template."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from fastapi import APIRouter, Request, Response
from fastapi.templating import Jinja2Templates

from contracts.settings import Settings
from web import assets, scoring
from web.context import Db, Here
from web.database import Connection
from web.live import newest_id
from web.security import ANY_ADDRESS

router = APIRouter(include_in_schema=False)
_templates = Jinja2Templates(directory=Path(__file__).parent / "templates")

PLACES = (
    ("import", "Import", "/"),
    ("gallery", "Gallery", "/gallery"),
    ("review", "Review", "/review"),
    ("projects", "Projects", "/projects"),
    ("bursts", "Bursts", "/bursts"),
    ("taste", "Taste", "/taste"),
    ("logs", "Logs", "/logs"),
)
"""(template and module, title, path) of every place, in the order of the masthead."""


def management_page(settings: Settings, host: str) -> str | None:
    """Where a person sees RabbitMQ, without the credentials that the setting may carry.

    `host`: what this page was asked for at. It stands in where the setting says "every address" (0.0.0.0 or ::), which
    no browser can go to.
    """
    address = urlsplit(settings.management_url.get_secret_value())
    if address.scheme not in ("http", "https") or not address.hostname:
        return None
    place = address.netloc.rpartition("@")[2]
    if address.hostname in ANY_ADDRESS:
        port = place.rpartition(":")[2]
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return urlunsplit((address.scheme, place, address.path or "/", "", ""))


async def _page(request: Request, connection: Connection, name: str, settings: Settings) -> Response:
    """`cursor`: what happens after this page was made reaches it over /events."""
    told = {
        "page": name,
        "cursor": await newest_id(connection),
        "tentative": await scoring.is_tentative(connection),
        "places": PLACES,
        "management": management_page(settings, request.url.hostname or ""),
        "static": assets.address(),
        "modules": assets.modules(f"pages/{name}.js"),
    }
    response = _templates.TemplateResponse(request, f"{name}.html", told)
    response.headers["Cache-Control"] = "no-store"
    return response


def _place(name: str) -> Callable[[Request, Db, Here], Awaitable[Response]]:
    async def shown(request: Request, db: Db, here: Here) -> Response:
        return await _page(request, db, name, here.settings)

    return shown


for _name, _title, _path in PLACES:
    router.add_api_route(_path, _place(_name), name=_name)
router.add_api_route("/duplicates", _place("duplicates"), name="duplicates")


@router.get("/docs")
async def docs_page(request: Request) -> Response:
    return _templates.TemplateResponse(request, "docs.html", {"static": assets.address()})


@router.get("/favicon.ico")
async def favicon() -> Response:
    return Response((assets.STATIC / "favicon.svg").read_bytes(), media_type="image/svg+xml")
