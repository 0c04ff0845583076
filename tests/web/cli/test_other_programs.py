"""`fineshyt xmp` and `fineshyt import-ratings` as a person types them, on a real archive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from contracts.settings import Settings
from domain.xmp import with_stars
from tests.domain.catalogue_samples import write_darktable
from tests.domain.xmp_samples import exiv2_properties
from tests.integration.archive import Archive
from web.cli import _register_all, app
from web.database import connect

pytestmark = [pytest.mark.integration, pytest.mark.slow]
_register_all()

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    environment = {"DATABASE_URL": database_url, "FINESHYT_HOME": str(tmp_path / "home"), "COLUMNS": "300"}

    def typed(*arguments: str | Path) -> Result:
        return CliRunner(env=environment).invoke(app, [str(a) for a in arguments])

    return typed


@pytest.fixture
def library(database_url: str, tmp_path: Path) -> Path:
    """A root with `a.CR2` of four stars and `b.CR2` of none."""

    async def given() -> Path:
        connection = await connect(database_url)
        settings = Settings(FINESHYT_HOME=tmp_path / "home", DATABASE_URL=database_url, FREE_DISK_GB=0)
        archive = Archive(connection, settings, tmp_path)
        root = await archive.root()
        await archive.rate(await archive.ready_photo(root, "a.CR2"), 4)
        await archive.ready_photo(root, "b.CR2")
        await connection.close()
        return root

    return asyncio.run(given())


def test_there_and_back_again(run: Run, library: Path, tmp_path: Path) -> None:
    refused = run("xmp", "write", "--beside")
    assert refused.exit_code == 0
    assert "nobody gave leave" in refused.stdout
    allowed = run("xmp", "allow", "1", "sidecar")
    assert "fineshyt may write sidecars beside the originals of root 1" in allowed.stdout

    written = run("xmp", "write", "--beside", "--for", "lightroom")
    assert (written.exit_code, "1 written" in written.stdout) == (0, True)
    assert exiv2_properties(library / "a.xmp")["Xmp.xmp.Rating"] == "4"

    (library / "b.xmp").write_bytes(with_stars(None, 2))
    status = json.loads(run("xmp", "status", "--json").stdout)
    assert (status["same"], status["changed_there"], status["roots"][0]["kinds"]) == (1, 1, ["sidecar"])
    taken = json.loads(run("xmp", "read", "--accept", "--json").stdout)
    assert taken["taken"] == 1


def test_a_conflict_is_named_and_is_an_exit_code(run: Run, library: Path) -> None:
    (library / "a.xmp").write_bytes(with_stars(None, 1))

    read = run("xmp", "read")

    assert read.exit_code == 3
    assert f"{library / 'a.xmp'}: here 4 stars, there 1 star" in read.stdout


def test_what_could_not_be_written_is_an_exit_code(run: Run, library: Path, tmp_path: Path) -> None:
    (library / "a.CR2.xmp").write_text("no XMP")

    written = run("xmp", "write", "--to", tmp_path / "out")

    assert written.exit_code == 1
    assert "a.CR2.xmp: Its XMP cannot be read, so it was left alone." in written.output
    assert run("xmp", "write", "--to", library / "out").exit_code == 1


def test_a_catalogue_is_counted_then_accepted(run: Run, library: Path, tmp_path: Path) -> None:
    catalogue = write_darktable(tmp_path / "library.db", [(str(library), "a.CR2", 0, 1), (str(library), "b.CR2", 0, 5)])

    counted = run("import-ratings", catalogue)
    accepted = json.loads(run("import-ratings", catalogue, "--accept", "--json").stdout)

    assert "1 with one star, which darktable gives to every picture: left out unless --one-star" in counted.stdout
    assert "Nothing was taken over yet" in counted.stdout
    assert (accepted["accepted"], accepted["rated"]["5"]) == (1, 1)
    assert run("import-ratings", tmp_path / "missing.lrcat").exit_code == 1
