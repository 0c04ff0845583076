"""From job rows to claim checks: paths are composed here, at the last moment, so that a root may move."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.base import Part, Stage
from contracts.claims import ClaimCheck, ConvertParams, CurateParams, EmbedParams, RenderParams, ScanParams
from contracts.settings import Settings
from web import encoders
from web.database import Connection
from web.derivatives import derivative_name
from web.relay import matrices


@dataclass
class Built:
    """Claims to publish, and job rows that need another end: subjects by what becomes of them."""

    claims: list[ClaimCheck] = field(default_factory=list)
    put_off: list[int] = field(default_factory=list)
    """Cannot run now (its root is offline): due again later, no attempt counted."""
    without_subject: list[int] = field(default_factory=list)
    """The photo or the import is gone: the job goes too."""
    done: list[int] = field(default_factory=list)
    """Nothing to do: closed without a claim."""


Builder = Callable[[Connection, Settings, Sequence[Any], set[int]], Awaitable[Built]]


def _claim(job: Any, params: Part, *, photo_id: int | None = None, file_path: str | None = None) -> ClaimCheck:
    return ClaimCheck(
        claim_id=str(uuid.uuid4()),
        stage=job["stage"],
        subject_id=job["subject_id"],
        photo_id=photo_id,
        file_path=file_path,
        generation=job["generation"],
        attempt=job["attempts"] + 1,
        params=params.model_dump(),
    )


def _join(root: str, rel_path: str) -> str:
    return f"{root.rstrip('/')}/{rel_path}" if rel_path else root


async def _scan(connection: Connection, settings: Settings, jobs: Sequence[Any], offline: set[int]) -> Built:
    rows = await connection.fetch(
        """SELECT f.id, f.rel_path, i.id AS import_id, i.status, r.id AS root_id, r.path
           FROM import_folders f JOIN imports i ON i.id = f.import_id JOIN library_roots r ON r.id = i.root_id
           WHERE f.id = ANY ($1)""",
        [job["subject_id"] for job in jobs],
    )
    folders = {row["id"]: row for row in rows if row["status"] == "scanning"}
    built = Built()
    for job in jobs:
        row = folders.get(job["subject_id"])
        if row is None:
            built.without_subject.append(job["subject_id"])
        elif row["root_id"] in offline:
            built.put_off.append(job["subject_id"])
        else:
            params = ScanParams(import_id=row["import_id"], root_path=row["path"], rel_path=row["rel_path"])
            built.claims.append(_claim(job, params, file_path=_join(row["path"], row["rel_path"])))
    return built


_PHOTOS = """
SELECT p.id, p.rel_path, p.companion_rel_path, p.sidecar_rel_paths, p.derivative_generation, p.status,
       p.discarded_at IS NOT NULL AS discarded, r.id AS root_id, r.path
