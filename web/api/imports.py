"""Imports: start, look, stop."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from web import imports
from web.context import Db, Here, Json

router = APIRouter(tags=["imports"])


class NewImport(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1, max_length=4096)
    """A folder below a library root."""
    sample: int | Literal["all"] | None = imports.DEFAULT_SAMPLE
    """How many pictures to draw; `all` or null takes every one."""
    project: str | None = Field(default=None, max_length=200)
    seed: int = Field(default=0, ge=-(2**63), le=2**63 - 1)
    include_discarded: bool = False


@router.post("/imports", status_code=201)
async def start(request: NewImport, db: Db, here: Here) -> Json:
    """Starts importing a folder below a library root."""
    sample = None if request.sample == "all" else request.sample
    import_id = await imports.start_import(
        db, here.settings, request.path, sample=sample, project=request.project, seed=request.seed,
        include_discarded=request.include_discarded,
    )  # fmt: skip
    return Json(await imports.import_state(db, import_id), 201, {"Location": f"/api/imports/{import_id}"})


@router.get("/imports")
async def recent(db: Db) -> Json:
    """The newest imports, newest first."""
    return Json({"items": await imports.recent_imports(db)})


@router.get("/imports/{import_id}")
async def state(import_id: int, db: Db) -> Json:
    return Json(await imports.import_state(db, import_id))


@router.delete("/imports/{import_id}")
async def stop(import_id: int, db: Db) -> Json:
    """Stops at once; what is converted stays, the rest is forgotten so that a later import finds it."""
    await imports.stop_import(db, import_id)
    return Json(await imports.import_state(db, import_id))
