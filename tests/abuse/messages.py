"""Messages as somebody who means harm, or an older version, may send them: real ones, damaged. Seeded."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts import topology

_DEEP = 20_000
_MEGABYTE = 1_000_000
_DEEP_MARK = "a value that is nested without end"


@dataclass(frozen=True)
class Odd:
    """A message for `queue`; `options` are its properties."""

    queue: str
    body: bytes
    options: dict[str, Any] = field(default_factory=dict)


def _values(outside: Path) -> tuple[Any, ...]:
    """What takes the place of a value. Paths lead out of every folder that a consumer may write to."""
    return (
        None, True, False, 0, -1, 1, 2, 2**31, 2**63 - 1, 2**63, 2**70, -(2**70), 0.5, 1e308,
        float("nan"), float("inf"), "", " ", "0", "x" * 100_000, "\0", "a\0b", "\ud800", "%s%n", "{0}",
        "{photo_id.__class__}", "'; DROP TABLE photos; --",
        "!!! no base64", "AAA", "=", "\u202e\u0000", [], {}, [[]], [None], {"": None}, ["a"] * 1000, _DEEP_MARK,
        "scan", "convert", "render", "curate", "embed", "taste", "bursts", "text", "result", "failure",
        "permanent", "poison",
        str(outside / "written.jpg"), f"{outside}/../outside/written.npy", "../../../../../../outside/written.jpg",
        "relative.jpg", "/", "/dev/null", "/proc/self/environ", "file:///etc/passwd", "//", "~/written.jpg",
        "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999+14:00", "2024-13-45", 10**30, "1e5", "NaN",
    )  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:20]):
            yield from _places(inner, (*path, number))


def _at(value: Any, path: Sequence[Any]) -> Any:
    for step in path:
        value = value[step]
    return value


class Mutations:
    """Damages real claims, answers and queries. One answer in two speaks of `victims`, whose work is still open."""

    def __init__(self, real: Sequence[dict[str, Any]], victims: Sequence[int], outside: Path, seed: int) -> None:
        self._real = real
        self._answers = [message for message in real if "kind" in message]
        self._victims = victims
        self._values = _values(outside)
        self._rng = random.Random(seed)

    def messages(self, n: int) -> Iterator[Odd]:
        """`n` messages for every queue but `parked`, which nobody reads; most for the one that leads to the archive."""
        queues = [queue.name for queue in topology.QUEUES if queue.name != topology.PARKED_QUEUE]
        queues += [topology.RESULTS_QUEUE] * 4
        for number in range(n):
            queue = queues[number % len(queues)]
            yield Odd(queue, self._body(queue), self._options())

    def _body(self, queue: str) -> bytes:
        rng = self._rng
        if rng.random() < 0.15:
            return rng.choice(_RAW)(rng, self._written(rng.choice(self._real)))
        answers = queue == topology.RESULTS_QUEUE and rng.random() < 0.9
        message = copy.deepcopy(rng.choice(self._answers if answers else self._real))
        if answers and rng.random() < 0.5:
            victim = rng.choice(self._victims)
            message = copy.deepcopy(rng.choice([m for m in self._answers if m["stage"] == "convert"]))
            message |= {"subject_id": victim, "photo_id": victim, "generation": 1, "attempt": 1}
        for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
            message = self._spoilt(message)
        return self._written(message)

    def _spoilt(self, message: Any) -> Any:
        rng = self._rng
        path = rng.choice(list(_places(message)))
        if not path:
            return self._values_of() if rng.random() < 0.1 else self._renamed(message)
        held, last = _at(message, path[:-1]), path[-1]
        kind = rng.random()
        if kind < 0.6:
            held[last] = self._values_of()
        elif kind < 0.75:
            del held[last]
        elif kind < 0.85 and isinstance(held, dict):
            held[rng.choice(("surprise", "__proto__", "v", "", "\0", "x" * 3000))] = self._values_of()
        else:
            other = rng.choice(self._real)
            held[last] = copy.deepcopy(_at(other, rng.choice(list(_places(other)))))
        return message

    def _values_of(self) -> Any:
        return copy.deepcopy(self._rng.choice(self._values))

    def _renamed(self, message: Any) -> Any:
        """Another stage's, another photograph's, another time's."""
        if not isinstance(message, dict):
            return message
        rng = self._rng
        changes: dict[str, Sequence[Any]] = {
            "stage": ("scan", "convert", "render", "curate", "embed", "taste", "bursts"), "subject_id": range(-1, 20),
            "photo_id": range(-1, 20), "generation": range(5), "attempt": range(7), "v": (0, 2, "1"),
            "payload": [m["payload"] for m in self._real if "payload" in m],
            "params": [m.get("params") for m in self._real],
        }  # fmt: skip
        name = rng.choice([name for name in changes if name in message] or ["v"])
        return message | {name: copy.deepcopy(rng.choice(list(changes[name])))}

    @staticmethod
    def _written(message: Any) -> bytes:
        text = json.dumps(message)
        return text.replace(json.dumps(_DEEP_MARK), "[" * _DEEP + "]" * _DEEP).encode()

    def _options(self) -> dict[str, Any]:
        """Headers and properties, mostly none."""
        rng = self._rng
        if rng.random() < 0.7:
            return {}
        options: dict[str, Any] = {}
        for name in rng.sample(list(_PROPERTIES), rng.choice((1, 2, 4))):
            options[name] = rng.choice(_PROPERTIES[name])
        return options


