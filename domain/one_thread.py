"""Linear algebra on one thread.

Hundreds of small decompositions: threads that wait for each other take longer than one that does not, and a hundred
times longer beside an import that keeps every core busy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

_P = ParamSpec("_P")
_T = TypeVar("_T")


def on_one_thread(work: Callable[_P, _T]) -> Callable[_P, _T]:
    """`work`, during which BLAS and LAPACK of this process use one thread."""

    @wraps(work)
    def alone(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with threadpool_limits(1, user_api="blas"):
            return work(*args, **kwargs)

    return alone


def each_in_a_thread(work: Callable[[_T], None], items: Iterable[_T]) -> None:
    """`work` on each of `items`, as many at a time as there are processors: decompositions that are independent."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(work, items):
            pass
