"""Export: approved pictures and `photos.json` in a folder. Additive: no file that is not ours is ever overwritten.

Ours is what the manifest in the folder says is ours: the same id and the same pixels. What would be written is made in
full and compared with what lies there, so that a second run without changes changes nothing.
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import orjson
from PIL import Image, ImageCms
from PIL.JpegImagePlugin import JpegImageFile

from contracts.exif import inflate_exif
from contracts.export_manifest import ManifestEntry
from contracts.settings import Settings
from domain.formats import file_kind
from web.database import Connection
from web.derivatives import derivative_path
from web.errors import RequestError
from web.gps import gps_ifd
from web.renderings import request_rendering

MANIFEST = "photos.json"
Format = Literal["jpeg", "png", "tiff", "webp"]
_ENDINGS: dict[Format, str] = {"jpeg": ".jpg", "png": ".png", "tiff": ".tif", "webp": ".webp"}
_PREVIEW_EDGE = 1440
_RENDERINGS_AHEAD = 8
_RENDERING_S = 600.0
_GPS_IFD = 0x8825
_ICC_DATE = slice(24, 36)


@dataclass(frozen=True)
class Wish:
    """What to export and how. `size`: `preview`, `original`, or a long edge in pixels."""

    project: str | None = None
    min_rating: int | None = None
    size: str = "preview"
    format: Format = "jpeg"
    quality: int = 90
    raw: bool = False
    keep_gps: bool = False

    @property
    def edge(self) -> int:
        """Long edge in pixels; 0: native."""
        if self.size == "original":
            return 0
        return _PREVIEW_EDGE if self.size == "preview" else int(self.size)


@dataclass
class Exported:
    written: list[str] = field(default_factory=list)
    unchanged: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Sentences by file name; the others were exported all the same."""


def approved(*, rating: int | None, picked: bool, score: int | None, cut: int, rejected: bool, ready: bool) -> bool:
    """Whether a photograph is exported: rated and not thrown out, and 4 or 5 stars, picked, or a match with 3."""
    if rating is None or rejected or not ready:
        return False
    return rating >= 4 or picked or (rating == 3 and score is not None and score >= cut)


_ROWS = """
SELECT p.id, p.rel_path, r.path AS root, p.derivative_generation AS generation, p.pixel_hash, p.captured_at, p.width,
       p.height, p.inserted_at, p.camera, p.lens, p.status, g.rating, g.picked, g.preference, g.rejected,
       pr.name AS project, m.subject, m.content_type, m.artistic_mood,
       ARRAY(SELECT tag FROM photo_tags t WHERE t.photo_id = p.id ORDER BY tag) AS tags, match_cut() AS cut,
       CASE WHEN $3 THEN x.exif END AS tags_deflated
FROM gallery g JOIN photos p ON p.id = g.photo_id JOIN library_roots r ON r.id = p.root_id
LEFT JOIN projects pr ON pr.id = g.project_id LEFT JOIN photo_metadata m ON m.photo_id = p.id
LEFT JOIN photo_exif x ON $3 AND x.photo_id = p.id
WHERE g.rating IS NOT NULL AND NOT g.discarded AND p.derivative_generation IS NOT NULL
  AND ($1::text IS NULL OR lower(pr.name) = lower($1)) AND ($2::int IS NULL OR g.rating >= $2) ORDER BY p.id
"""


async def chosen(connection: Connection, wish: Wish) -> list[Any]:
    """The approved photographs. Raises RequestError for a project that is not there."""
    if wish.project is not None and not await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM projects WHERE lower(name) = lower($1))", wish.project
    ):
        raise RequestError(404, f"There is no project called {wish.project!r}.")
    return [
        row
        for row in await connection.fetch(_ROWS, wish.project, wish.min_rating, wish.keep_gps)
        if approved(
            rating=row["rating"], picked=row["picked"], score=row["preference"], cut=row["cut"],
            rejected=row["rejected"], ready=row["status"] == "ready",
        )
    ]  # fmt: skip


