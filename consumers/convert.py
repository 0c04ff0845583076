"""`convert`: everything that one read of an original yields. Also `render`, a native-size rendering on request."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from consumers.decoders import DecoderPool
from consumers.own_places import refuse_outside
from consumers.stage import Outcome
from contracts.claims import ClaimCheck, ConvertParams, RenderParams
from contracts.results import ConvertPayload, RenderPayload
from contracts.settings import Settings

DECODER = "domain.imaging.conversion:convert"


class Convert:
    name = "convert"
    batch = 1
    encoder: str | None = None

    def __init__(self, settings: Settings, decoder: str = DECODER) -> None:
        self.slots = settings.slots or os.cpu_count() or 1
        self._decoder = decoder
        self._derivatives = settings.derivatives_dir
        self._pool = DecoderPool(
            self.slots, files_per_child=settings.files_per_child, memory_mb=settings.convert_memory_mb
        )

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        for claim in claims:
            yield claim, self._render(claim) if claim.stage == "render" else self._convert(claim)

    def _convert(self, claim: ClaimCheck) -> ConvertPayload:
        params = ConvertParams.model_validate(claim.params)
        refuse_outside(self._derivatives, claim, params.preview_path, params.thumb_path)
        arguments = params.model_dump(include={"preview_path", "thumb_path", "pixel_cap", "want_focus"}) | {
            "decoder": self._decoder,
            "original": claim.file_path,
            "companion": params.companion_path,
            "root": params.root_path,
            "sidecars": list(params.sidecar_paths),
        }
        return ConvertPayload.model_validate(self._call("convert", claim, arguments, params.timeout_s))

    def _render(self, claim: ClaimCheck) -> RenderPayload:
        params = RenderParams.model_validate(claim.params)
        refuse_outside(self._derivatives, claim, params.render_path)
        arguments = params.model_dump(include={"render_path", "pixel_cap", "quality"}) | {
            "original": claim.file_path,
            "companion": params.companion_path,
        }
        return RenderPayload.model_validate(self._call("render", claim, arguments, params.timeout_s))

    def _call(self, function: str, claim: ClaimCheck, arguments: dict[str, object], timeout_s: float) -> object:
        name = Path(claim.file_path or "").name
        return self._pool.call(f"consumers.decoder_child:{function}", arguments, name=name, timeout_s=timeout_s)

    def close(self) -> None:
        self._pool.close()
