"""`taste`: trains on the matrices of everything that was rated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from consumers.stage import Outcome
from contracts.claims import ClaimCheck, TasteParams
from contracts.results import TasteJudgement, TastePayload
from contracts.settings import Settings
from domain import taste
from domain.embedding.encoder import burst_threshold
from domain.taste_judgement import Judgement


class Taste:
    name = "taste"
    slots = 1
    batch = 1
    encoder: str | None = None

    def __init__(self, settings: Settings) -> None:
        """No settings of its own."""

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        for claim in claims:
            yield claim, _learnt(TasteParams.model_validate(claim.params))

    def close(self) -> None:
        """Holds nothing."""


def _learnt(params: TasteParams) -> TastePayload:
    model = taste.train(
        np.load(params.features_path, mmap_mode="r", allow_pickle=False),
        np.load(params.labels_path, allow_pickle=False)[:, 0],
        np.load(params.groups_path, allow_pickle=False),
        params.seed,
        # Look-alikes in two folds would flatter the figure for new shoots.
        look_alike=burst_threshold(params.encoder),
        archive=np.load(params.archive_path, mmap_mode="r", allow_pickle=False),
        judged=params.judged,
    )
    return TastePayload(
        encoder=params.encoder,
        weights=model.weights.astype("<f4").tobytes(),
        dim=len(model.weights),
        bias=model.bias,
        n_ratings=model.n_ratings,
        tentative=model.tentative,
        spread_factor=model.spread_factor,
        mean=model.mean,
        centre=model.centre.astype("<f4").tobytes(),
        lens=model.lens.astype("<f2").tobytes(),
        judgement=_judgement(model.judgement),
    )


def _judgement(judged: Judgement | None) -> TasteJudgement | None:
    if judged is None:
        return None
    return TasteJudgement(
        on_new_shoots=judged.on_new_shoots,
        on_rated_shoots=judged.on_rated_shoots,
        chance=judged.chance,
        left_out=judged.left_out.astype("<f4").tobytes(),
        curve=judged.curve,
    )