async def export(
    connection: Connection,
    settings: Settings,
    target: Path,
    rows: list[Any],
    wish: Wish,
    advance: Callable[[], None] = lambda: None,
) -> Exported:
    """Writes `rows` to `target`, made if need be. Raises RequestError when its manifest is not ours to keep."""
    target.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(target)
    outcome = Exported()
    async for row, source in _sources(connection, settings, rows, wish):
        if isinstance(source, str):
            outcome.failed[row["rel_path"]] = source
        else:
            await asyncio.to_thread(_put, manifest, row, source, wish, outcome)
        advance()
    await asyncio.to_thread(manifest.save)
    return outcome


def _put(manifest: Manifest, row: Any, source: Path, wish: Wish, outcome: Exported) -> None:
    copied = _is_copied(row, wish)
    try:
        content = source.read_bytes() if copied else picture(source, row, wish)
    except (OSError, SyntaxError, ValueError) as error:
        outcome.failed[row["rel_path"]] = (
            f"{source.name} could not be read: {error}. Press Retry on it, then export again."
        )
        return
    ending = source.suffix if copied else _ENDINGS[wish.format]
    name = manifest.place(row, ending)
    if manifest.write(name, content):
        outcome.written.append(name)
    else:
        outcome.unchanged += 1
    manifest.enter(row, name)


# --- pixels -----------------------------------------------------------------------------------------------------------


def _original(row: Any) -> Path:
    return Path(str(row["root"])) / str(row["rel_path"])


def _is_copied(row: Any, wish: Wish) -> bool:
    """A RAW that goes as it is."""
    return wish.raw and file_kind(row["rel_path"]) == "raw"


async def _sources(
    connection: Connection, settings: Settings, rows: list[Any], wish: Wish
) -> AsyncIterator[tuple[Any, Path | str]]:
    """Each row with the file to take its picture from, or a sentence. Renderings are asked for some ahead."""
    for start in range(0, len(rows), _RENDERINGS_AHEAD):
        chunk = rows[start : start + _RENDERINGS_AHEAD]
        for row in chunk:
            if _needs_rendering(row, wish):
                await request_rendering(connection, settings, row["id"])
        for row in chunk:
            if _is_copied(row, wish):
                yield row, _original(row)
            elif _needs_rendering(row, wish):
                yield row, await _rendering(connection, settings, row)
            else:
                yield row, derivative_path(settings.derivatives_dir, row["id"], row["generation"], "preview")


def _needs_rendering(row: Any, wish: Wish) -> bool:
    larger = wish.edge == 0 or wish.edge > _PREVIEW_EDGE
    return larger and max(row["width"], row["height"]) > _PREVIEW_EDGE and not _is_copied(row, wish)


async def _rendering(connection: Connection, settings: Settings, row: Any) -> Path | str:
    path = derivative_path(settings.derivatives_dir, row["id"], row["generation"], "render")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _RENDERING_S
    while not path.is_file():
        job = await connection.fetchrow(
            "SELECT status, error ->> 'sentence' AS sentence FROM jobs WHERE stage = 'render' AND subject_id = $1",
            row["id"],
        )
        if job is not None and job["status"] == "failed":
            return str(job["sentence"])
        if loop.time() > deadline:
            return f"{row['rel_path']} was not rendered within {_RENDERING_S:g} s. Is a convert consumer running?"
        await asyncio.sleep(0.2)
    return path


