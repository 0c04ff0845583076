"""The configured folders at the start: one that is away holds nobody up."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.settings import Settings
from web import roots
from web.database import Connection

pytestmark = pytest.mark.integration


@pytest.fixture
def configured(settings: Settings, tmp_path: Path) -> Settings:
    """Two folders, of which one is on a drive that is not connected."""
    (tmp_path / "here").mkdir()
    return settings.model_copy(update={"photo_libraries": f"{tmp_path / 'drive'}:{tmp_path / 'here'}"})


async def _paths(database: Connection) -> set[str]:
    return {Path(row["path"]).name for row in await database.fetch("SELECT path FROM library_roots")}


async def test_a_configured_folder_that_is_away_is_left_out(database: Connection, configured: Settings) -> None:
    await roots.ensure_roots(database, configured)

    assert await _paths(database) == {"here"}


async def test_a_known_folder_whose_drive_is_unplugged_stays_what_it_was(
    database: Connection, configured: Settings, tmp_path: Path
) -> None:
    (tmp_path / "drive").mkdir()
    await roots.ensure_roots(database, configured)
    (tmp_path / "drive").rmdir()

    await roots.ensure_roots(database, configured)

    assert await _paths(database) == {"drive", "here"}
