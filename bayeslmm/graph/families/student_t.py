"""Student-t about mu."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node


class StudentT(Node):
    """Student-t about mu."""

    name: ClassVar[str] = "student_t"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        p = given.parameters
        return "StudentT", {"nu": p["nu"], "mu": given.mu, "sigma": p["sigma"]}
