from __future__ import annotations

import base64
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from domain import curation
from domain.curation import MOST_CALLS, LanguageModel, PhotoMetadata, curate, make_client
from domain.errors import DomainError, PermanentError, TransientError, UnavailableError

KEY = "sk-secret-0123456789"
ANSWER = {
    "subject": "A fisherman mending a net",
    "content_type": "Street",
    "lighting_critique": "Low sun from the left.",
    "artistic_mood": "calm",
    "suggested_tags": "sea, net , Sea, harbour",
}


@pytest.fixture
def preview(tmp_path: Path) -> Path:
    path = tmp_path / "preview.jpg"
    Image.radial_gradient("L").convert("RGB").resize((1440, 960)).save(path, quality=82)
    return path


@dataclass
class Scripted:
    """A server that gives these answers in turn, the last one again and again."""

    base_url: str = ""
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    calls: int = 0


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, said = script.answers[min(script.calls, len(script.answers) - 1)]
            script.calls += 1
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    script.base_url = f"http://127.0.0.1:{server.server_port}/v1/"
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def ask(llmock: Any, preview: Path) -> Callable[..., PhotoMetadata]:
    """Asks the playing server about the preview."""
    client = make_client(llmock.base_url("openai"), KEY, "llava", "json", timeout_s=5)
    return lambda: curate(preview, "IMG_0001.CR2", client)


def test_a_fitting_answer_becomes_metadata_with_one_call(llmock: Any, ask: Callable[..., PhotoMetadata]) -> None:
    llmock.reply(json.dumps(ANSWER))
    metadata = ask()
    assert metadata.content_type == "street"
    assert metadata.suggested_tags == ["sea", "net", "harbour"]
    assert len(llmock.requests) == 1


def test_the_picture_travels_as_a_small_jpeg_without_metadata(llmock: Any, ask: Callable[..., PhotoMetadata]) -> None:
    llmock.reply(json.dumps(ANSWER))
    ask()
    parts = llmock.last_request.body["messages"][-1]["content"]
    url = next(p["image_url"]["url"] for p in parts if p["type"] == "image_url")
    sent = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))))
    assert sent.format == "JPEG"
    assert max(sent.size) == 1024
    assert not sent.getexif()


@pytest.mark.parametrize(
    ("status", "kind", "needs_person"),
    [
        (400, PermanentError, None),
        (413, PermanentError, None),
        (422, PermanentError, None),
        (401, UnavailableError, True),
        (403, UnavailableError, True),
        (404, UnavailableError, True),
        (429, UnavailableError, False),
        (503, UnavailableError, False),
        (529, UnavailableError, False),
        (408, TransientError, None),
        (409, TransientError, None),
        (500, TransientError, None),
        (502, TransientError, None),
        (504, TransientError, None),
    ],
)
def test_every_http_error_is_asked_once_and_keeps_its_status(
    llmock: Any, ask: Callable[..., PhotoMetadata], status: int, kind: type[DomainError], needs_person: bool | None
) -> None:
    llmock.fail(status, times=None, message="said by the server", code="some_code")
    with pytest.raises(kind) as caught:
        ask()
    assert type(caught.value) is kind
    assert caught.value.upstream is not None
    assert caught.value.upstream["status_code"] == status
    assert caught.value.upstream["message"] == "said by the server"
    assert getattr(caught.value, "needs_person", None) == needs_person
    assert len(llmock.requests) == 1


def test_retry_after_is_carried(llmock: Any, ask: Callable[..., PhotoMetadata]) -> None:
    llmock.rate_limit(retry_after=7, times=None)
    with pytest.raises(UnavailableError) as caught:
        ask()
    assert caught.value.retry_after_s == 7
    assert len(llmock.requests) == 1


def test_answers_that_do_not_fit_cost_three_calls_and_end_the_photo(
    llmock: Any, ask: Callable[..., PhotoMetadata]
) -> None:
    llmock.reply("I am sorry, I cannot see any picture.", times=None)
    with pytest.raises(PermanentError, match="IMG_0001"):
        ask()
    assert len(llmock.requests) == MOST_CALLS


def test_a_second_answer_that_fits_is_taken(llmock: Any, ask: Callable[..., PhotoMetadata]) -> None:
    llmock.reply('{"subject": ""}')
    llmock.reply(json.dumps(ANSWER))
    assert ask().subject == ANSWER["subject"]
    assert len(llmock.requests) == 2


def test_an_http_error_after_an_unfit_answer_is_not_hidden(scripted: Scripted, preview: Path) -> None:
    said = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a dog"}}]}
    scripted.answers = [(200, {"id": "1", "object": "chat.completion", "created": 1, "model": "m", **said}), (503, {})]
    client = make_client(scripted.base_url, KEY, "llava", "json", timeout_s=5)
    with pytest.raises(UnavailableError) as caught:
        curate(preview, "a.jpg", client)
    assert caught.value.upstream is not None
    assert caught.value.upstream["status_code"] == 503
    assert scripted.calls == 2