class _Far(datetime):
    """A time long after the year 9999, which pika cannot read."""

    def timestamp(self) -> float:
        return 2.0**62


_FAR = _Far(2026, 1, 1, tzinfo=UTC)
_PROPERTIES: dict[str, Sequence[Any]] = {
    "headers": (
        {"x": _FAR}, {"x": 1e30}, {"deep": {"list": [[], {"n": None}, [_FAR]]}},
        {"x-death": "none"},
        {"x-delivery-count": 99}, {"x-parked-reason": "\0", "x-parked-from": "results"}, {"a" * 120: "b" * 5000},
        {"x": bytearray(b"\xff\x00")}, {"CC": ["scan", "results"]}, {"BCC": ["dead"]}, {f"h{n}": n for n in range(500)},
    ),
    "content_type": ("text/html", "", "x" * 250),
    "content_encoding": ("gzip", "utf-16"),
    "priority": (0, 255),
    "correlation_id": ("", "x" * 250),
    "reply_to": ("results", "dead", "nobody", "convert", "", "x" * 250),
    "expiration": (0.001, 1),
    "message_id": ("", "same"),
    "type": ("claim", "\u202e"),
    "app_id": ("x" * 250,),
}  # fmt: skip


def _flipped(rng: random.Random, body: bytes) -> bytes:
    spoilt = bytearray(body)
    for _ in range(rng.choice((1, 3, 20))):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)


_RAW: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    lambda rng, body: b"",
    lambda rng, body: body[: rng.randrange(len(body))],
    _flipped,
    lambda rng, body: body + body,
    lambda rng, body: b"\xef\xbb\xbf" + body,
    lambda rng, body: body.decode().encode("utf-16"),
    lambda rng, body: rng.randbytes(rng.choice((1, 100, 5000))),
    lambda rng, body: b"[" * _DEEP + b"]" * _DEEP,
    lambda rng, body: b'{"v": ' * _DEEP,
    lambda rng, body: rng.choice((b"null", b"true", b"0", b'""', b"[]", b"{}", b"NaN", b"<xml/>", b"\x80\x04K\x01.")),
    lambda rng, body: b'{"v": 1, "stage": "convert", "claim_id": "' + b"x" * _MEGABYTE + b'"}',
    lambda rng, body: rng.randbytes(_MEGABYTE),
)
