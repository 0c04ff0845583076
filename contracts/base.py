"""The base of every message: frozen, versioned, strict about what it does not know."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

VERSION: Literal[1] = 1

Stage = Literal["scan", "convert", "render", "curate", "embed", "taste", "bursts"]
"""A stage with a job row. `text` (encode a search query) is a remote call and has none."""

STAGES: tuple[Stage, ...] = ("scan", "convert", "render", "curate", "embed", "taste", "bursts")
PHOTO_STAGES: tuple[Stage, ...] = ("convert", "render", "curate", "embed")
"""Stages whose subject is a photo."""

LONGEST_DECODE_S = 840.0
"""Most seconds that a claim may ask for to decode one file. A claim in hand may wait for the one before it, and
RabbitMQ takes back what is not acknowledged within 30 minutes: twice this stays below."""
LONGEST_ANSWER_S = 560.0
"""Most seconds that a language model is given for one answer. Where its answers do not fit, it is asked three times in
all: three times this stays below the same 30 minutes. A photo that is described keeps no other one waiting in hand."""


class Message(BaseModel):
    """Anything that crosses a queue. `v` is the version of its shape; another version is not parsed."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    v: Literal[1] = VERSION

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode()


class Part(BaseModel):
    """A piece of a message. Frozen, and refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


Params = dict[str, Any]
