"""The contract of a response family."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Family:
    """A response distribution given its linear predictor. Subclasses are stateless."""

    name: ClassVar[str] = ""
    links: ClassVar[tuple[str, ...]] = ()
    has_sigma: ClassVar[bool] = False

    def simulate(self, mean: Floats, scale: Floats, rng: np.random.Generator) -> Floats:
        """New responses at the given means."""
        raise NotImplementedError

    def log_density(self, y: Floats, mean: Floats, scale: Floats) -> Floats:
        """Log density of each response."""
        raise NotImplementedError
