"""Bernoulli, without leaving the scale of log odds."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Bernoulli(Node):
    """Bernoulli, without leaving the scale of log odds."""

    name: ClassVar[str] = "bernoulli"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        return "Bernoulli", {"logit_p": given.log_odds}
