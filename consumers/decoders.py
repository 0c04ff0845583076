"""Decoder children: one a slot, so that a crash, a hang or a hungry file takes nothing else with it.

A child is started by a fork server that has the decoders imported already (LibRaw's OpenMP can deadlock under a plain
`fork`; a fresh child costs some 20 ms). It is replaced after a crash, a time-out, growth of its memory, or a number of
files. Decode, scale and encode happen inside; requests and answers are JSON, so that no large array crosses the pipe
and nothing that a child sends is unpickled.
"""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from queue import LifoQueue
from typing import Any

import orjson

from consumers.errors import DecoderDiedError, DecoderHungError
from domain.errors import DomainError, PermanentError, TransientError, UnavailableError

PRELOAD = ["consumers.fork_server", "consumers.decoder_child"]
_POLL_S = 0.05
_GROWTH_MB = 400
"""A child that holds this much more than when it was fresh is replaced between two files."""
_ERRORS: dict[str, type[DomainError]] = {
    "PermanentError": PermanentError,
    "TransientError": TransientError,
    "UnavailableError": UnavailableError,
}


class DecoderPool:
    """As many children as slots; `call` takes a free one. Thread-safe."""

    def __init__(self, children: int, *, files_per_child: int, memory_mb: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)
        self._free: LifoQueue[_Child] = LifoQueue()
        self._children = [_Child(self._context, files_per_child, memory_mb) for _ in range(children)]
        for child in self._children:
            self._free.put(child)

    def call(self, function: str, arguments: dict[str, Any], *, name: str, timeout_s: float) -> dict[str, Any]:
        """Runs `function` ("module:name", keyword arguments as JSON values) in a child; returns its answer.

        Raises the function's DomainError, DecoderDiedError, or DecoderHungError. `name`: the file's, for sentences.
        """
        child = self._free.get()
        try:
            return child.call(function, arguments, name, timeout_s)
        finally:
            self._free.put(child)

    def close(self) -> None:
        for child in self._children:
            child.end()


class _Child:
    def __init__(self, context: ForkServerContext, files_per_child: int, memory_mb: int) -> None:
        self._context = context
        self._files_per_child = files_per_child
        self._memory_mb = memory_mb
        self._process: ForkServerProcess | None = None
        self._pipe: Connection | None = None
        self._files = 0
        self._fresh_mb = 0.0

    def call(self, function: str, arguments: dict[str, Any], name: str, timeout_s: float) -> dict[str, Any]:
        pipe = self._ready()
        try:
            pipe.send_bytes(orjson.dumps({"function": function, "arguments": arguments}))
            answer = self._wait(pipe, name, timeout_s)
        except (EOFError, OSError):
            status = self._status()
            self.end()
            raise DecoderDiedError(
                f"{name} made the decoder crash ({status}). The file is damaged, or of a kind that the decoder cannot "
                "cope with; open it in another program and save it anew, then press Retry."
            ) from None
        self._files += 1
        self._replace_when_worn()
        return _result(answer)

    def _ready(self) -> Connection:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self.end()
            self._pipe, theirs = self._context.Pipe()
            self._process = self._context.Process(target=serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
            self._files = 0
            self._fresh_mb = 0.0
        return self._pipe

    def _wait(self, pipe: Connection, name: str, timeout_s: float) -> bytes:
        """Watches the clock and the child's memory."""
        deadline = time.monotonic() + timeout_s
        while not pipe.poll(_POLL_S):
            if time.monotonic() > deadline:
                self.end()
                raise DecoderHungError(
                    f"{name} took longer than {timeout_s:g} seconds to decode and was given up. "
                    "If the file is very large, raise CONVERT_TIMEOUT_SECONDS and press Retry."
                )
            if self._memory() > self._memory_mb:
                self.end()
                raise DecoderHungError(
                    f"{name} needed more than {self._memory_mb} MB of memory to decode and was given up. "
                    "If the file is in order, raise CONVERT_MEMORY_MB and press Retry."
                )
        return pipe.recv_bytes()

    def _replace_when_worn(self) -> None:
        held = self._memory()
        self._fresh_mb = self._fresh_mb or held
        if self._files >= self._files_per_child or held > self._fresh_mb + _GROWTH_MB:
            self.end()

    def _memory(self) -> float:
        """Resident megabytes of the child; 0 where the system does not say."""
        with suppress(OSError, ValueError, AttributeError):
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])  # type: ignore[union-attr]
            return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        return 0.0

    def _status(self) -> str:
        if self._process is None:
            return "no process"
        self._process.join(2)
        code = self._process.exitcode
        if code is not None and code < 0:
            with suppress(ValueError):
                return signal.Signals(-code).name
        return f"exit status {code}"

    def end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            self._process.kill()
            self._process.join(5)
            self._process = None


def _result(answer: bytes) -> dict[str, Any]:
    message = orjson.loads(answer)
    if "result" in message:
        result: dict[str, Any] = message["result"]
        return result
    if message["error"] in _ERRORS:
        raise _ERRORS[message["error"]](message["sentence"], **message["more"])
    raise UnexpectedDecoderError(f"{message['error']}: {message['sentence']}\n{message['more'].get('traceback', '')}")


class UnexpectedDecoderError(RuntimeError):
    """An exception in a decoder child that is none of the domain's: a bug."""


# --- in the child -----------------------------------------------------------------------------------------------------


def serve(pipe: Connection) -> None:
    """The child's loop: one request, one answer, until the pipe is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: go with the fork server
    functions: dict[str, Callable[..., Any]] = {}
    while True:
        try:
            request = orjson.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        name = request["function"]
        if name not in functions:
            functions[name] = _find(name)
        pipe.send_bytes(_answer(functions[name], request["arguments"]))


def _find(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _answer(function: Callable[..., Any], arguments: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps({"result": function(**arguments)})
    except DomainError as error:
        more: dict[str, Any] = {
            "op": error.op, "context": error.context, "upstream": error.upstream, "detail": error.detail,
        }  # fmt: skip
        if isinstance(error, TransientError):
            more["retry_after_s"] = error.retry_after_s
        if isinstance(error, UnavailableError):
            more["needs_person"] = error.needs_person
        kind = next(name for name, cls in reversed(_ERRORS.items()) if isinstance(error, cls))
        return orjson.dumps({"error": kind, "sentence": error.sentence, "more": more}, default=str)
    except Exception as error:
        import traceback

        more = {"traceback": traceback.format_exc()[-3000:]}
        return orjson.dumps({"error": type(error).__name__, "sentence": str(error)[:1000], "more": more})
