"""`curate`: what the vision model states about a preview."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from consumers.previews import preview_of
from consumers.stage import Outcome
from contracts.claims import ClaimCheck, CurateParams
from contracts.results import CuratePayload
from contracts.settings import Settings
from domain import curation


class Curate:
    name = "curate"
    batch = 1
    encoder: str | None = None

    def __init__(self, settings: Settings) -> None:
        self.slots = settings.slots or 1
        self._client = curation.make_client(
            settings.llm_base_url,
            settings.llm_api_key.get_secret_value(),
            settings.llm_model,
            settings.llm_mode,
            settings.llm_timeout_s,
        )

    def run(self, claims: Sequence[ClaimCheck]) -> Iterator[Outcome]:
        for claim in claims:
            params = CurateParams.model_validate(claim.params)
            facts = curation.curate(preview_of(claim), params.filename, self._client)
            yield claim, CuratePayload.model_validate(facts.model_dump() | {"model": self._client.model})

    def close(self) -> None:
        """Holds nothing."""
