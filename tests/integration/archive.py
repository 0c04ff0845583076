"""An archive in a real database, driven by hand: what a test needs to say "given" in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from contracts.results import Failure, Result, ScannedFile
from contracts.settings import Settings
from tests.integration.messages import converted, result
from web import imports, registration, roots
from web.database import Connection
from web.results.applied import Applied
from web.results.batch import apply_batch


class Archive:
    """Real folders for roots, real rows for photos; the consumers' answers come from the test."""

    def __init__(self, connection: Connection, settings: Settings, folder: Path) -> None:
        self.connection = connection
        self.settings = settings
        self.folder = folder

    async def root(self, name: str = "library") -> Path:
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "kept.txt").write_text("a root that is not empty")
        await roots.add_root(self.connection, str(path))
        return path

    async def start_import(self, path: Path, **options: Any) -> Any:
        options.setdefault("sample", None)
        import_id = await imports.start_import(self.connection, self.settings, str(path), **options)
        return await self.connection.fetchrow("SELECT * FROM imports WHERE id = $1", import_id)

    async def register(self, import_row: Any, *files: ScannedFile) -> registration.Registered:
        async with self.connection.transaction():
            return await registration.register(self.connection, import_row, files)

    async def apply(self, *answers: Result | Failure) -> Applied:
        return await apply_batch(self.connection, self.settings, answers)

    async def ready_photo(self, root: Path, rel_path: str, pixels: str | None = None, **changes: Any) -> int:
        """A photo that was imported and converted; the file exists."""
        (root / rel_path).parent.mkdir(parents=True, exist_ok=True)
        (root / rel_path).write_bytes(b"picture")
        row = await self.start_import(root)
        registered = await self.register(row, ScannedFile(rel_path=rel_path, kind="picture", size=1000, mtime_ns=1))
        photo_id = registered.new[0]
        await self.apply(result("convert", photo_id, converted(pixels or rel_path, **changes)))
        return photo_id

    async def job(self, stage: str, subject_id: int) -> Any:
        return await self.connection.fetchrow(
            "SELECT * FROM jobs WHERE stage = $1 AND subject_id = $2", stage, subject_id
        )

    async def gallery(self, photo_id: int) -> Any:
        return await self.connection.fetchrow("SELECT * FROM gallery WHERE photo_id = $1", photo_id)

    async def decision(self, photo_id: int) -> Any:
        return await self.connection.fetchrow("SELECT * FROM decisions WHERE photo_id = $1", photo_id)

    async def rate(self, photo_id: int, stars: int | None) -> None:
        await self.connection.execute(
            """INSERT INTO decisions (photo_id, rating, rating_source) VALUES ($1, $2, 'person')
               ON CONFLICT (photo_id) DO UPDATE SET rating = excluded.rating, rating_source = 'person'""",
            photo_id,
            stars,
        )
        await self.connection.execute("SELECT refresh_gallery($1)", [photo_id])
