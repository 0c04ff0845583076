"""The curate worker against a real server that plays an OpenAI-compatible endpoint: what fails, how, after how many
calls (BEHAVIOUR.md, section 3)."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumers.curate import Curate
from consumers.errors import failure_of
from contracts.results import CuratePayload, Failure
from contracts.settings import Settings
from tests.consumers.broker import claim

ANSWER = {"subject": "A windmill", "content_type": "landscape", "suggested_tags": ["mill", "sky"]}
Ask = Callable[..., CuratePayload | Failure]


@pytest.fixture
def ask(llmock: Any, previews: list[Path], settings: Settings) -> Ask:
    def asked(base_url: str | None = None, timeout_s: float = 10.0) -> CuratePayload | Failure:
        changes = {"llm_base_url": base_url or llmock.base_url("openai"), "llm_timeout_s": timeout_s}
        given = claim("curate", file_path=str(previews[0]), params={"filename": "IMG_1.CR2"})
        try:
            [(_, payload)] = list(Curate(settings.model_copy(update=changes)).run([given]))
        except Exception as error:
            return failure_of(given, error, "test:1", 0.0)
        assert isinstance(payload, CuratePayload)
        return payload

    return asked


def test_a_good_answer(llmock: Any, ask: Ask) -> None:
    llmock.reply(json.dumps(ANSWER | {"suggested_tags": "mill, sky ,Mill", "content_type": "Wildlife"}))
    payload = ask()
    assert isinstance(payload, CuratePayload)
    assert (payload.subject, payload.content_type, payload.model) == ("A windmill", "other", "llava")
    assert payload.suggested_tags == ("mill", "sky")
    assert len(llmock.requests) == 1


@pytest.mark.parametrize("said", ["I see a windmill.", '{"subject": ', "[]", '{"content_type": "street"}'])
def test_answers_that_do_not_fit_are_asked_for_three_times(llmock: Any, ask: Ask, said: str) -> None:
    llmock.reply(said, times=None)
    failure = ask()
    assert isinstance(failure, Failure)
    assert failure.failure == "permanent"
    assert "IMG_1.CR2" in failure.sentence
    assert len(llmock.requests) == 3


def test_a_later_answer_that_fits_is_taken(llmock: Any, ask: Ask) -> None:
    llmock.reply("a windmill", times=2)
    llmock.reply(json.dumps(ANSWER))
    assert isinstance(ask(), CuratePayload)
    assert len(llmock.requests) == 3


@pytest.mark.parametrize(
    ("status", "kind", "needs_person"),
    [
        (400, "permanent", False), (413, "permanent", False), (422, "permanent", False),
        (401, "unavailable", True), (403, "unavailable", True), (404, "unavailable", True),
        (408, "transient", False), (409, "transient", False), (425, "transient", False),
        (429, "unavailable", False), (500, "transient", False), (502, "transient", False),
        (503, "unavailable", False), (504, "transient", False), (529, "unavailable", False),
    ],
)  # fmt: skip
def test_an_http_error_costs_one_call_and_keeps_its_status(
    llmock: Any, ask: Ask, status: int, kind: str, needs_person: bool
) -> None:
    llmock.fail(status, times=None, message="said by the server", retry_after=7)
    failure = ask()
    assert isinstance(failure, Failure)
    assert (failure.failure, failure.needs_person) == (kind, needs_person)
    assert failure.error.upstream is not None
    assert failure.error.upstream["status_code"] == status
    assert failure.error.upstream["message"] == "said by the server"
    assert failure.retry_after_s == (None if kind == "permanent" else 7)
    assert len(llmock.requests) == 1


def test_a_slow_answer_is_transient_after_one_call(llmock: Any, ask: Ask) -> None:
    llmock.delay(2, times=None)
    failure = ask(timeout_s=0.4)
    assert isinstance(failure, Failure)
    assert failure.failure == "transient"
    assert len(llmock.requests) == 1


def test_a_refused_connection_makes_the_stage_wait(ask: Ask) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    failure = ask(base_url=f"http://127.0.0.1:{port}/v1/")
    assert isinstance(failure, Failure)
    assert (failure.failure, failure.needs_person) == ("unavailable", False)
    assert failure.sentence.endswith("connection refused.")
