"""`embed`: vectors of previews, in micro-batches. One slot decodes the next batch while the other uses the network."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import ValidationError

from consumers.previews import preview_of
from consumers.stage import Outcome
from contracts.claims import ClaimCheck, EmbedParams
from contracts.results import EmbedPayload
from contracts.settings import Settings
from domain import embedding

_LEAST_DECODING_THREADS = 2


class Embed:
    name = "embed"

    def __init__(self, settings: Settings) -> None:
        self.slots = settings.slots or 2
        self.batch = settings.embed_batch
        self.encoder: str | None = None
        self._settings = settings
        self._network = threading.Lock()
        self._loading = threading.Lock()
        self._loaded: Any = None
        # A GPU waits for previews: every core decodes, as far as a batch goes round.
        decoding = max(_LEAST_DECODING_THREADS, min(self.batch, os.cpu_count() or 1))
        self._decoders = ThreadPoolExecutor(decoding, thread_name_prefix="preview")

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        """A claim without sense, or an encoder that cannot be loaded, is charged to no other claim of the batch."""
        named: dict[str, list[ClaimCheck]] = {}
        for claim in claims:
            try:
                named.setdefault(EmbedParams.model_validate(claim.params).encoder, []).append(claim)
            except ValidationError as error:
                yield claim, error
        for name, same in named.items():
            try:
                encoder = self._load(name)
            except Exception as error:
                yield from ((claim, error) for claim in same)
            else:
                yield from self._embed(encoder, same)

    def _embed(self, encoder: Any, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        """A preview that cannot be read fails alone."""
        prepared = [(claim, self._decoders.submit(_prepare, encoder, claim)) for claim in claims]
        good: list[tuple[ClaimCheck, Any]] = []
        for claim, pixels in prepared:
            error = pixels.exception()
            if error is not None:
                yield claim, error
            else:
                good.append((claim, pixels.result()))
        if not good:
            return
        with self._network:
            vectors = encoder.encode_images([pixels for _, pixels in good])
        for (claim, _), vector in zip(good, vectors, strict=True):
            yield claim, EmbedPayload(encoder=encoder.name, dim=encoder.dim, vector=vector.astype("<f2").tobytes())

    def _load(self, name: str) -> Any:
        """Once a process, on the first claim; again when a claim names another encoder."""
        with self._loading:
            settings = self._settings
            if name == "auto":
                name = embedding.default_encoder("auto", settings.clip_model_name, settings.clip_pretrained)
            if self._loaded is None or self._loaded.name != name:
                with self._network:
                    self._loaded = embedding.load(name, settings.clip_device, settings.torch_threads, "image")
                self.encoder = self._loaded.name
            return self._loaded

    def close(self) -> None:
        self._decoders.shutdown(wait=False, cancel_futures=True)


def _prepare(encoder: Any, claim: ClaimCheck) -> Any:
    return encoder.prepare(preview_of(claim))
