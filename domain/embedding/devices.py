"""Where a network runs, and in which precision."""

from __future__ import annotations

import time
from collections.abc import Callable

_WIDTH, _TOKENS, _ROUNDS = 1024, 514, 3
_WORTH_IT = 0.8
"""bfloat16 must take at most this share of float32's time."""


def pick_device(device: str) -> str:
    """`auto` is cuda, else mps, else cpu."""
    import torch

    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def set_threads(threads: int) -> None:
    """Threads of one network call; 0 leaves torch's own choice."""
    import torch

    if threads > 0:
        torch.set_num_threads(threads)


def clip_precision(device: str) -> str:
    """open_clip's name for it: half precision on a GPU, bfloat16 on a processor that is measurably faster with it."""
    if device == "cuda":
        return "fp16"
    return "bf16" if device == "cpu" and bfloat16_is_faster() else "fp32"


def bfloat16_is_faster() -> bool:
    """Measures one transformer-sized product in both precisions, about 50 ms."""
    import torch

    def seconds(dtype: torch.dtype) -> float:
        tokens, weights = torch.ones(_TOKENS, _WIDTH, dtype=dtype), torch.ones(4 * _WIDTH, _WIDTH, dtype=dtype)
        return _best(lambda: torch.nn.functional.linear(tokens, weights))

    with torch.inference_mode():
        return seconds(torch.bfloat16) < _WORTH_IT * seconds(torch.float32)


def _best(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
