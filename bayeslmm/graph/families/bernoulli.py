"""Bernoulli; on the logit link without leaving its scale."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Bernoulli(Node):
    """Bernoulli; on the logit link without leaving its scale."""

    name: ClassVar[str] = "bernoulli"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        if given.link == "logit":
            return "Bernoulli", {"logit_p": given.eta}
        return "Bernoulli", {"p": given.mu}
