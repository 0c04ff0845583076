"""`bursts`: groups of frames, and sequences that were meant as a whole, found in matrices on the shared disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from consumers.own_places import refuse_outside
from consumers.stage import Outcome
from contracts.claims import BurstsParams, ClaimCheck
from contracts.results import BurstsPayload
from contracts.settings import Settings
from domain import bursts
from domain.burst_intent import BRACKET, FOCUS_STACK, NO_INTENT, PANORAMA_SWEEP
from domain.embedding.encoder import burst_threshold

_LOOKED_AT = 256
"""Thumbnails held: the frames of one sequence are looked at several times."""


class Bursts:
    name = "bursts"
    slots = 1
    batch = 1
    encoder: str | None = None

    def __init__(self, settings: Settings) -> None:
        """Threshold and gap travel in the claim."""
        self._transit = settings.transit_dir

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        for claim in claims:
            params = BurstsParams.model_validate(claim.params)
            refuse_outside(self._transit, claim, params.groups_path)
            table = np.load(params.table_path, allow_pickle=False)
            features = np.load(params.features_path, mmap_mode="r", allow_pickle=False)
            threshold = params.threshold or burst_threshold(params.encoder)
            look = thumbnails(table, params.thumbs) if params.thumbs else None
            groups = bursts.find(table, features, threshold, params.gap_s, look)
            partial = Path(params.groups_path).with_suffix(".part")
            with partial.open("wb") as file:
                np.save(file, groups, allow_pickle=False)
            partial.replace(params.groups_path)
            yield claim, _counted(groups, threshold, params.gap_s)

    def close(self) -> None:
        """Holds nothing."""


def thumbnails(table: NDArray[Any], pattern: str) -> Callable[[int], NDArray[np.uint8] | None]:
    """Reads a frame's thumbnail in grey (h, w) by its row; None where it is gone or cannot be read."""

    @lru_cache(maxsize=_LOOKED_AT)
    def look(row: int) -> NDArray[np.uint8] | None:
        photo_id, generation = int(table["photo_id"][row]), int(table["generation"][row])
        path = pattern.format(folder=photo_id // 1000, photo_id=photo_id, generation=generation)
        try:
            with Image.open(path) as picture:
                return np.asarray(picture.convert("L"))
        except (OSError, ValueError):
            return None

    return look


def _counted(groups: NDArray[np.int64], threshold: float, gap_s: float) -> BurstsPayload:
    first = groups[np.unique(groups[:, 1], return_index=True)[1]]
    tied = np.unique(groups[groups[:, 2] == bursts.TIE, 1])
    of = {intent: int((first[:, 3] == intent).sum()) for intent in (NO_INTENT, BRACKET, FOCUS_STACK, PANORAMA_SWEEP)}
    return BurstsPayload(
        groups=of[NO_INTENT],
        photos=int((groups[:, 3] == NO_INTENT).sum()),
        ties=len(tied),
        brackets=of[BRACKET],
        focus_stacks=of[FOCUS_STACK],
        panoramas=of[PANORAMA_SWEEP],
        threshold=threshold,
        gap_s=gap_s,
    )
