"""Asking again for work, finding moved originals, a photograph's history, and the doctor."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.integration.archive import Archive
from tests.integration.messages import embedded, failure, result
from web import backfill, doctor, trace
from web.errors import RequestError

pytestmark = pytest.mark.integration


@pytest.fixture
async def archive(database: object, tmp_path: Path, settings: object) -> Archive:
    return Archive(database, settings, tmp_path)  # type: ignore[arg-type]


async def test_quality_reads_every_original_once_more_and_embed_only_what_lacks_a_vector(archive: Archive) -> None:
    root = await archive.root()
    first, second = [await archive.ready_photo(root, name) for name in ("a.jpg", "b.jpg")]
    await archive.apply(result("embed", first, embedded(1)))
    await archive.connection.execute("UPDATE jobs SET status = 'done' WHERE stage = 'embed'")

    assert await backfill.request(archive.connection, "quality") == 2
    assert await backfill.request(archive.connection, "quality") == 0
    assert await backfill.request(archive.connection, "embed") == 1
    job = await archive.job("embed", second)
    assert (job["status"], job["generation"]) == ("due", 2)


async def test_a_missing_original_is_found_again_by_its_bytes(archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg")
    other = await archive.ready_photo(root, "still here.jpg")
    await archive.rate(photo, 5)
    content = (root / "a.jpg").read_bytes()
    await archive.connection.execute(
        "UPDATE photos SET file_hash = $1, file_size = $2",
        hashlib.blake2b(content, digest_size=32).digest(), len(content),
    )  # fmt: skip
    elsewhere = archive.folder / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    (root / "a.jpg").rename(elsewhere / "renamed.jpg")

    found = await backfill.repoint(archive.connection, str(archive.folder / "elsewhere"))

    row = await archive.connection.fetchrow(
        "SELECT p.rel_path, r.path FROM photos p JOIN library_roots r ON r.id = p.root_id WHERE p.id = $1", photo
    )
    assert found == 1
    assert tuple(row) == ("deep/renamed.jpg", str(archive.folder / "elsewhere"))
    assert (await archive.decision(photo))["rating"] == 5
    assert await archive.connection.fetchval("SELECT rel_path FROM photos WHERE id = $1", other) == "still here.jpg"
    with pytest.raises(RequestError):
        await backfill.repoint(archive.connection, str(archive.folder / "nowhere"))


async def test_a_trace_tells_what_happened_in_order(archive: Archive) -> None:
    photo = await archive.ready_photo(await archive.root(), "a.jpg")
    await archive.apply(failure("embed", photo))

    lines = await trace.history(archive.connection, photo)

    said = "\n".join(what for _, what in lines)
    assert [at for at, _ in lines] == sorted(at for at, _ in lines)
    assert "a.jpg was chosen by import" in said
    assert "convert is done" in said
    assert "embed, attempt 1, retrying: picture.jpg could not be read." in said
    with pytest.raises(RequestError, match="no photograph 999"):
        await trace.history(archive.connection, 999)


async def test_the_doctor_says_what_is_wrong_and_how_to_mend_it(archive: Archive) -> None:
    root = await archive.root()
    await archive.ready_photo(root, "a.jpg")
    (archive.settings.derivatives_dir / "000000").mkdir(parents=True)
    orphan = archive.settings.derivatives_dir / "000000" / "12345-1.jpg"
    orphan.write_bytes(b"jpeg")
    root.rename(archive.folder / "unplugged")
    settings = archive.settings.model_copy(update={"llm_base_url": "http://127.0.0.1:9/v1/"})

    findings = {f.what: f for f in await doctor.examine(archive.connection, settings)}

    assert findings["database"].ok
    assert not findings["broker"].ok
    assert not findings[str(root)].ok
    assert "drive" in findings[str(root)].say
    assert str(orphan) in findings["orphaned derivatives"].say
    assert findings["language model"].ok
