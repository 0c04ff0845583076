"""A taste in words: which of some hundred words, compared with pictures by the encoder's text tower, tell its order.

The model's points are fitted by few words, one at a time, the one that tells most of what is left (orthogonal matching
pursuit; Pati, Rezaiifar and Krishnaprasad 1993). What a photograph has of each word's points, and what no word tells,
sum to its points. Words describe the model; they take no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

MOST = 5
"""Words at most; more of them tell little and say less."""
_WORTH = 0.02
"""Of the points' variance, what another word must tell."""
_RIDGE = 1e-3
"""Of a word's own variance: two words that mean the same do not cancel each other with large numbers."""

NEUTRAL = "a photograph"
"""Texts lie apart from pictures in an encoder's space; less this one, only what they say is left."""
VOCABULARY: tuple[str, ...] = (
    # what is seen
    "a person", "a portrait", "a face", "a child", "an old person", "a couple", "a crowd", "a family", "hands",
    "a nude", "a musician", "a worker", "a wedding", "a party", "a demonstration", "sport", "dance", "an animal",
    "a dog", "a cat", "a horse", "a bird", "an insect", "a flower", "a tree", "a forest", "leaves", "a garden",
    "a field", "a landscape", "mountains", "rocks", "the sea", "a beach", "a river", "a lake", "a waterfall", "the sky",
    "clouds", "the sun", "the moon", "stars at night", "rain", "snow", "fog", "fire", "smoke", "a street", "a city",
    "a village", "a skyline", "a building", "a house", "a church", "a ruin", "a factory", "a bridge", "a tower",
    "stairs", "a window", "a door", "a room", "a car", "a bicycle", "a train", "a ship", "an aeroplane", "a road",
    "a railway", "food", "a still life", "a sculpture", "a painting", "writing", "a poster", "a machine",
    # how it is seen
    "black and white", "strong colours", "pale colours", "high contrast", "low contrast", "dark", "bright",
    "a silhouette", "shadows", "backlight", "soft light", "hard light", "flash light", "golden light", "blue light",
    "neon light", "candlelight", "reflections", "symmetry", "lines", "a pattern", "texture", "an abstract picture",
    "empty space", "many small things", "a close-up", "a wide view", "seen from above", "seen from below",
    "a blurred background", "motion blur", "grain", "out of focus", "a double exposure", "a crooked horizon",
    # what it is like
    "joyful", "sad", "lonely", "calm", "tense", "tender", "funny", "strange", "dreamlike", "solemn", "old-fashioned",
    "posed", "a snapshot",
)  # fmt: skip


def prompt(word: str) -> str:
    """How the text tower is asked about `word`."""
    return f"a photograph of {word}" if word.startswith(("a ", "an ", "the ")) else f"a photograph, {word}"


@dataclass(frozen=True, eq=False)
class InWords:
    """`(v - centre) @ directions.T * factors`: the points of each chosen word for a photograph `v`."""

    chosen: tuple[int, ...]
    """Rows of the vocabulary, the one that tells most first."""
    factors: Float
    """(len(chosen),) points for each unit along the word."""
    directions: Float
    """(len(chosen), d) unit vectors."""
    centre: Float
    """(d,) of the rated vectors."""

    def points(self, vector: Float) -> Float:
        """(len(chosen),) points of each word for one (d,) vector."""
        told: Float = self.factors * (self.directions @ (vector - self.centre))
        return told


def told_by(words: Float, neutral: Float, rated: Float, points: Float) -> InWords:
    """Words for (n,) `points` about their mean of (n, d) `rated` vectors.

    `words`: (k, d) and `neutral`: (d,) of the same encoder's text tower. None is chosen where none tells 2 % of the
    points' variance.
    """
    centre = rated.mean(axis=0)
    directions = words - neutral
    directions = directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    likeness = (rated - centre) @ directions.T
    about: Float = points - points.mean()
    chosen: list[int] = []
    factors = np.zeros(0)
    left: Float = about
    while len(chosen) < MOST:
        better = _most_telling(likeness, left, chosen)
        tried = _fitted(likeness[:, [*chosen, better]], about)
        rest: Float = about - likeness[:, [*chosen, better]] @ tried
        if (left**2).sum() - (rest**2).sum() <= _WORTH * max((about**2).sum(), 1e-12):
            break
        chosen, factors, left = [*chosen, better], tried, rest
    return InWords(tuple(chosen), factors, directions[chosen], centre)


def _most_telling(likeness: Float, left: Float, chosen: list[int]) -> int:
    spread = np.maximum(np.linalg.norm(likeness, axis=0), 1e-12)
    told = np.abs(likeness.T @ left) / spread
    told[chosen] = -1.0
    return int(told.argmax())


def _fitted(likeness: Float, points: Float) -> Float:
    square = likeness.T @ likeness
    ridge = np.diag(_RIDGE * np.diag(square) + 1e-12)
    return np.asarray(np.linalg.solve(square + ridge, likeness.T @ points), np.float64)
