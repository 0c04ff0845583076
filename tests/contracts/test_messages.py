"""Messages survive their journey, and what is not understood is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts import topology
from contracts.base import LONGEST_DECODE_S, STAGES, Part
from contracts.claims import PARAMS, ClaimCheck, ConvertParams, RenderParams
from contracts.results import ANSWER, PAYLOADS, EmbedPayload, ErrorEnvelope, Failure, RenderPayload, Result


def test_every_stage_has_its_parameters_and_its_payload() -> None:
    assert set(PARAMS) == set(PAYLOADS) == set(STAGES)


@given(st.binary(max_size=64))
def test_bytes_survive_the_journey(vector: bytes) -> None:
    payload = EmbedPayload(encoder="e", dim=1, vector=vector)

    assert EmbedPayload.model_validate_json(payload.model_dump_json()) == payload


def test_an_answer_is_a_result_or_a_failure() -> None:
    common = {"claim_id": "c", "stage": "embed", "subject_id": 1, "generation": 1, "attempt": 1, "worker": "w"}
    result = Result(**common, payload={})
    failure = Failure(
        **common, failure="transient", sentence="Later.", error=ErrorEnvelope(op="o", error_type="t", message="m")
    )

    assert ANSWER.validate_json(result.to_bytes()) == result
    assert ANSWER.validate_json(failure.to_bytes()) == failure


def test_a_rendering_that_does_not_speak_of_tiles_has_none() -> None:
    assert RenderPayload.model_validate({"width": 3, "height": 2}) == RenderPayload(width=3, height=2, tiled=False)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"v":2,"claim_id":"c","stage":"scan","subject_id":1,"generation":1,"attempt":1}',
     b'{"claim_id":"c","stage":"develop","subject_id":1,"generation":1,"attempt":1}',
     b'{"claim_id":"c","stage":"scan","subject_id":1,"generation":1,"attempt":1,"pixels":"..."}'],
)  # fmt: skip
def test_what_is_not_a_claim_of_this_version_is_refused(body: bytes) -> None:
    with pytest.raises(ValidationError):
        ClaimCheck.model_validate_json(body)


@pytest.mark.parametrize(
    ("params", "paths"),
    [
        (ConvertParams, {"preview_path": "/d/p.jpg", "thumb_path": "/d/t.jpg"}),
        (RenderParams, {"render_path": "/d/r.jpg"}),
    ],
)
@pytest.mark.parametrize("timeout_s", [LONGEST_DECODE_S + 1, 1e308, float("inf"), float("nan"), 0, -1])
def test_no_claim_may_keep_a_decoder_for_longer_than_the_broker_waits(
    params: type[Part], paths: dict[str, str], timeout_s: float
) -> None:
    params.model_validate(paths | {"pixel_cap": 1, "timeout_s": LONGEST_DECODE_S})

    with pytest.raises(ValidationError, match="timeout_s"):
        params.model_validate(paths | {"pixel_cap": 1, "timeout_s": timeout_s})


def test_every_claim_has_a_queue_that_somebody_reads() -> None:
    read = {name for stage in topology.WORK_STAGES for name in topology.queues_of_consumer(stage)}
    published = {topology.queue_for(stage, urgent=urgent) for stage in STAGES for urgent in (False, True)}

    assert published <= read <= {queue.name for queue in topology.QUEUES}


def test_work_queues_survive_a_restart_and_hand_on_what_kills_its_workers() -> None:
    for queue in topology.QUEUES:
        if queue.name in topology.CLAIM_QUEUES:
            assert queue.durable
            assert queue.arguments["x-queue-type"] == "quorum"
            assert queue.arguments["x-delivery-limit"] == topology.DELIVERY_LIMIT
            assert queue.arguments["x-overflow"] == "reject-publish"
