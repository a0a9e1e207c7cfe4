"""Normal."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Gaussian(Node):
    """Normal."""

    name: ClassVar[str] = "gaussian"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        return "Normal", {"mu": given.mu, "sigma": given.parameters["sigma"]}
