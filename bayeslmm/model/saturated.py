"""Random terms that are residuals by another name: one effect a row, `(0 + Day | Subject)`."""

from __future__ import annotations

import re

import numpy as np

from bayeslmm.design import Part, RandomBlock
from bayeslmm.formula.residual import RESIDUALS
from bayeslmm.formula.syntax import quoted


def as_residuals(block: RandomBlock, part: Part) -> str | None:
    """The ``residual=`` that has the covariance of a term with one row per effect; None where the
    term isn't one.

    Parameters
    ----------
    block : RandomBlock
    part : Part
        The term: coefficients of the levels of one factor, that each level of the grouping factor
        has in one row at most.
    """
    if part.structure not in RESIDUALS:
        return None
    coefs = [block.coefs[c] for c in part.columns]
    factors = {coef.partition("[")[0] for coef in coefs if coef != "Intercept"}
    plain = all(coef.endswith("]") and ":" not in coef for coef in coefs if coef != "Intercept")
    if len(factors) != 1 or not plain or ("Intercept" in coefs and part.structure != "us"):
        return None
    values = block.values[:, list(part.columns)]
    cell = np.unique(values, axis=0, return_inverse=True)[1].ravel()
    if cell.max(initial=0) >= len(coefs):
        return None
    if len(np.unique(block.codes * len(coefs) + cell)) < len(cell):
        return None
    factor = quoted(_column(factors.pop()))
    if part.structure == "diag":
        return f"diag({factor})"
    return f"{part.structure}({factor} | {':'.join(map(quoted, block.group.split(':')))})"


def _column(factor: str) -> str:
    """The column of a factor: ``Days`` of ``C(Days)`` and of ``C(Days, contr.sum)``."""
    found = re.fullmatch(r"C\((?:`([^`]+)`|([^,()`]+))(?:,.*)?\)", factor)
    return factor if found is None else (found[1] or found[2]).strip()
