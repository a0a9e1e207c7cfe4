"""Beta of mean mu and precision phi."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node
from bayeslmm.graph.families.shapes import shapes


class Beta(Node):
    """Beta of mean mu and precision phi."""

    name: ClassVar[str] = "beta"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        return "Beta", shapes(given)
