"""Binomial; on the logit link without leaving its scale."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Binomial(Node):
    """Binomial; on the logit link without leaving its scale."""

    name: ClassVar[str] = "binomial"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        if given.link == "logit":
            return "Binomial", {"n": given.trials, "logit_p": given.eta}
        return "Binomial", {"n": given.trials, "p": given.mu}
