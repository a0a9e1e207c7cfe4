"""What correlations that fall with distance share: a range, and a nugget where one is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import Correlation, Floats, Ints, Parameter, Places, distances
from bayeslmm.priors import LogNormal, Uniform

RANGES = (0.03, 0.3, 1.0)  # of the farthest distance: where a search may begin, beside its start
SPREAD = 1.5  # of the log range a priori, about a tenth of the way between the farthest places


@dataclass(frozen=True)
class Decay(Correlation):
    """A correlation `shape(distance / range)`, times 1 - nugget between different places.

    Attributes
    ----------
    nugget : bool
        Whether a share of the variance is each place's own.
    """

    nugget: bool = False
    places: ClassVar[str] = "points"

    def shape(self, scaled: Floats, values: Floats) -> Floats:
        """Correlations without the nugget at distances in units of the range, (S, m, k), element
        by element."""
        raise NotImplementedError

    def further(self) -> tuple[Parameter, ...]:
        """Parameters between the range and the nugget."""
        return ()

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        near, far = places.reach
        prior = LogNormal(float(f"{np.log(0.1 * far):.4g}"), SPREAD)
        # too short a range would be a plateau: nothing correlates
        start = float(f"{max(near, 0.1 * far):.3g}")
        own = (Parameter("range", 0.0, np.inf, start, prior), *self.further())
        if not self.nugget:
            return own
        return (*own, Parameter("nugget", 0.0, 1.0, 0.2, Uniform(0.0, 1.0)))

    def starts(self, places: Places) -> Floats:
        near, far = places.reach
        usual = np.array([p.start for p in self.parameters(places)])
        ranges = [usual[0], *np.clip(np.array(RANGES) * far, near, far)]
        return np.array([[r, *usual[1:]] for r in dict.fromkeys(ranges)])

    def matrix(self, values: Floats, places: Places) -> Floats:
        return self.parts(values, places, np.arange(len(places))[None])[:, 0]

    def parts(self, values: Floats, places: Places, which: Ints) -> Floats:
        sets, k = which.shape
        apart = distances(places.at[which]).reshape(-1, k)
        out = self.shape(apart / values[:, 0, None, None], values)
        if self.nugget:
            out = out * (1.0 - values[:, -1, None, None])
        out = out.reshape(-1, sets, k, k)
        return np.asarray(np.where(np.eye(k, dtype=bool), 1.0, out))
