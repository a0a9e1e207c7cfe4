"""Beta-binomial of mean mu and precision phi."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node
from bayeslmm.graph.families.shapes import shapes


class BetaBinomial(Node):
    """Beta-binomial of mean mu and precision phi.

    PyMC's own density adds a shape to a count, as n - y + beta; the numba backend is free to
    take it as (n + beta) - y, and a small shape is then lost: the density is infinite.
    """

    name: ClassVar[str] = "beta_binomial"

    def variable(self, name: str, given: Given, **options: Any) -> Any:
        import pymc as pm

        s = shapes(given)
        return pm.CustomDist(
            name, given.trials, s["alpha"], s["beta"], dist=_drawn, logp=_log_density,
            class_name="BetaBinomial", dtype="int64", **options,
        )  # fmt: skip


def _drawn(trials: Any, alpha: Any, beta: Any, size: Any) -> Any:
    import pymc as pm

    return pm.BetaBinomial.dist(n=trials, alpha=alpha, beta=beta, size=size)


def _log_density(value: Any, trials: Any, alpha: Any, beta: Any) -> Any:
    import pytensor.tensor as pt

    failed = trials - value
    choose = pt.gammaln(trials + 1) - pt.gammaln(value + 1) - pt.gammaln(failed + 1)
    a = pt.switch(value > 0, value + alpha, alpha)
    b = pt.switch(failed > 0, failed + beta, beta)
    found = choose + _log_beta(a, b) - _log_beta(alpha, beta)
    return pt.switch((value >= 0) & (failed >= 0), found, -float("inf"))


def _log_beta(a: Any, b: Any) -> Any:
    import pytensor.tensor as pt

    return pt.gammaln(a) + pt.gammaln(b) - pt.gammaln(a + b)
