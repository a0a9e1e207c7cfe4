"""Negative binomial of mean mu."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class NegativeBinomial(Node):
    """Negative binomial of mean mu."""

    name: ClassVar[str] = "negative_binomial"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        return "NegativeBinomial", {"mu": given.mu, "alpha": given.parameters["shape"]}
