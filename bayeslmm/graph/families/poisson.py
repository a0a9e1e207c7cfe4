"""Poisson."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Poisson(Node):
    """Poisson."""

    name: ClassVar[str] = "poisson"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        return "Poisson", {"mu": given.mu}
