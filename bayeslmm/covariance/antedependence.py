"""First-order antedependence: a correlation of its own for every two neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import Correlation, Floats, Ints, Parameter, Places
from bayeslmm.priors import Uniform


@dataclass(frozen=True)
class Antedependence(Correlation):
    """`ante`: neighbours correlate by rho1, rho2, …, and others by the product on the way
    (Gabriel, 1962, Ann. Math. Stat. 33(1))."""

    name: ClassVar[str] = "ante"
    homogeneous: ClassVar[bool] = False
    places: ClassVar[str] = "order"
    whole: ClassVar[bool] = True

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        return tuple(
            Parameter(f"rho{i}", -1.0, 1.0, 0.3, Uniform(-1.0, 1.0)) for i in range(1, len(places))
        )

    def matrix(self, values: Floats, places: Places) -> Floats:
        size, k = len(values), len(places)
        out = np.tile(np.eye(k), (size, 1, 1))
        for i in range(k):
            chain = np.cumprod(values[:, i:], axis=1)
            out[:, i, i + 1 :] = chain
            out[:, i + 1 :, i] = chain
        return out

    def steps(self, values: Floats, places: Places, before: Ints, after: Ints) -> Floats:
        return np.asarray(self.matrix(values, places)[:, before, after])

    def guess(self, correlation: Floats, places: Places) -> Floats:
        own = np.diag(correlation, 1)
        start = np.array([p.start for p in self.parameters(places)])
        return np.clip(np.where(np.isfinite(own), own, start), -1 + 1e-9, 1 - 1e-9)
