"""Are ranks uniform? A simultaneous test of their distribution function.

The statistic is that of Säilynoja, Bürkner & Vehtari (2022, Statistics and Computing 32:32,
sec. 2): the least of the pointwise binomial tail probabilities of the distribution function,
over all ranks. Its null distribution is exact: the counts of uniform ranks are independent Poisson
numbers given their total, so the probability that the distribution function keeps within bounds
is a chain of convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ranks = NDArray[np.integer]
FAR = 12.0  # standard deviations within which a Poisson number lies for certain, in doubles
HALVINGS = 40
SAME = 1e-9  # the two tails at mirrored counts are one number, but for rounding


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The distribution of the statistic under uniform ranks.

    Attributes
    ----------
    n : int
        How many ranks.
    size : int
        They lie in 0 … size.
    tails : ndarray, shape (n + 1, size)
        Twice the smaller tail probability of so many ranks (first axis) at most k (second).
    """

    n: int
    size: int
    tails: Floats

    def statistic(self, ranks: Ranks) -> float:
        """The least tail probability over all k."""
        counts = np.bincount(ranks, minlength=self.size + 1)
        cumulative = np.cumsum(counts)[: self.size]
        return float(self.tails[cumulative, np.arange(self.size)].min())

    def p_value(self, ranks: Ranks) -> float:
        """The probability that uniform ranks are as far off."""
        return self.reached(self.statistic(ranks))

    def reached(self, statistic: float) -> float:
        """The probability that uniform ranks have a statistic at or below this one."""
        kept = self._within(self.tails > statistic * (1 + SAME))
        return float(np.clip(1.0 - kept, 0.0, 1.0))

    def band(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Bounds that the distribution function keeps everywhere with probability `level`.

        Returns
        -------
        low, high : ndarray, shape (size,)
            For the share of ranks at most 0 … size - 1.
        """
        low, high = 0.0, 1.0 - level  # the least tail is at least as extreme as any one
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if self._within(self.tails > middle) >= level:
                low = middle
            else:
                high = middle
        inside = self.tails > low
        first = inside.argmax(axis=0)
        return first / self.n, (self.n - inside[::-1].argmax(axis=0)) / self.n

    def _within(self, allowed: NDArray[np.bool_]) -> float:
        """The probability that the counts at most 0 … size - 1 all are allowed."""
        mean = self.n / (self.size + 1)
        most = int(np.ceil(mean + FAR * np.sqrt(mean) + 4 * FAR))
        step = stats.poisson.pmf(np.arange(min(most, self.n) + 1), mean)
        chances = np.zeros(self.n + 1)
        chances[0] = 1.0
        for k in range(self.size):
            chances = np.convolve(chances, step)[: self.n + 1] * allowed[:, k]
        last = np.convolve(chances, step)[self.n]
        return float(last / stats.poisson.pmf(self.n, self.n))


@lru_cache(maxsize=8)
def reference(n: int, size: int) -> Reference:
    """The test for n ranks in 0 … size."""
    share = np.arange(1, size + 1) / (size + 1)
    counts = np.arange(n + 1)[:, None]
    lower = stats.binom.cdf(counts, n, share)
    upper = stats.binom.sf(counts - 1, n, share)
    return Reference(n, size, np.minimum(1.0, 2 * np.minimum(lower, upper)))