FROM photos p JOIN library_roots r ON r.id = p.root_id WHERE p.id = ANY ($1)
"""
_LOCATIONS = """
SELECT l.photo_id, l.rel_path, l.companion_rel_path, r.id AS root_id, r.path
FROM photo_locations l JOIN library_roots r ON r.id = l.root_id WHERE l.photo_id = ANY ($1)
"""


async def _photos(connection: Connection, jobs: Sequence[Any]) -> dict[int, Any]:
    return {row["id"]: row for row in await connection.fetch(_PHOTOS, [job["subject_id"] for job in jobs])}


async def _places(connection: Connection, rows: dict[int, Any], offline: set[int]) -> dict[int, Any]:
    """Where each photo can be read now: its own place, or another location while its root is offline."""
    places = {i: row for i, row in rows.items() if row["root_id"] not in offline}
    away = [i for i in rows if i not in places]
    for row in await connection.fetch(_LOCATIONS, away) if away else []:
        if row["root_id"] not in offline:
            places[row["photo_id"]] = row
    return places


async def _originals(
    connection: Connection,
    settings: Settings,
    jobs: Sequence[Any],
    offline: set[int],
    params_of: Callable[[Settings, str, Any, Any, Any], Part],
) -> Built:
    rows = await _photos(connection, jobs)
    places = await _places(connection, rows, offline)
    derivatives = str(settings.derivatives_dir)
    built = Built()
    for job in jobs:
        row = rows.get(job["subject_id"])
        if row is None or row["discarded"]:
            built.without_subject.append(job["subject_id"])
        elif (place := places.get(row["id"])) is None:
            built.put_off.append(row["id"])
        else:
            params = params_of(settings, derivatives, job, row, place)
            path = _join(place["path"], place["rel_path"])
            built.claims.append(_claim(job, params, photo_id=row["id"], file_path=path))
    return built


def _companion(place: Any) -> str | None:
    return _join(place["path"], place["companion_rel_path"]) if place["companion_rel_path"] else None


# A pathlib join for each claim was a third of the relay's time: paths are strings here.
def _convert_params(settings: Settings, derivatives: str, job: Any, row: Any, place: Any) -> Part:
    own_place = place["root_id"] == row["root_id"]
    return ConvertParams(
        root_path=place["path"],
        companion_path=_companion(place),
        sidecar_paths=tuple(_join(row["path"], s) for s in row["sidecar_rel_paths"]) if own_place else (),
        preview_path=f"{derivatives}/{derivative_name(row['id'], job['generation'], 'preview')}",
        thumb_path=f"{derivatives}/{derivative_name(row['id'], job['generation'], 'thumb')}",
        pixel_cap=settings.pixel_cap,
        timeout_s=settings.convert_timeout_s,
    )


def _render_params(settings: Settings, derivatives: str, job: Any, row: Any, place: Any) -> Part:
    generation = row["derivative_generation"] or 0
    return RenderParams(
        root_path=place["path"],
        companion_path=_companion(place),
        render_path=f"{derivatives}/{derivative_name(row['id'], generation, 'render')}",
        pixel_cap=settings.pixel_cap,
        timeout_s=settings.convert_timeout_s,
    )


async def _convert(connection: Connection, settings: Settings, jobs: Sequence[Any], offline: set[int]) -> Built:
    return await _originals(connection, settings, jobs, offline, _convert_params)


async def _render(connection: Connection, settings: Settings, jobs: Sequence[Any], offline: set[int]) -> Built:
    return await _originals(connection, settings, jobs, offline, _render_params)


async def _previews(
    connection: Connection, settings: Settings, jobs: Sequence[Any], params_of: Callable[[Any, Any], Part]
) -> Built:
    """Stages that read the preview: it must exist, so an original that is offline does not matter."""
    rows = await _photos(connection, jobs)
    derivatives = settings.derivatives_dir
    built = Built()
    for job in jobs:
        row = rows.get(job["subject_id"])
        if row is None or row["discarded"] or row["derivative_generation"] is None:
            built.without_subject.append(job["subject_id"])
            continue
        preview = f"{derivatives}/{derivative_name(row['id'], row['derivative_generation'], 'preview')}"
        built.claims.append(_claim(job, params_of(job, row), photo_id=row["id"], file_path=preview))
    return built


async def _curate(connection: Connection, settings: Settings, jobs: Sequence[Any], offline: set[int]) -> Built:
    return await _previews(
        connection, settings, jobs, lambda _, row: CurateParams(filename=row["rel_path"].rpartition("/")[2])
    )


async def _embed(connection: Connection, settings: Settings, jobs: Sequence[Any], offline: set[int]) -> Built:
    active = await encoders.active_encoder(connection)
    name = active.name if active is not None else encoders.configured_encoder(settings)

    def params(job: Any, _: Any) -> Part:
        return EmbedParams(encoder=(job["params"] or {}).get("encoder", name))

    return await _previews(connection, settings, jobs, params)


async def _taste(connection: Connection, settings: Settings, jobs: Sequence[Any], offline: set[int]) -> Built:
    return await _matrices(connection, settings, jobs, matrices.taste_matrices)


async def _bursts(connection: Connection, settings: Settings, jobs: Sequence[Any], offline: set[int]) -> Built:
    return await _matrices(connection, settings, jobs, matrices.burst_matrices)


async def _matrices(
    connection: Connection,
    settings: Settings,
    jobs: Sequence[Any],
    make: Callable[[Connection, Settings, Any], Awaitable[Part | None]],
) -> Built:
    built = Built()
    for job in jobs:
        params = await make(connection, settings, job)
        if params is None:
            built.done.append(job["subject_id"])
        else:
            built.claims.append(_claim(job, params))
    return built


BUILDERS: dict[Stage, Builder] = {
    "scan": _scan,
    "convert": _convert,
    "render": _render,
    "curate": _curate,
    "embed": _embed,
    "taste": _taste,
    "bursts": _bursts,
}
