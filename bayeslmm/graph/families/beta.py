"""Beta of mean mu and precision phi."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Beta(Node):
    """Beta of mean mu and precision phi."""

    name: ClassVar[str] = "beta"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        mu, phi = given.mu, given.parameters["phi"]
        return "Beta", {"alpha": mu * phi, "beta": (1 - mu) * phi}
