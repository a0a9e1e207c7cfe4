"""Binomial, without leaving the scale of log odds."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Binomial(Node):
    """Binomial, without leaving the scale of log odds."""

    name: ClassVar[str] = "binomial"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        return "Binomial", {"n": given.trials, "logit_p": given.log_odds}