def test_our_own_bug_is_not_taken_for_an_unfit_answer(
    llmock: Any, ask: Callable[..., PhotoMetadata], monkeypatch: pytest.MonkeyPatch
) -> None:
    llmock.reply(json.dumps(ANSWER), times=None)

    def bug(*args: object, **kwargs: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(PhotoMetadata, "model_validate_json", bug)
    with pytest.raises(Exception, match="ours") as caught:
        ask()
    assert not isinstance(caught.value, DomainError)


def test_a_slow_answer_is_transient_and_asked_once(llmock: Any, preview: Path) -> None:
    llmock.delay(1, times=None)
    client = make_client(llmock.base_url("openai"), KEY, "llava", "json", timeout_s=0.3)
    with pytest.raises(TransientError, match="took too long") as caught:
        curate(preview, "a.jpg", client)
    assert type(caught.value) is TransientError
    assert len(llmock.requests) == 1


def test_a_refused_connection_says_so(preview: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = make_client(f"http://127.0.0.1:{port}/v1/", KEY, "llava", "json", timeout_s=2)
    with pytest.raises(UnavailableError) as caught:
        curate(preview, "a.jpg", client)
    assert caught.value.sentence == (
        f"Waiting for the language model at http://127.0.0.1:{port}/v1/: connection refused."
    )
    assert not caught.value.needs_person


def test_a_host_that_takes_no_connection_is_waited_for_at_no_photographs_cost(preview: Path) -> None:
    """Switched off, or behind a firewall: nothing refuses, the connection just does not come about."""
    with socket.socket() as full, socket.socket() as waits:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # one may wait to be accepted; nobody accepts
        waits.connect(full.getsockname())
        client = make_client(f"http://127.0.0.1:{full.getsockname()[1]}/v1/", KEY, "llava", "json", timeout_s=0.5)
        with pytest.raises(UnavailableError, match="it does not answer"):
            curate(preview, "a.jpg", client)


def test_the_key_appears_in_no_message_and_no_log(
    scripted: Scripted, preview: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Some servers repeat the key in their refusal."""
    scripted.answers = [(401, {"error": {"message": f"Incorrect API key {KEY}", "code": "bad_key"}})]
    address = scripted.base_url.replace("http://", f"http://user:{KEY}@")
    client = make_client(address, KEY, "llava", "json", timeout_s=5)
    with pytest.raises(UnavailableError) as caught:
        curate(preview, "a.jpg", client)
    error = caught.value
    told = repr((error, error.sentence, error.upstream, error.context, error.detail, client))
    assert KEY not in told
    assert KEY not in caplog.text
    assert "[key]" in str(error.upstream)
    assert error.__cause__ is None


def test_an_unreadable_preview_is_named_and_costs_no_call(llmock: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")
    client = make_client(llmock.base_url("openai"), KEY, "llava")
    with pytest.raises(PermanentError, match="IMG_7"):
        curate(broken, "IMG_7.NEF", client)
    assert llmock.requests == []


@pytest.mark.parametrize("mode", ["tools", "json_schema", "md_json"])
def test_the_other_modes_work_too(llmock: Any, preview: Path, mode: curation.Mode) -> None:
    if mode == "tools":
        llmock.call_tool("PhotoMetadata", ANSWER)
    else:
        text = json.dumps(ANSWER)
        llmock.reply(f"```json\n{text}\n```" if mode == "md_json" else text)
    client: LanguageModel = make_client(llmock.base_url("openai"), KEY, "llava", mode, timeout_s=5)
    assert curate(preview, "a.jpg", client).subject == ANSWER["subject"]


def test_small_models_answers_are_tolerated() -> None:
    metadata = PhotoMetadata.model_validate(
        {
            "subject": "  two\u202e dogs\x00\nplaying ",
            "content_type": "Still Life",
            "lighting_critique": None,
            "artistic_mood": ["quiet", "cold"],
            "suggested_tags": [" #Dog", "dog", "snow.", "", None, "x" * 80] + [f"t{i}" for i in range(20)],
            "rating": 5,
        }
    )
    assert metadata.subject == "two dogs playing"
    assert metadata.content_type == "still_life"
    assert metadata.lighting_critique == ""
    assert metadata.artistic_mood == "quiet, cold"
    assert metadata.suggested_tags[:2] == ["Dog", "snow"]
    assert len(metadata.suggested_tags) == 12


def test_an_unknown_kind_of_picture_is_other() -> None:
    assert PhotoMetadata.model_validate({"subject": "x", "content_type": "Wildlife"}).content_type == "other"


@given(st.one_of(st.text(), st.lists(st.text()), st.none(), st.integers(), st.dictionaries(st.text(), st.text())))
def test_whatever_the_model_writes_comes_out_short_and_visible(value: object) -> None:
    try:
        metadata = PhotoMetadata.model_validate({"subject": value, "content_type": value, "suggested_tags": value})
    except ValueError:
        assert curation.plain_text(value, 200) == ""
        return
    for text in (metadata.subject, *metadata.suggested_tags):
        assert text.isprintable()
        assert len(text) <= 200
    assert len(metadata.suggested_tags) <= 12
