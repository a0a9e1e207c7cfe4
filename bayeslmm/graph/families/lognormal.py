"""Log-normal: mu is the mean of the logarithm."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class LogNormal(Node):
    """Log-normal: mu is the mean of the logarithm."""

    name: ClassVar[str] = "lognormal"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        return "LogNormal", {"mu": given.mu, "sigma": given.parameters["sigma"]}
