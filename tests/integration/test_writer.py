"""What the results writer makes of answers, in a real Postgres."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import numpy as np
import pytest

from contracts.exif import inflate_exif
from contracts.results import ScanPayload, SkippedPath, TastePayload
from tests.integration.archive import Archive
from tests.integration.messages import converted, embedded, failure, result, scanned
from web import counters, imports, registration, scoring, transit
from web.database import Connection, connected

pytestmark = pytest.mark.integration


async def test_a_scanned_folder_becomes_photos_and_more_folders_to_scan(archive: Archive) -> None:
    root = await archive.root()
    row = await archive.start_import(root)
    folder = await archive.connection.fetchval("SELECT id FROM import_folders")
    payload = ScanPayload(
        files=(scanned("a.jpg"), scanned("b.jpg")),
        folders=("2024", "2023"),
        skipped=(SkippedPath(path="bad\\xff.jpg", sentence="bad\\xff.jpg has a name that is not UTF-8."),),
    )

    await archive.apply(result("scan", folder, payload.model_dump(mode="json")))

    state = await imports.import_state(archive.connection, row["id"])
    assert (state["files_found"], state["photos_selected"], state["folders_found"]) == (2, 2, 3)
    assert state["waiting"] == 2
    due = await archive.connection.fetch("SELECT stage FROM jobs WHERE status = 'due' ORDER BY stage")
    assert [r["stage"] for r in due] == ["convert", "convert", "scan", "scan"]
    assert await archive.connection.fetchval("SELECT reason FROM error_logs") == payload.skipped[0].sentence


async def test_a_sample_is_drawn_after_removing_what_is_known_and_is_reproducible(archive: Archive) -> None:
    root = await archive.root()
    known = await archive.ready_photo(root, "known.jpg")
    drawn = []
    for _ in range(2):
        row = await archive.start_import(root, sample=3, seed=7)
        folder = await archive.connection.fetchval("SELECT max(id) FROM import_folders")
        files = (scanned("known.jpg"), *(scanned(f"{n}.jpg") for n in range(20)))
        await archive.apply(result("scan", folder, ScanPayload(files=files).model_dump(mode="json")))
        await imports.finish_imports(archive.connection)
        paths = await archive.connection.fetch("SELECT rel_path FROM photos WHERE import_id = $1", row["id"])
        drawn.append(sorted(p["rel_path"] for p in paths))
        await imports.stop_import(archive.connection, row["id"])

    assert len(drawn[0]) == 3
    assert drawn[0] == drawn[1]
    assert "known.jpg" not in drawn[0]
    assert await archive.gallery(known) is not None


async def test_an_import_that_finds_nothing_new_finishes_and_says_so(archive: Archive) -> None:
    root = await archive.root()
    await archive.ready_photo(root, "known.jpg")
    row = await archive.start_import(root)
    folder = await archive.connection.fetchval("SELECT max(id) FROM import_folders")
    await archive.apply(result("scan", folder, ScanPayload(files=(scanned("known.jpg"),)).model_dump(mode="json")))

    await imports.finish_imports(archive.connection)
    await imports.finish_imports(archive.connection)

    state = await imports.import_state(archive.connection, row["id"])
    assert (state["status"], state["nothing_new"], state["files_known"]) == ("done", True, 1)


async def test_a_converted_photo_is_ready_and_followed_by_embed_and_curate(archive: Archive) -> None:
    root = await archive.root()

    photo = await archive.ready_photo(root, "a.jpg")

    assert (await archive.gallery(photo))["status"] == "ready"
    assert (await archive.job("embed", photo))["status"] == "due"
    assert (await archive.job("curate", photo))["status"] == "due"
    assert (await counters.counts(archive.connection, "tab"))["tab"]["unrated"] == 1


async def test_a_claim_delivered_twice_is_applied_once(archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg")
    await archive.apply(result("embed", photo, embedded(1)))

    applied = await archive.apply(result("convert", photo, converted("other")), result("embed", photo, embedded(2)))

    assert applied.dropped == 2
    vector = await archive.connection.fetchval("SELECT vec FROM embeddings WHERE photo_id = $1", photo)
    assert np.allclose(vector, np.frombuffer(_bytes(embedded(1)["vector"]), "<f2"))


def _bytes(text: str) -> bytes:
    import base64

    return base64.b64decode(text, altchars=b"-_" if "-" in text or "_" in text else None)


async def test_an_answer_of_an_older_generation_is_dropped(archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg")
    await archive.connection.execute("UPDATE jobs SET generation = 3, status = 'due' WHERE stage = 'convert'")

    applied = await archive.apply(result("convert", photo, converted("stale"), generation=2))

    assert applied.dropped == 1
    assert (await archive.job("convert", photo))["status"] == "due"


async def test_results_for_a_deleted_photo_are_taken_and_its_files_removed(archive: Archive) -> None:
    root = await archive.root()
    row = await archive.start_import(root)
    photo = (await archive.register(row, scanned("a.jpg"))).new[0]
    await imports.stop_import(archive.connection, row["id"])

    applied = await archive.apply(result("convert", photo, converted("a")))

    assert applied.dropped == 1
    assert await archive.connection.fetchval("SELECT count(*) FROM photos") == 0
    assert await archive.connection.fetchval("SELECT count(*) FROM jobs") == 0


async def test_the_tags_of_a_photo_go_with_it_and_no_others(archive: Archive) -> None:
    root = await archive.root()
    kept = await archive.ready_photo(root, "kept.jpg", exif={"Exif.Image.Model": 'M10 "Monochrom" \u20ac\n'})
    gone = await archive.ready_photo(root, "gone.jpg", exif={"Exif.Image.Model": "M10"})

    await registration.forget(archive.connection, [gone])

    left = await archive.connection.fetch("SELECT photo_id, exif FROM photo_exif")
    assert [(row["photo_id"], inflate_exif(row["exif"])) for row in left] == [
        (kept, {"Exif.Image.Model": 'M10 "Monochrom" \u20ac\n'})
    ]


@pytest.mark.parametrize("rewritten", [False, True], ids=["same bytes", "metadata rewritten too"])
async def test_a_moved_file_keeps_its_decisions_and_its_vector(archive: Archive, rewritten: bool) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "old/a.jpg", "pixels", file="a")
    await archive.apply(result("embed", photo, embedded(1)))
    await archive.rate(photo, 5)
    (root / "new").mkdir()
    (root / "old/a.jpg").rename(root / "new/b.jpg")
    row = await archive.start_import(root)
    found = (await archive.register(row, scanned("new/b.jpg"))).new[0]

    await archive.apply(result("convert", found, converted("pixels", file="rewritten" if rewritten else "a")))

    kept = await archive.connection.fetchrow("SELECT * FROM photos")
    assert (kept["id"], kept["rel_path"]) == (photo, "new/b.jpg")
    assert (await archive.decision(photo))["rating"] == 5
    assert (await archive.job("embed", photo))["status"] == "done"
    assert (
        await archive.connection.fetchval("SELECT count(*) FROM jobs WHERE stage <> 'scan' AND subject_id = $1", found)
        == 0
    )


async def test_rewritten_metadata_under_the_same_path_causes_no_new_embedding(archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg", "pixels")
    await archive.apply(result("embed", photo, embedded(1)))
    row = await archive.start_import(root)
    registered = await archive.register(row, scanned("a.jpg", size=1001, mtime_ns=2))
    assert registered.changed == [photo]

    await archive.apply(result("convert", photo, converted("pixels", file="rewritten"), generation=2))

    assert (await archive.job("embed", photo))["status"] == "done"
    assert (await archive.job("convert", photo))["status"] == "done"


async def test_the_same_picture_under_two_roots_is_one_photo_with_two_locations(archive: Archive) -> None:
    first, second = await archive.root("first"), await archive.root("second")
    photo = await archive.ready_photo(first, "a.jpg", "pixels")
    row = await archive.start_import(second)
    (second / "copy.jpg").write_bytes(b"picture")
    other = (await archive.register(row, scanned("copy.jpg"))).new[0]

    await archive.apply(result("convert", other, converted("pixels")))

    assert [r["id"] for r in await archive.connection.fetch("SELECT id FROM photos")] == [photo]
    location = await archive.connection.fetchrow("SELECT * FROM photo_locations")
    assert (location["photo_id"], location["rel_path"]) == (photo, "copy.jpg")


async def test_a_root_found_under_another_letter_keeps_everything(archive: Archive) -> None:
    first, second = await archive.root("first"), await archive.root("second")
    photo = await archive.ready_photo(first, "a.jpg", "pixels")
    await archive.rate(photo, 4)
    first.rename(archive.folder / "unplugged")
    row = await archive.start_import(second)
    found = (await archive.register(row, scanned("a.jpg"))).new[0]

    await archive.apply(result("convert", found, converted("pixels")))

    kept = await archive.connection.fetchrow("SELECT p.*, r.path FROM photos p JOIN library_roots r ON r.id = root_id")
    assert (kept["id"], kept["path"]) == (photo, str(second))
    assert (await archive.decision(photo))["rating"] == 4


async def test_two_copies_under_one_root_are_two_photos(archive: Archive) -> None:
    root = await archive.root()
    await archive.ready_photo(root, "a.jpg", "pixels")
    await archive.ready_photo(root, "copy of a.jpg", "pixels")

    assert await archive.connection.fetchval("SELECT count(*) FROM photos WHERE status = 'ready'") == 2


async def test_photos_of_one_name_in_two_folders_are_two_photos(archive: Archive) -> None:
    root = await archive.root()
    await archive.ready_photo(root, "2023/DSC_0001.jpg", "one")
    await archive.ready_photo(root, "2024/DSC_0001.jpg", "two")

    assert await archive.connection.fetchval("SELECT count(*) FROM photos") == 2


async def test_a_jpeg_becomes_the_companion_of_the_raw_that_turns_up(archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg")
    await archive.rate(photo, 5)
    row = await archive.start_import(root)

    registered = await archive.register(row, scanned("a.cr2", companion="a.jpg"))

    assert registered.changed == [photo]
    assert await archive.connection.fetchval("SELECT rel_path FROM photos") == "a.cr2"
    assert (await archive.decision(photo))["rating"] == 5


async def test_found_ratings_fill_only_what_the_person_never_set(archive: Archive) -> None:
    root = await archive.root()
    stars = {"stars": 3, "where": "sidecar"}
    fresh = await archive.ready_photo(root, "fresh.jpg", found_rating=stars)
    cleared = await archive.ready_photo(root, "cleared.jpg")
    await archive.rate(cleared, None)
    await archive.connection.execute("UPDATE jobs SET status = 'due' WHERE subject_id = $1", cleared)
    await archive.apply(result("convert", cleared, converted("cleared.jpg", found_rating=stars)))

    decision = await archive.decision(fresh)
    assert (decision["rating"], decision["rating_source"]) == (3, "xmp")
    assert (await archive.decision(cleared))["rating"] is None
    assert await archive.connection.fetchval("SELECT ratings_found FROM imports ORDER BY id LIMIT 1") == 1
    assert (await archive.job("taste", 0))["status"] == "due"


async def test_a_transient_failure_counts_once_and_comes_again_later(archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg")

    await archive.apply(failure("embed", photo), failure("embed", photo))

    job = await archive.job("embed", photo)
    assert (job["status"], job["attempts"]) == ("due", 1)
    assert await archive.connection.fetchval("SELECT available_at > now() FROM jobs WHERE stage = 'embed'")
    assert await archive.connection.fetchval("SELECT count(*) FROM error_logs") == 1


async def test_the_last_attempt_fails_the_stage_and_leaves_the_photo_ready(archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg")
    for attempt in range(1, archive.settings.max_attempts + 1):
        await archive.apply(failure("curate", photo, attempt=attempt))

    assert (await archive.job("curate", photo))["status"] == "failed"
    row = await archive.gallery(photo)
    assert (row["status"], row["failed_stage"]) == ("ready", "curate")
    assert (await counters.counts(archive.connection, "tab"))["tab"]["failed"] == 1


async def test_a_permanent_failure_of_convert_fails_the_photo_with_its_sentence(archive: Archive) -> None:
    root = await archive.root()
    row = await archive.start_import(root)
    photo = (await archive.register(row, scanned("broken.jpg"))).new[0]

    await archive.apply(failure("convert", photo, "permanent"))

    kept = await archive.connection.fetchrow("SELECT status, failure_reason FROM photos")
    assert tuple(kept) == ("failed", "picture.jpg could not be read.")


async def test_an_unavailable_upstream_pauses_the_stage_and_costs_no_attempt(archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg")

    await archive.apply(failure("curate", photo, "unavailable", retry_after_s=20))

    job = await archive.job("curate", photo)
    stage = await archive.connection.fetchrow("SELECT * FROM stages WHERE name = 'curate'")
    assert (job["status"], job["attempts"]) == ("due", 0)
    assert stage["breaker_reason"] == "picture.jpg could not be read."


async def test_a_success_closes_the_breaker(archive: Archive) -> None:
    root = await archive.root()
    photo = await archive.ready_photo(root, "a.jpg")
    await archive.apply(failure("embed", photo, "unavailable"))

    await archive.apply(result("embed", photo, embedded(1)))

    assert await archive.connection.fetchval("SELECT breaker_reason FROM stages WHERE name = 'embed'") is None


async def test_five_identical_refusals_in_a_row_pause_the_stage(archive: Archive) -> None:
    root = await archive.root()
    photos = [await archive.ready_photo(root, f"{n}.jpg") for n in range(5)]
    for photo in photos:
        said = {"status_code": 400, "message": "no such parameter"}
        await archive.apply(failure("curate", photo, "permanent", upstream=said, message=f"refused {photo}.jpg"))

    reason = await archive.connection.fetchval("SELECT breaker_reason FROM stages WHERE name = 'curate'")
    assert reason == "5 requests in a row were refused in the same way: no such parameter"


def _lay_out(archive: Archive, generation: int) -> None:
    """What a taste model was trained on, as the relay leaves it on the shared disk."""
    arrays = {"photos": np.empty(0, "<i8"), "labels": np.empty((0, 1), "<f4"), "archive": np.empty((0, 16), "<f2")}
    for name, array in arrays.items():
        transit.save(transit.matrix_path(archive.settings, "taste", generation, name), array)


async def test_a_new_vector_is_scored_with_the_model_in_force_and_rescoring_agrees(archive: Archive) -> None:
    root = await archive.root()
    first = await archive.ready_photo(root, "a.jpg")
    await archive.apply(result("embed", first, embedded(1)))
    weights = np.random.default_rng(5).standard_normal(16).astype("<f4")
    await archive.connection.execute("INSERT INTO jobs (stage, subject_id, status) VALUES ('taste', 0, 'queued')")
    model = TastePayload(
        encoder="efficientnet-lite2", weights=weights.tobytes(), dim=16, bias=3.0, n_ratings=30, tentative=False
    )
    _lay_out(archive, 1)
    await archive.apply(result("taste", 0, model.model_dump(mode="json")))
    assert await scoring.score_if_wanted(archive.connection)
    second = await archive.ready_photo(root, "b.jpg")
    await archive.apply(result("embed", second, embedded(2)))

    for photo, seed in ((first, 1), (second, 2)):
        vector = np.frombuffer(_bytes(embedded(seed)["vector"]), "<f2").astype(float)
        expected = float(np.clip(np.round((3.0 + vector @ weights - 1) * 25), 0, 100))
        assert abs((await archive.gallery(photo))["preference"] - expected) <= 1
    row = await archive.gallery(second)
    assert row["is_match"] == (row["preference"] >= 70)


async def test_a_large_archive_is_scored_on_two_connections(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CHUNK", 2)
    root = await archive.root()
    photos = [await archive.ready_photo(root, f"{n}.jpg") for n in range(7)]
    for photo in photos:
        await archive.apply(result("embed", photo, embedded(photo)))
    await archive.connection.execute("INSERT INTO jobs (stage, subject_id, status) VALUES ('taste', 0, 'queued')")
    model = TastePayload(
        encoder="efficientnet-lite2", weights=np.zeros(16, "<f4").tobytes(), dim=16, bias=4.0, n_ratings=30,
        tentative=False,
    )  # fmt: skip
    _lay_out(archive, 1)
    await archive.apply(result("taste", 0, model.model_dump(mode="json")))
    opened = []

    def beside() -> AbstractAsyncContextManager[Connection]:
        opened.append(1)
        return connected(archive.settings.database_url.get_secret_value())

    assert await scoring.score_if_wanted(archive.connection, beside)

    scores = await archive.connection.fetch("SELECT preference FROM gallery")
    assert [row["preference"] for row in scores] == [75] * 7
    assert opened == [1]
    assert await archive.connection.fetchval("SELECT count(*) FROM taste_models WHERE scored_at IS NOT NULL") == 1


async def test_training_that_was_asked_for_while_it_ran_runs_again(archive: Archive) -> None:
    from web import jobs

    await archive.connection.execute("INSERT INTO encoders (name, status) VALUES ('e', 'active')")
    await jobs.request_single(archive.connection, "taste")
    await archive.connection.execute("UPDATE jobs SET status = 'queued'")
    await jobs.request_single(archive.connection, "taste")
    model = TastePayload(encoder="e", weights=b"\0" * 4, dim=1, bias=3.0, n_ratings=5, tentative=True)
    _lay_out(archive, 1)

    await archive.apply(result("taste", 0, model.model_dump(mode="json")))

    job = await archive.job("taste", 0)
    assert (job["status"], job["generation"], job["dirty"]) == ("due", 2, False)


async def test_counters_agree_with_a_full_count(archive: Archive) -> None:
    root = await archive.root()
    photos = [await archive.ready_photo(root, f"{n}.jpg") for n in range(6)]
    await archive.rate(photos[0], 5)
    await archive.rate(photos[1], 2)
    await archive.apply(failure("curate", photos[2], "permanent"))
    maintained = await counters.counts(archive.connection)

    await counters.rebuild(archive.connection)

    rebuilt = await counters.counts(archive.connection)
    assert {s: {k: n for k, n in keys.items() if n} for s, keys in maintained.items()} == rebuilt


async def test_two_copies_in_one_batch_under_two_roots_are_one_photo(archive: Archive) -> None:
    first, second = await archive.root("first"), await archive.root("second")
    ids = []
    for root in (first, second):
        (root / "a.jpg").write_bytes(b"picture")
        row = await archive.start_import(root)
        ids += (await archive.register(row, scanned("a.jpg"))).new

    await archive.apply(*(result("convert", photo, converted("pixels")) for photo in ids))

    assert [r["id"] for r in await archive.connection.fetch("SELECT id FROM photos")] == [ids[0]]
    assert await archive.connection.fetchval("SELECT count(*) FROM gallery") == 1


@pytest.fixture
async def archive(database: object, tmp_path: Path, settings: object) -> Archive:
    return Archive(database, settings, tmp_path)  # type: ignore[arg-type]