@cache
def _srgb_profile() -> bytes:
    """littleCMS' sRGB with a fixed date: it stamps the present moment, and a second export would differ."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made[_ICC_DATE] = bytes((7, 207, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    return bytes(made)


def picture(source: Path, row: Any, wish: Wish) -> bytes:
    """The picture as a file of the wished size and format, sRGB embedded; of the camera only what cannot locate."""
    with source.open("rb") as file:
        # Previews and renderings are JPEGs of our own making; `Image.open` takes a large one for an attack.
        image: Image.Image = JpegImageFile(file)
        image.load()
    if wish.edge and max(image.size) > wish.edge:
        image.thumbnail((wish.edge, wish.edge), Image.Resampling.LANCZOS)
    options: dict[str, Any] = {"icc_profile": _srgb_profile(), "exif": _exif(row, wish).tobytes()}
    if wish.format in ("jpeg", "webp"):
        options["quality"] = wish.quality
    if wish.format == "tiff":
        options["compression"] = "tiff_lzw"
    made = io.BytesIO()
    (image.convert("RGB") if image.mode == "L" else image).save(made, wish.format.upper(), **options)
    return made.getvalue()


def _exif(row: Any, wish: Wish) -> Image.Exif:
    """Camera, lens and capture time; the position only when asked for. Serial numbers never."""
    exif = Image.Exif()
    if row["camera"]:
        exif[0x0110] = row["camera"]
    details = exif.get_ifd(0x8769)
    if row["captured_at"]:
        details[0x9003] = row["captured_at"].strftime("%Y:%m:%d %H:%M:%S")
    if row["lens"]:
        details[0xA434] = row["lens"]
    if wish.keep_gps and row["tags_deflated"]:
        with suppress(ValueError):  # tags that cannot be read hold no position
            exif.get_ifd(_GPS_IFD).update(gps_ifd(inflate_exif(row["tags_deflated"])))
    return exif


# --- the folder -------------------------------------------------------------------------------------------------------


class Manifest:
    """`photos.json` of a folder: an array whose foreign entries and foreign fields are kept."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target / MANIFEST
        self._entries: list[Any] = self._load()
        self._mine = {
            (e.get("id"), e.get("content_hash")): i
            for i, e in enumerate(self._entries)
            if isinstance(e, dict) and e.get("id")
        }
        self._taken = {str(e["filename"]).lower() for e in self._entries if isinstance(e, dict) and e.get("filename")}
        self._taken |= {name.lower() for name in os.listdir(target)}  # noqa: PTH208 - names only

    def _load(self) -> list[Any]:
        if not self._path.exists():
            return []
        try:
            loaded = orjson.loads(self._path.read_bytes())
        except ValueError:
            loaded = None
        if not isinstance(loaded, list):
            raise RequestError(
                409, f"{self._path} is no list of photographs and is left as it is. Move it away, or export elsewhere."
            )
        return loaded

    def place(self, row: Any, ending: str) -> str:
        """The name of the row's file: the one it has here already, else its own, with a suffix beside a namesake."""
        held = self._mine.get(_key(row))
        if held is not None and str(self._entries[held]["filename"]).lower().endswith(ending.lower()):
            return str(self._entries[held]["filename"])
        stem = re.sub(r"[\x00-\x1f/\\]", "_", Path(row["rel_path"]).stem)
        name, number = f"{stem}{ending}", 2
        while name.lower() in self._taken:
            name, number = f"{stem}-{number}{ending}", number + 1
        self._taken.add(name.lower())
        return name

    def write(self, name: str, content: bytes) -> bool:
        """Whether the file had to be written."""
        path = self._target / name
        if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return False
        _write(path, content)
        return True

    def enter(self, row: Any, name: str) -> None:
        entry = ManifestEntry(
            filename=name, tags=row["tags"], mood=row["artistic_mood"], preference_score=row["preference"],
            user_rating=row["rating"], manual_match=row["picked"], project=row["project"],
            inserted_at=row["inserted_at"], id=row["id"], content_hash=row["pixel_hash"].hex(), subject=row["subject"],
            content_type=row["content_type"], captured_at=row["captured_at"], width=row["width"], height=row["height"],
        ).model_dump(mode="json")  # fmt: skip
        held = self._mine.get(_key(row))
        if held is None:
            self._mine[_key(row)] = len(self._entries)
            self._entries.append(entry)
        else:
            self._entries[held] = self._entries[held] | entry

    def save(self) -> None:
        content = orjson.dumps(self._entries, option=orjson.OPT_INDENT_2)
        if not self._path.exists() or self._path.read_bytes() != content:
            _write(self._path, content)


def _key(row: Any) -> tuple[int, str]:
    return row["id"], row["pixel_hash"].hex()


def _write(path: Path, content: bytes) -> None:
    """Beside its place first, so that nobody ever sees half a file."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:60]}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
