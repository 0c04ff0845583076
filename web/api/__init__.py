"""The API of the pages and of programs: one module a noun, put together in `router`."""

from __future__ import annotations

from fastapi import APIRouter

from web.api import (
    bursts,
    decisions,
    duplicates,
    facets,
    failed,
    folders,
    imports,
    logs,
    photos,
    projects,
    search,
    stages,
    taste,
    trash,
    uploads,
    watch,
    xmp,
)

router = APIRouter(prefix="/api")
for part in (
    imports, folders, photos, facets, decisions, failed, trash, uploads, stages, bursts, projects, logs, taste, search,
    duplicates, xmp, watch,
):  # fmt: skip
    router.include_router(part.router)

__all__ = ["router"]
