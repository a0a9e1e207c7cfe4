"""Exponential of mean mu."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Exponential(Node):
    """Exponential of mean mu."""

    name: ClassVar[str] = "exponential"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        return "Exponential", {"lam": 1.0 / given.mu}
