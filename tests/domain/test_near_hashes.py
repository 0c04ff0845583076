"""Near hashes are all found, and no others."""

from __future__ import annotations

import numpy as np
import pytest

from domain.near_hashes import FARTHEST, near_pairs


@pytest.mark.parametrize("reach", [0, 3, FARTHEST])
def test_every_pair_within_reach_is_found_as_comparing_all_finds_it(reach: int) -> None:
    rng = np.random.default_rng(reach)
    seeds = rng.integers(0, 2**63, 60, dtype=np.uint64)
    flips = [rng.choice(64, rng.integers(0, 11), replace=False) for _ in range(600)]
    hashes = seeds[rng.integers(0, 60, 600)] ^ np.array([sum(1 << int(b) for b in f) for f in flips], np.uint64)
    asking = rng.random(600) < 0.5
    i, j = np.triu_indices(600, 1)
    near = (np.bitwise_count(hashes[i] ^ hashes[j]) <= reach) & (asking[i] | asking[j])

    found = near_pairs(hashes, asking, reach)

    assert found.tolist() == np.stack([i[near], j[near]], axis=1).tolist()
    assert len(found) > 0


def test_what_four_bands_cannot_find_is_refused() -> None:
    with pytest.raises(ValueError, match="8 bits"):
        near_pairs(np.zeros(2, np.uint64), np.ones(2, bool), FARTHEST + 1)


def test_an_empty_archive_has_no_pairs() -> None:
    assert near_pairs(np.empty(0, np.uint64), np.empty(0, bool), 3).shape == (0, 2)
