"""The relay against a real broker and a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import aio_pika
import numpy as np
import pytest

from contracts import topology
from contracts.claims import BurstsParams, ClaimCheck, ConvertParams
from contracts.reports import ClaimInHand, WorkerReport
from contracts.settings import Settings
from domain.shooting import BRACKETING, exposure_ev
from tests.integration.archive import Archive
from tests.integration.messages import converted, embedded, failure, result, scanned
from web import burst_preview, imports, jobs, stages
from web.database import Connection
from web.derivatives import derivative_path
from web.reconcile import reconcile
from web.relay import sweep
from web.relay.broker import Publisher
from web.relay.dispatch import Dispatcher
from web.reports import ReportBoard

pytestmark = pytest.mark.integration


class Relay:
    """One leader, driven by hand; the queues are looked into by the test."""

    def __init__(self, dispatcher: Dispatcher, publisher: Publisher, board: ReportBoard, channel: Any) -> None:
        self.dispatcher = dispatcher
        self.publisher = publisher
        self.board = board
        self.channel = channel

    async def claims(self, queue: str) -> list[ClaimCheck]:
        """Takes every claim that waits in `queue`."""
        found = []
        declared = await self.channel.get_queue(queue, ensure=False)
        while (message := await declared.get(fail=False)) is not None:
            found.append(ClaimCheck.model_validate_json(message.body))
            await message.ack()
        return found

    async def ready(self, queue: str) -> int:
        return await self.publisher.ready([queue])


@pytest.fixture
async def archive(database: Connection, settings: Settings, tmp_path: Path) -> Archive:
    return Archive(database, settings, tmp_path)


@pytest.fixture
async def relay(archive: Archive, amqp_url: str) -> AsyncIterator[Relay]:
    connection = await aio_pika.connect(amqp_url)
    publisher = await Publisher.open(connection, amqp_url)
    board = ReportBoard()
    dispatcher = Dispatcher(archive.connection, publisher, archive.settings, board, set())
    yield Relay(dispatcher, publisher, board, await connection.channel())
    await publisher.close()
    await connection.close()


async def _photos(archive: Archive, *names: str) -> list[int]:
    row = await archive.start_import(await archive.root())
    return (await archive.register(row, *(scanned(name) for name in names))).new


async def _eventually(condition: Callable[[], Any], seconds: float = 5.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if await condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail("did not happen in time")


async def test_a_due_photo_becomes_a_claim_with_its_paths(archive: Archive, relay: Relay) -> None:
    [photo] = await _photos(archive, "2024/a.jpg")

    await relay.dispatcher.run_once()

    [claim] = await relay.claims("convert")
    params = ConvertParams.model_validate(claim.params)
    assert claim.file_path == str(archive.folder / "library/2024/a.jpg")
    assert params.preview_path.endswith(f"/000000/{photo}-1.jpg")
    assert (claim.generation, claim.attempt) == (1, 1)
    assert (await archive.job("convert", photo))["status"] == "queued"


async def test_the_bursts_claim_carries_every_frame_with_a_camera_time_in_capture_order(
    archive: Archive, relay: Relay
) -> None:
    root = await archive.root()
    await archive.connection.execute(
        "INSERT INTO encoders (name, dim, status) VALUES ('efficientnet-lite2', 16, 'active')"
    )
    camera = {"camera": "Test Camera", "captured_source": "DateTimeOriginal"}
    late = await archive.ready_photo(root, "late.jpg", captured_at=datetime(2024, 5, 1, 12, 0, 2), **camera)
    early = await archive.ready_photo(root, "early.jpg", captured_at=datetime(2024, 5, 1, 12, 0, 1), **camera)
    undated = await archive.ready_photo(root, "undated.jpg")
    for photo in (late, early, undated):
        await archive.apply(result("embed", photo, embedded(photo)))
    await jobs.request_single(archive.connection, "bursts", params={"threshold": 0.5})

    await relay.dispatcher.run_once()

    [claim] = await relay.claims("bursts")
    params = BurstsParams.model_validate(claim.params)
    assert np.load(params.table_path)["photo_id"].tolist() == [early, late]
    assert np.load(params.features_path).shape == (2, 16)
    assert params.threshold == 0.5


async def test_the_bursts_claim_says_how_neighbouring_frames_were_taken(archive: Archive, relay: Relay) -> None:
    """Tags of a frame that stands alone are not read."""
    root = await archive.root()
    await archive.connection.execute(
        "INSERT INTO encoders (name, dim, status) VALUES ('efficientnet-lite2', 16, 'active')"
    )
    exif = {"Exif.Photo.ExposureMode": 2, "Exif.Photo.ExposureBiasValue": -1.0, "Exif.Photo.SubjectDistance": 2.0}
    camera = {"camera": "Test Camera", "captured_source": "DateTimeOriginal", "exif": exif}
    facts = {"shutter_s": 8.0, "aperture": 4.0, "iso": 200, "focal_length_mm": 35.0}
    # The first frame is exposed for eight seconds, so the second follows it at once.
    times = [datetime(2024, 5, 1, 12, minute, second) for minute, second in ((0, 0), (0, 16), (4, 0))]
    photos = [await archive.ready_photo(root, f"{at:%M%S}.jpg", captured_at=at, **camera, **facts) for at in times]
    for photo in photos:
        await archive.apply(result("embed", photo, embedded(photo)))
    await jobs.request_single(archive.connection, "bursts", params={"gap_s": 5})

    await relay.dispatcher.run_once()

    [claim] = await relay.claims("bursts")
    params = BurstsParams.model_validate(claim.params)
    table = np.load(params.table_path)
    assert table["photo_id"].tolist() == photos
    assert table["said"].tolist() == [BRACKETING, BRACKETING, 0]
    assert table["bias_ev"][:2].tolist() == [-1.0, -1.0]
    assert (table["distance_m"][0], table["focal_mm"][0], table["exposure_s"][0]) == (2.0, 35.0, 8.0)
    assert table["exposure_ev"][0] == exposure_ev(8.0, 4.0, 200)
    assert np.isnan(table["bias_ev"][2])
    thumb = (params.thumbs or "").format(folder=0, photo_id=photos[0], generation=int(table["generation"][0]))
    assert thumb == str(derivative_path(archive.settings.derivatives_dir, photos[0], 1, "thumb"))


async def test_a_preview_travels_beside_the_search_that_counts(archive: Archive, relay: Relay) -> None:
    root = await archive.root()
    await archive.connection.execute(
        "INSERT INTO encoders (name, dim, status) VALUES ('efficientnet-lite2', 16, 'active')"
    )
    camera = {"camera": "Test Camera", "captured_source": "DateTimeOriginal"}
    for n in range(2):
        photo = await archive.ready_photo(root, f"{n}.jpg", captured_at=datetime(2024, 5, 1, 12, 0, n), **camera)
        await archive.apply(result("embed", photo, embedded(photo)))
    await jobs.request_single(archive.connection, "bursts", params={"threshold": 0.5})
    await burst_preview.request(archive.connection, {"threshold": 0.7})

    await relay.dispatcher.run_once()

    claims = {claim.subject_id: BurstsParams.model_validate(claim.params) for claim in await relay.claims("bursts")}
    assert {subject: params.threshold for subject, params in claims.items()} == {0: 0.5, burst_preview.SUBJECT: 0.7}
    paths = {path for p in claims.values() for path in (p.table_path, p.features_path, p.groups_path)}
    assert len(paths) == 6


async def test_at_most_a_window_of_claims_is_outstanding(archive: Archive, relay: Relay) -> None:
    await _photos(archive, *(f"{n}.jpg" for n in range(30)))
    relay.dispatcher._settings = archive.settings.model_copy(update={"dispatch_window": 10})

    await relay.dispatcher.run_once()
    await relay.dispatcher.run_once()

    assert await relay.ready("convert") == 10


async def test_what_a_person_waits_for_goes_out_beside_a_full_window(archive: Archive, relay: Relay) -> None:
    photos = await _photos(archive, *(f"{n}.jpg" for n in range(12)))
    relay.dispatcher._settings = archive.settings.model_copy(update={"dispatch_window": 10})
    await relay.dispatcher.run_once()
    await archive.connection.execute("UPDATE jobs SET urgent = true WHERE subject_id = $1", photos[-1])

    await relay.dispatcher.run_once()

    assert [c.subject_id for c in await relay.claims("convert.now")] == [photos[-1]]


async def test_priorities_decide_the_order(archive: Archive, relay: Relay) -> None:
    photos = await _photos(archive, "a.jpg", "b.jpg", "c.jpg")
    await archive.connection.execute("UPDATE jobs SET priority = 30 WHERE subject_id = $1", photos[2])

    await relay.dispatcher.run_once()

    assert [c.subject_id for c in await relay.claims("convert")] == [photos[2], photos[0], photos[1]]


async def test_a_pause_takes_back_what_waits_and_a_resume_sends_it_again(archive: Archive, relay: Relay) -> None:
    photos = await _photos(archive, "a.jpg", "b.jpg")
    await relay.dispatcher.run_once()

    await stages.pause(archive.connection, "convert")
    await relay.dispatcher.run_once()
    assert await relay.ready("convert") == 0
    assert (await archive.job("convert", photos[0]))["status"] == "due"

    await stages.resume(archive.connection, "convert")
    await relay.dispatcher.run_once()
    claims = await relay.claims("convert")
    assert [(c.subject_id, c.generation, c.attempt) for c in claims] == [(photos[0], 1, 1), (photos[1], 1, 1)]


async def test_an_answer_counts_although_its_claim_was_taken_back(archive: Archive, relay: Relay) -> None:
    [photo] = await _photos(archive, "a.jpg")
    await relay.dispatcher.run_once()
    await stages.pause(archive.connection, "convert")
    await relay.dispatcher.run_once()

    await archive.apply(result("convert", photo, converted("a")))

    assert (await archive.gallery(photo))["status"] == "ready"


async def test_stop_forgets_what_was_not_converted_and_empties_the_queue(archive: Archive, relay: Relay) -> None:
    await _photos(archive, "a.jpg", "b.jpg")
    await relay.dispatcher.run_once()
    import_id = await archive.connection.fetchval("SELECT id FROM imports")

    await imports.stop_import(archive.connection, import_id)
    await relay.dispatcher.run_once()

    assert await relay.ready("convert") == 0
    assert await archive.connection.fetchval("SELECT count(*) FROM photos") == 0
    assert (await imports.import_state(archive.connection, import_id))["status"] == "stopped"


async def test_an_open_breaker_sends_nothing_and_then_one_probe(archive: Archive, relay: Relay) -> None:
    photos = await _photos(archive, "a.jpg", "b.jpg", "c.jpg")
    await archive.apply(failure("convert", photos[0], "unavailable", retry_after_s=60))
    await relay.dispatcher.run_once()
    assert await relay.ready("convert") == 0

    await archive.connection.execute("UPDATE stages SET breaker_until = now() WHERE name = 'convert'")
    await relay.dispatcher.run_once()
    await relay.dispatcher.run_once()

    assert await relay.ready("convert") == 1


async def test_photos_of_a_root_that_is_offline_wait_without_losing_an_attempt(archive: Archive, relay: Relay) -> None:
    [photo] = await _photos(archive, "a.jpg")
    relay.dispatcher.offline = {await archive.connection.fetchval("SELECT id FROM library_roots")}

    await relay.dispatcher.run_once()

    job = await archive.job("convert", photo)
    assert await relay.ready("convert") == 0
    assert (job["status"], job["attempts"]) == ("due", 0)


async def test_purged_queues_are_filled_again_by_reconcile(archive: Archive, relay: Relay) -> None:
    photos = await _photos(archive, "a.jpg", "b.jpg")
    await relay.dispatcher.run_once()
    await relay.publisher.purge(topology.CLAIM_QUEUES)

    mended = await reconcile(archive.connection)
    await relay.dispatcher.run_once()

    assert mended["claims_due_again"] >= 2
    assert {c.subject_id for c in await relay.claims("convert")} == set(photos)


async def test_a_lost_claim_becomes_due_again_by_itself(archive: Archive, relay: Relay) -> None:
    [photo] = await _photos(archive, "a.jpg")
    await relay.dispatcher.run_once()
    await relay.publisher.purge(["convert"])
    await archive.connection.execute("UPDATE jobs SET queued_at = queued_at - interval '1 minute'")

    await sweep.recover_lost_claims(archive.connection, relay.publisher, archive.settings, relay.board)

    assert (await archive.job("convert", photo))["status"] == "due"


async def test_a_claim_in_a_consumers_hands_is_not_lost(archive: Archive, relay: Relay) -> None:
    [photo] = await _photos(archive, "a.jpg")
    await relay.dispatcher.run_once()
    [claim] = await relay.claims("convert")
    await archive.connection.execute("UPDATE jobs SET queued_at = queued_at - interval '1 minute'")
    in_hand = ClaimInHand(claim_id=claim.claim_id, stage="convert", subject_id=photo, seconds=60)
    relay.board.add(WorkerReport(worker="w:1", stage="convert", host="w", pid=1, slots=1, in_hand=(in_hand,)))

    await sweep.recover_lost_claims(archive.connection, relay.publisher, archive.settings, relay.board)

    assert (await archive.job("convert", photo))["status"] == "queued"


async def test_a_claim_that_waits_in_the_queue_is_not_lost(archive: Archive, relay: Relay) -> None:
    [photo] = await _photos(archive, "a.jpg")
    await relay.dispatcher.run_once()
    await archive.connection.execute("UPDATE jobs SET queued_at = queued_at - interval '1 minute'")

    await sweep.recover_lost_claims(archive.connection, relay.publisher, archive.settings, relay.board)

    assert (await archive.job("convert", photo))["status"] == "queued"
