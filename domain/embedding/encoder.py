"""What every encoder offers, and what its name tells without loading it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Tower = Literal["image", "text"]
Device = Literal["auto", "cpu", "cuda", "mps"]

BUNDLED = "efficientnet-lite2"
"""Comes with its weights in a Python package; no text tower."""
RANDOM = "random"
"""`MODEL/random`: an open_clip model with random weights, for tests and benchmarks only."""

BUNDLED_BURST_THRESHOLD = 0.90
CLIP_BURST_THRESHOLD = 0.95


class Encoder(Protocol):
    """Turns pictures, and with a text tower words, into unit vectors. Vectors of two encoders are never compared."""

    name: str
    dim: int
    has_text: bool
    burst_threshold: float
    """Cosine at or above which two frames show the same thing."""

    def prepare(self, picture: Path | str | NDArray[np.uint8]) -> Pixels:
        """Decodes and scales one preview, uint8 (size, size, 3) RGB; without the network, so that it can run ahead
        in other threads. `picture`: a JPEG's path, or uint8 (h, w, 3). Raises PermanentError naming the file."""
        ...

    def encode_images(self, prepared: Sequence[Pixels] | NDArray[np.uint8]) -> Vectors:
        """Float32 (n, dim), L2-normalised, of n arrays from `prepare`."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Float32 (n, dim), L2-normalised. Raises PermanentError where the encoder has no text tower."""
        ...


def clip_name(model_name: str, pretrained: str) -> str:
    """`ViT-L-14/laion2b_s32b_b82k`: the name under which an open_clip model's vectors are kept."""
    return f"{model_name}/{pretrained}" if pretrained else model_name


def split_clip_name(name: str) -> tuple[str, str]:
    """Model name and pretrained tag (or path). `hf-hub:` and `local-dir:` models carry their weights in the name."""
    if name.startswith(("hf-hub:", "local-dir:")):
        return name, ""
    model_name, _, pretrained = name.partition("/")
    return model_name, pretrained


def burst_threshold(name: str) -> float:
    """The similarity threshold of an encoder by its name, without loading it."""
    return BUNDLED_BURST_THRESHOLD if name == BUNDLED else CLIP_BURST_THRESHOLD


def unit(vectors: NDArray[Any]) -> Vectors:
    """Rows scaled to length 1; zeros stay zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return scaled
