"""Gamma of mean mu."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class Gamma(Node):
    """Gamma of mean mu."""

    name: ClassVar[str] = "gamma"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        shape = given.parameters["shape"]
        return "Gamma", {"alpha": shape, "beta": shape / given.mu}
