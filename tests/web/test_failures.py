"""When the next attempt comes."""

from __future__ import annotations

import random

from web.results.failures import FIRST_RETRY_S, LONGEST_RETRY_S, backoff_s


def test_each_attempt_waits_longer_within_its_jitter_and_never_beyond_the_longest() -> None:
    rng = random.Random(1)
    for attempt in range(1, 30):
        longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** (attempt - 1))
        delays = [backoff_s(attempt, rng) for _ in range(50)]
        assert min(delays) >= longest / 2
        assert max(delays) <= longest
        assert len({round(d, 6) for d in delays}) > 1
