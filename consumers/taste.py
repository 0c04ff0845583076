"""`taste`: trains on the matrices of everything that was rated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from consumers.stage import Outcome
from contracts.claims import ClaimCheck, TasteParams
from contracts.results import TastePayload
from contracts.settings import Settings
from domain import taste
from domain.embedding.encoder import burst_threshold


class Taste:
    name = "taste"
    slots = 1
    batch = 1
    encoder: str | None = None

    def __init__(self, settings: Settings) -> None:
        """No settings of its own."""

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        for claim in claims:
            params = TasteParams.model_validate(claim.params)
            features = np.load(params.features_path, mmap_mode="r", allow_pickle=False)
            stars = np.load(params.labels_path, allow_pickle=False)[:, 0]
            groups = np.load(params.groups_path, allow_pickle=False)
            # Look-alikes in two folds would flatter the figure for new shoots.
            model = taste.train(features, stars, groups, params.seed, look_alike=burst_threshold(params.encoder))
            yield (
                claim,
                TastePayload(
                    encoder=params.encoder,
                    weights=model.weights.astype("<f4").tobytes(),
                    dim=len(model.weights),
                    bias=model.bias,
                    n_ratings=model.n_ratings,
                    tentative=model.tentative,
                    cv_rank_correlation=model.cv_rank_correlation,
                    cv_ungrouped=model.cv_ungrouped,
                    spread_factor=model.spread_factor,
                    alpha=model.alpha,
                ),
            )

    def close(self) -> None:
        """Holds nothing."""
