"""The test of uniformity is exact: every set of ranks counted out, and the size of the band."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from bayeslmm.diagnostics.uniform import reference


@pytest.mark.parametrize(("n", "size"), [(1, 3), (4, 3), (7, 2), (5, 4)])
def test_p_values_count_all_sets_of_ranks(n: int, size: int) -> None:
    test = reference(n, size)
    found = np.array(
        [test.statistic(np.array(ranks)) for ranks in product(range(size + 1), repeat=n)]
    )
    for statistic in np.unique(found):
        share = np.mean(found <= statistic * (1 + 1e-6))
        assert test.reached(statistic) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize(("n", "size"), [(7, 2), (5, 4), (6, 3)])
def test_the_band_covers_what_it_says_and_no_narrower_one_does(n: int, size: int) -> None:
    test, level = reference(n, size), 0.8
    low, high = test.band(level)
    counts = np.array(
        [
            np.cumsum(np.bincount(ranks, minlength=size + 1))[:size]
            for ranks in product(range(size + 1), repeat=n)
        ]
    )
    share = counts / n
    inside = np.all((share >= low) & (share <= high), axis=1)
    assert inside.mean() >= level
    worst = np.array([test.tails[c, np.arange(size)].min() for c in counts[inside]]).min()
    narrower = np.array([test.tails[c, np.arange(size)].min() > worst * (1 + 1e-6) for c in counts])
    assert narrower.mean() < level


def test_p_values_of_uniform_ranks_are_uniform_and_of_others_small() -> None:
    rng = np.random.default_rng(1)
    n, size, sets = 200, 99, 400
    test = reference(n, size)
    p = np.array([test.p_value(rng.integers(0, size + 1, n)) for _ in range(sets)])
    for level in (0.05, 0.5):
        error = np.sqrt(level * (1 - level) / sets)
        assert abs(np.mean(p <= level) - level) < 4 * error
    draws = rng.normal(size=(n, size))
    narrow = (0.67 * draws < rng.normal(size=n)[:, None]).sum(axis=1)
    shifted = (draws + 0.5 < rng.normal(size=n)[:, None]).sum(axis=1)
    assert max(test.p_value(narrow), test.p_value(shifted)) < 1e-4
