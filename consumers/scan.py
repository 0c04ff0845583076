"""`scan`: one folder of an import; its photos and sub-folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from consumers.stage import Outcome
from contracts.claims import ClaimCheck, ScanParams
from contracts.results import ScanPayload
from contracts.settings import Settings
from domain.files import walk_folder


class Scan:
    name = "scan"
    batch = 1
    encoder: str | None = None

    def __init__(self, settings: Settings) -> None:
        self.slots = settings.slots or 2

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        for claim in claims:
            params = ScanParams.model_validate(claim.params)
            listing = walk_folder(Path(params.root_path), params.rel_path)
            yield claim, ScanPayload.model_validate(asdict(listing))

    def close(self) -> None:
        """Holds nothing."""
