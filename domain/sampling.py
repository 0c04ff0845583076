"""Reproducible draws: the same seed and paths give the same sample, in whatever order the walk finds them."""

from __future__ import annotations

import hashlib

KEY_BYTES = 16


def draw_key(seed: int, root: str, rel_path: str) -> bytes:
    """`hash(seed, root, path)`, 16 bytes; a sample of n takes the n smallest keys."""
    text = f"{seed}\0{root}\0{rel_path}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=KEY_BYTES).digest()
