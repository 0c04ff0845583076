"""`bursts`: groups of frames, found in matrices on the shared disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from consumers.stage import Outcome
from contracts.claims import BurstsParams, ClaimCheck
from contracts.results import BurstsPayload
from contracts.settings import Settings
from domain import bursts
from domain.embedding.encoder import burst_threshold


class Bursts:
    name = "bursts"
    slots = 1
    batch = 1
    encoder: str | None = None

    def __init__(self, settings: Settings) -> None:
        """No settings of its own: threshold and gap travel in the claim."""

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        for claim in claims:
            params = BurstsParams.model_validate(claim.params)
            table = np.load(params.table_path, allow_pickle=False)
            features = np.load(params.features_path, mmap_mode="r", allow_pickle=False)
            threshold = params.threshold or burst_threshold(params.encoder)
            groups = bursts.detect(table, features, threshold, params.gap_s)
            partial = Path(params.groups_path).with_suffix(".part")
            with partial.open("wb") as file:
                np.save(file, groups, allow_pickle=False)
            partial.replace(params.groups_path)
            yield claim, BurstsPayload(groups=len(np.unique(groups[:, 1])), photos=len(groups))

    def close(self) -> None:
        """Holds nothing."""
