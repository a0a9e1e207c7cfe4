"""Beta-binomial of mean mu and precision phi."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class BetaBinomial(Node):
    """Beta-binomial of mean mu and precision phi."""

    name: ClassVar[str] = "beta_binomial"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        mu, phi = given.mu, given.parameters["phi"]
        return "BetaBinomial", {"n": given.trials, "alpha": mu * phi, "beta": (1 - mu) * phi}
