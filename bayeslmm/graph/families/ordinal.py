"""Ordered categories by cutpoints."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node
from bayeslmm.graph.links import inverse


class Ordinal(Node):
    """Ordered categories by cutpoints."""

    name: ClassVar[str] = "ordinal"

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:

        gaps = given.parameters["cutpoint"][None, :] - given.eta[:, None]
        return "Categorical", {"p": probabilities(gaps, given.link)}


def probabilities(gaps: Any, link: str) -> Any:
    """Of each category, shape (n, K), from cutpoints less the predictor, shape (n, K - 1).

    Upper categories are taken from the upper tail, where differences keep their digits.
    """
    import pytensor.tensor as pt

    below = inverse(link, gaps)
    above = pt.exp(-pt.exp(gaps)) if link == "cloglog" else inverse(link, -gaps)
    first, last = below[:, :1], above[:, -1:]
    inner = pt.switch(gaps[:, :-1] > 0, above[:, :-1] - above[:, 1:], below[:, 1:] - below[:, :-1])
    return pt.concatenate([first, inner, last], axis=1)
