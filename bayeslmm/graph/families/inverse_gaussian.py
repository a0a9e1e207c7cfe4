"""Inverse Gaussian (Wald) of mean mu."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class InverseGaussian(Node):
    """Inverse Gaussian (Wald) of mean mu."""

    name: ClassVar[str] = "inverse_gaussian"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        return "Wald", {"mu": given.mu, "lam": given.parameters["shape"]}
