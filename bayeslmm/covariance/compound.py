"""Compound symmetry: every two places correlate the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import Correlation, Floats, Parameter, Places
from bayeslmm.priors import Uniform


@dataclass(frozen=True)
class CompoundSymmetry(Correlation):
    """`cs`: rho between -1/(k - 1) and 1, k the number of places."""

    name: ClassVar[str] = "cs"
    homogeneous: ClassVar[bool] = False
    whole: ClassVar[bool] = True

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        if len(places) < 2:
            return ()
        least = -1.0 / (len(places) - 1)
        return (Parameter("rho", least, 1.0, 0.3, Uniform(least, 1.0)),)

    def matrix(self, values: Floats, places: Places) -> Floats:
        k = len(places)
        if k < 2:
            return np.ones((len(values), k, k))
        return np.asarray(np.where(np.eye(k, dtype=bool), 1.0, values[:, 0, None, None]))

    def guess(self, correlation: Floats, places: Places) -> Floats:
        k = len(places)
        if k < 2:
            return np.empty(0)
        known = correlation[np.tril(np.isfinite(correlation), -1)]
        mean = known.mean() if known.size else self.parameters(places)[0].start
        least = -1.0 / (k - 1)
        return np.array([np.clip(mean, least + 1e-9, 1 - 1e-9)])
