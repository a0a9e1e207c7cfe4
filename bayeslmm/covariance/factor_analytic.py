"""Factor-analytic correlations: a few common factors and what is specific to each place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import Correlation, Floats, Parameter, Places
from bayeslmm.errors import ModelError
from bayeslmm.priors import Uniform


@dataclass(frozen=True)
class FactorAnalytic(Correlation):
    """`fa`: the correlation of two places is the product of their rows of standardised loadings.

    The numbers are partial loadings: the first is the loading on factor 1, and the next is that
    on factor 2 in units of what factor 1 leaves of the place's unit variance, and so on. Loadings
    above the diagonal are zero and those on it are positive, which fixes rotation and sign.

    Attributes
    ----------
    k : int
        Common factors.
    """

    k: int = 1
    name: ClassVar[str] = "fa"
    homogeneous: ClassVar[bool] = False
    whole: ClassVar[bool] = True

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        n = len(places)
        if self.k >= n or n * self.k - self.k * (self.k - 1) // 2 > n * (n - 1) // 2:
            raise ModelError(
                f"fa(k={self.k}) has more loadings than {n} coefficients have correlations",
                hint="Use fewer factors, or us()",
            )
        out = []
        for i, f in self._free(n):
            lower = 0.0 if i == f else -1.0
            prior = Uniform(lower, 1.0)
            name = f"loading{f + 1}({places.labels[i]})"
            out.append(Parameter(name, lower, 1.0, 0.5 if f == 0 else 0.2, prior))
        return tuple(out)

    def loadings(self, values: Floats, n: int) -> Floats:
        """Standardised loadings, shape (S, n, k)."""
        partial = np.zeros((len(values), n, self.k))
        for at, (i, f) in enumerate(self._free(n)):
            partial[:, i, f] = values[:, at]
        left = np.cumprod(np.sqrt(1 - partial[:, :, :-1] ** 2), axis=2)
        partial[:, :, 1:] *= left
        return partial

    def matrix(self, values: Floats, places: Places) -> Floats:
        n = len(places)
        loadings = self.loadings(values, n)
        out = loadings @ loadings.swapaxes(1, 2)
        out[:, np.arange(n), np.arange(n)] = 1.0
        return out

    def near(self, correlation: Floats, places: Places) -> Floats:
        known = np.where(np.isfinite(correlation), correlation, np.eye(len(places)))
        values, vectors = np.linalg.eigh(known)
        sizes = np.sqrt(np.clip(values[::-1][: self.k], 0.0, None))
        leading = vectors[:, ::-1][:, : self.k] * sizes
        turned = np.linalg.qr(leading[: self.k].T)[0]
        loadings = leading @ turned
        loadings = loadings * np.where(np.diag(loadings) < 0, -1.0, 1.0)
        left = np.ones(len(places))
        out = []
        for f in range(self.k):
            partial = np.clip(loadings[:, f] / np.sqrt(left), -0.95, 0.95)
            left = left * (1 - partial**2)
            out.append(np.append(max(partial[f], 0.05), partial[f + 1 :]))
        return np.concatenate(out)

    def _free(self, n: int) -> list[tuple[int, int]]:
        return [(i, f) for f in range(self.k) for i in range(f, n)]
