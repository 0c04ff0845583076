"""The vocabulary that describes a taste, as vectors of an encoder: fetched once, while nobody waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from domain.taste_words import NEUTRAL, VOCABULARY, prompt
from web.text_search import NoTextTowerError, TextTower, has_text_tower

log = structlog.get_logger()


@dataclass(frozen=True, eq=False)
class Vocabulary:
    words: NDArray[np.float64]
    """(len(VOCABULARY), d)"""
    neutral: NDArray[np.float64]
    """(d,)"""


class WordVectors:
    """One a process. A hundred queries take the text tower half a minute: they go one by one, behind any search."""

    def __init__(self, tower: TextTower) -> None:
        self._tower = tower
        self._known: dict[str, Vocabulary] = {}
        self._fetching: dict[str, asyncio.Task[None]] = {}

    def of(self, encoder: str) -> Vocabulary | None:
        """The vocabulary as `encoder` sees it; None while it is fetched, which this begins, or where there is no text
        tower."""
        if encoder not in self._known and encoder not in self._fetching and has_text_tower(encoder):
            self._fetching[encoder] = asyncio.create_task(self._fetch(encoder))
        return self._known.get(encoder)

    async def _fetch(self, encoder: str) -> None:
        """What a missing `text` consumer leaves open is begun again when it is next asked for."""
        try:
            rows = [await self._tower.encode(text, encoder) for text in (NEUTRAL, *map(prompt, VOCABULARY))]
            vectors = np.stack(rows).astype(np.float64)
            self._known[encoder] = Vocabulary(vectors[1:], vectors[0])
        except NoTextTowerError as error:
            log.info("words_not_encoded", encoder=encoder, error=str(error))
        finally:
            del self._fetching[encoder]

    async def close(self) -> None:
        fetching = list(self._fetching.values())
        for task in fetching:
            task.cancel()
        await asyncio.gather(*fetching, return_exceptions=True)
