"""Priors over all slopes together, with scales of their own that are drawn with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.errors import PriorError
from bayeslmm.priors.base import Floats, Prior

Drawn = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class JointPrior(Prior):
    """A density over K slopes: ``beta_k = z_k scale_k``, z standard normal.

    The scales depend on what is drawn beside z, and are in units of the columns, so that the
    units of covariates don't matter. Values stand in a mapping, S points first: ``z``, shape
    (S, K), and each of the density's own parameters.
    """

    support: ClassVar[str] = "slopes"

    def scales(self, values: Mapping[str, Floats], unit: Floats) -> Floats:
        """Standard deviation of every slope given the rest, shape (S, K).

        Parameters
        ----------
        values : mapping
        unit : ndarray, shape (K,) or (S, K)
            The slope that moves the predictor by one unit of its scale over a column's sd.
        """
        raise NotImplementedError

    def own_draws(self, rng: np.random.Generator, size: int, count: int) -> Drawn:
        """The density's own parameters for `count` slopes, `size` points."""
        raise NotImplementedError

    def own_log_density(self, values: Mapping[str, Floats]) -> Floats:
        """Log density of the density's own parameters, shape (S,)."""
        raise NotImplementedError

    def draw_slopes(
        self, rng: np.random.Generator, size: int, unit: Floats
    ) -> tuple[Floats, Drawn]:
        """Slopes, shape (size, K), and what they were made from."""
        count = unit.shape[-1]
        values = self.own_draws(rng, size, count) | {"z": rng.standard_normal((size, count))}
        return values["z"] * self.scales(values, unit), values

    def joint_log_density(self, values: Mapping[str, Floats]) -> Floats:
        """Log density of all that is drawn, shape (S,)."""
        z = values["z"]
        normal = -0.5 * np.sum(z**2, axis=-1) - 0.5 * z.shape[-1] * np.log(2 * np.pi)
        return np.asarray(normal + self.own_log_density(values))

    def log_density(self, x: Floats) -> Floats:
        raise PriorError(f"Prior {self.name!r} is joint over all slopes: one slope has no density")

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        raise PriorError(f"Prior {self.name!r} is a joint prior of all slopes: use draw_slopes")
