"""Every operation of the OpenAPI description, asked with what fits it and with what does not: none ends in a 5xx.

The requests are made by schemathesis and sent to the real web process, as a page of ours would send them. Half of them
speak of photographs and folders that there are. What changes the archive is among them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from unittest import SkipTest

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.generation.feedback import FeedbackSources

from tests.abuse.conftest import Web

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800)]
EXAMPLES = 30
"""Requests of each operation that fit its description, and as many that do not."""
_STREAM = "text/event-stream"


class Asking:
    """Sends cases and keeps what is wrong with their answers, by operation."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._session = requests.Session()
        self._session.trust_env = False
        self._headers = {"Origin": web.url, "Sec-Fetch-Site": "same-origin"}
        self.asked = 0
        self.faults: dict[str, str] = {}
        self.statuses: set[int] = set()

    def __call__(self, case: Case) -> None:
        sent = case.as_transport_kwargs(base_url=self._web.url)
        sent["headers"] = {**sent.get("headers", {}), **self._headers}
        with self._session.request(**sent, stream=True, timeout=30, allow_redirects=False) as answer:
            kind = answer.headers.get("Content-Type", "")
            said = "" if kind.startswith(_STREAM) else answer.text[:300]  # a stream of events has no end
        self.asked += 1
        self.statuses.add(answer.status_code)
        if answer.status_code >= 500 or (answer.status_code >= 400 and kind != "application/problem+json"):
            self.faults.setdefault(case.operation.label, f"{answer.status_code} {said}\n  {_told(sent)}")


def _told(sent: dict[str, Any]) -> str:
    """The request in a line, to send it again by hand."""
    shown = {name: value for name, value in sent.items() if value and name not in ("cookies", "timeout")}
    return repr(shown)[:600]


def _at_home(case: Case, web: Web, choice: int) -> None:
    """Puts what there is in the place of what was made up."""
    photo = web.photos[choice % len(web.photos)]
    for name in ("photo_id", "import_id", "group_id", "root_id"):
        if name in (case.path_parameters or {}):
            case.path_parameters[name] = photo if name == "photo_id" else 1
    if "path" in (case.query or {}):
        case.query["path"] = str(web.library)
    for name in ("like", "unlike"):
        if name in (case.query or {}):
            case.query[name] = str(photo)
    if isinstance(case.body, dict):
        known = {"ids": web.photos, "path": str(web.library), "root_id": 1, "keeper_id": photo}
        case.body.update({name: value for name, value in known.items() if name in case.body})


def _ask(web: Web, examples: int) -> Asking:
    ask = Asking(web)
    description = web.client.get("/openapi.json").json()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(description).get_all_operations()]
    assert len(operations) > 50
    chosen = hypothesis_settings(
        max_examples=examples, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    for operation in operations:
        for mode in GenerationMode:
            strategy = operation.as_strategy(generation_mode=mode, feedback=FeedbackSources())

            @chosen
            @given(case=strategy, choice=st.integers(0, 99))
            def send(case: Case, choice: int) -> None:
                if choice < 50:
                    _at_home(case, web, choice)
                ask(case)

            with suppress(Unsatisfiable, SkipTest):  # nothing of it can be wrong
                send()
    return ask


def test_no_request_ends_in_an_error_of_ours(web: Web) -> None:
    ask = _ask(web, EXAMPLES)

    assert not ask.faults, "\n".join(f"{label}: {fault}" for label, fault in ask.faults.items()) + web.said()[-4000:]
    assert {200, 404, 422} <= ask.statuses
    print(f"{ask.asked} requests, statuses {sorted(ask.statuses)}")
