"""Unordered categories."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Categorical(Node):
    """Unordered categories."""

    name: ClassVar[str] = "categorical"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        import pytensor.tensor as pt

        first = pt.zeros_like(given.eta[:, :1])
        return "Categorical", {"logit_p": pt.concatenate([first, given.eta], axis=1)}
