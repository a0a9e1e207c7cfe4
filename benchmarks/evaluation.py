"""One evaluation of the REML criterion: the one place here that looks inside the library."""

from __future__ import annotations

from collections.abc import Callable

import bayeslmm as bl
from bayeslmm.gaussian.profile import profile


def evaluator(model: bl.Model) -> Callable[[], object]:
    """The criterion and its gradient at one point, all that is done once a fit already done."""
    problem = profile(model.resolved, reml=True)
    start = problem.start()
    return lambda: problem(start)
