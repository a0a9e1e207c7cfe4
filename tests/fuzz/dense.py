"""The dense answers at the parameters that a fit reports, in extended precision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import bayeslmm as bl
from bayeslmm.model.names import group_names
from tests.unit.gaussian.oracle import LOG_2PI, log_det, lower_of, solve_by

Wide = NDArray[np.longdouble]


@dataclass(frozen=True)
class Part:
    """A grouping factor's effects: codes and values by row, and the effects' covariance."""

    label: str
    codes: NDArray[np.intp]
    values: Wide
    G: Wide
    n_levels: int


@dataclass(frozen=True)
class Dense:
    """The rows in the likelihood with V at the reported standard deviations and correlations."""

    X: Wide
    y: Wide
    V: Wide
    parts: tuple[Part, ...]

    def loglik(self, reml: bool) -> float:
        """The (restricted) log-likelihood; NaN where V is singular in extended precision."""
        n, p = self.X.shape
        lower = lower_of(self.V)
        scale = np.sqrt((self.X**2).sum(0)) if p else np.ones(0, np.longdouble)
        A = self.X / scale
        precision = lower_of(A.T @ solve_by(lower, A))
        b = solve_by(precision, A.T @ solve_by(lower, self.y))
        rest = self.y - A @ b
        value = log_det(lower) + float(rest @ solve_by(lower, rest)) + n * LOG_2PI
        if reml:
            value += log_det(precision) + 2 * float(np.log(scale).sum()) - p * LOG_2PI
        return -0.5 * value

    def closed_form(self, kappa: float) -> tuple[Wide, Wide, list[Wide]]:
        """Posterior means and sds of beta under N(0, 1/kappa), and the effects' means."""
        p = self.X.shape[1]
        lower = lower_of(self.V)
        scale = np.sqrt((self.X**2).sum(0)) + (kappa > 0)
        A = self.X / scale
        precision = lower_of(
            A.T @ solve_by(lower, A) + np.diag(np.longdouble(kappa) / scale**2).reshape(p, p)
        )
        beta = solve_by(precision, A.T @ solve_by(lower, self.y))
        spread = solve_by(precision, np.eye(p, dtype=np.longdouble))
        rest = solve_by(lower, self.y - A @ beta)
        effects = []
        for part in self.parts:
            u = np.zeros((part.n_levels, len(part.G)), np.longdouble)
            np.add.at(u, part.codes, part.values * rest[:, None])
            effects.append(u @ part.G)
        return beta / scale, np.sqrt(np.diag(spread)) / scale, effects


def dense_of(model: bl.Model, fit: bl.Fit, columns: list[int]) -> Dense:
    """The dense model at a fit's reported parameters; independent residuals only."""
    resolved = model.resolved
    design, used = resolved.design, resolved.used
    tree = fit.tree["estimate"].dataset
    sigma = np.longdouble(1.0 if resolved.sigma_known else float(tree["sigma"]))
    V = np.diag(sigma**2 / resolved.precision_weights[used].astype(np.longdouble))
    parts = []
    for block, names in zip(design.blocks, group_names(resolved), strict=True):
        sd = np.asarray(tree[names.sd].values, np.longdouble)[list(names.sd_of)]
        correlation = np.eye(block.n_coefs, dtype=np.longdouble)
        if names.pairs:
            for (i, j), value in zip(names.pairs, tree[names.cor].values, strict=True):
                correlation[i, j] = correlation[j, i] = np.nan_to_num(value)
        part = Part(
            names.label,
            block.codes[used],
            block.values[used].astype(np.longdouble),
            sd[:, None] * correlation * sd,
            block.n_levels,
        )
        same = part.codes[:, None] == part.codes[None, :]
        V = V + (part.values @ part.G @ part.values.T) * same
        parts.append(part)
    y = (design.y - design.offset)[used].astype(np.longdouble)
    return Dense(design.X[used][:, columns].astype(np.longdouble), y, V, tuple(parts))
