"""Method ``anova``: variance components by the method of moments, Henderson's method 3.

Each random term's reduction in the sum of squares is set equal to its expectation, in the order
of the formula's terms; BLUE and BLUP follow at these variances. The estimates are unbiased and
need no normal distribution, but may be negative: those are kept in the group ``anova`` of the
tree and taken as zero for beta and u.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.engines.base import Engine, fatal_findings, few_threads
from bayeslmm.engines.closed import estimate_at
from bayeslmm.errors import IdentifiabilityError, SingularWarning, warn
from bayeslmm.fit.covariances import sds_and_correlations
from bayeslmm.fit.tables import residual_dof
from bayeslmm.fit.tree import Components, FitValues, Interval, estimate_dataset, tree_of
from bayeslmm.gaussian.equations import equations
from bayeslmm.gaussian.henderson import (
    Reductions,
    components,
    expected_text,
    not_independent,
    reductions,
)
from bayeslmm.gaussian.oneway import not_oneway, oneway_of, sigma_interval
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model, not_gaussian
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]


class Anova(Engine):
    """Variance components by Henderson's method 3; BLUE of beta, BLUP of u at them."""

    name: ClassVar[str] = "anova"

    def refuse(self, model: Model) -> str | None:
        reason = not_gaussian(model, self.name)
        if reason is not None:
            return reason
        if model.residual is not None:
            return (
                "'anova' needs independent residuals with one variance; for a residual structure "
                "use 'reml'."
            )
        if model.kin:
            return (
                f"'anova' needs independent levels, and {', '.join(model.kin)} has a relationship "
                "matrix; use 'reml'."
            )
        if model.sigma_known:
            return (
                "'anova' estimates sigma from the residual sum of squares and can't be combined "
                "with known_sd; use 'reml'."
            )
        reason = not_independent(model)
        if reason is not None:
            return f"'anova' needs {reason}"
        if model.n <= len(model.aliasing.kept):
            return (
                f"{model.n} rows and {len(model.aliasing.kept)} fixed coefficients leave no "
                "degrees of freedom for the residual variance."
            )
        # variances that REML can't identify are not identified by sums of squares either
        return fatal_findings(model, "reml")

    @few_threads
    def fit(
        self, model: Model, *, seed: int | None, draws: int, chains: int, **options: Any
    ) -> FitValues:
        system = equations(model, model.aliasing.kept)
        table = reductions(model, system.moments)
        left = float(system.moments.ff[-1, -1])
        if not table.squares[-1] > 1e-12 * left:
            raise IdentifiabilityError(
                "The fixed and random effects fit the response exactly and leave no residuals",
                hint="Leave out the term that determines the response",
            )
        raw = table.variances
        variances = _truncated(model, raw)
        about = system.moments.coordinates
        factor = system.at(lambdas_from_covariances(about, variances))
        estimate = estimate_at(model, factor, variances, _said(model, variances, _sigma(table)))
        order = ", ".join(table.sources[:-1]) or "none"
        notes = [f"Variances by Henderson's method 3; order of the random terms: {order}."]
        below = raw[:-1] < 0
        if np.any(below):
            notes.append(warn(_negative(table, raw), SingularWarning))
        dataset = _dataset(table, raw)
        if not_oneway(model) is None:
            lower, upper = oneway_of(model).ratio_interval()
            dataset = dataset.assign_attrs(ratio_lower=lower, ratio_upper=upper)
            notes.append(
                f"The exact 95 % interval of the variance ratio {table.sources[0]} / Residual, "
                f"from the F distribution, is {lower:.4g} to {upper:.4g}."
            )
        found = estimate_dataset(model, estimate).assign_attrs(residual_dof(model))
        tree = tree_of(model, estimate=found, anova=dataset)
        scalars = {"n": float(model.n), "singular": float(np.any(raw[:-1] <= 0))}
        return FitValues(self.name, tree, scalars, tuple(notes))


def _truncated(model: Model, raw: Floats) -> Variances:
    """The covariances of every block, negative variances at zero."""
    out = [np.zeros((1, b.n_coefs, b.n_coefs)) for b in model.design.blocks]
    for part, variance in zip(components(model), raw[:-1], strict=True):
        index = np.array(part.columns)
        out[part.block][0, index, index] = max(float(variance), 0.0)
    return Variances(tuple(out), np.sqrt(raw[-1:]))


def _said(model: Model, variances: Variances, sigma: Interval) -> Components:
    """Standard deviations without intervals, which have no closed form."""
    names = group_names(model)
    sds = [
        sds_and_correlations(cov[0], g)[0]
        for cov, g in zip(variances.covariances, names, strict=True)
    ]
    none = tuple(Interval(*[np.empty(0)] * 4) for _ in sds)
    bare = tuple(Interval(sd, *[np.full_like(sd, np.nan)] * 3) for sd in sds)
    return Components(bare, none, none, sigma)


def _sigma(table: Reductions) -> Interval:
    """sigma with its exact interval: SSE ~ sigma² chi²(df); the standard error by the delta
    method from Var(sigma²) = 2 sigma⁴/df."""
    squares, df = float(table.squares[-1]), int(table.df[-1])
    sigma = np.sqrt(squares / df)
    bounds = sigma_interval(squares, df)
    return Interval(*(np.asarray(x) for x in (sigma, sigma / np.sqrt(2 * df), *bounds)))


def _negative(table: Reductions, raw: Floats) -> str:
    said = ", ".join(
        f"{source} {value:.6g}" for source, value in zip(table.sources, raw, strict=True)
    )
    return (
        f"The method of moments gives negative variance estimates ({said}). They are set to zero "
        "for beta and u; the other estimates are unchanged."
    )


def _dataset(table: Reductions, raw: Floats) -> xr.Dataset:
    sources = list(table.sources)
    expected = table.expected
    texts = [expected_text(row, table.sources) for row in expected]
    return xr.Dataset(
        {
            "df": (("source",), table.df),
            "sum_of_squares": (("source",), table.squares),
            "mean_square": (("source",), table.squares / table.df),
            "expected": (("source", "variance_of"), expected),
            "expected_mean_square": (("source",), np.array(texts, dtype=object)),
            "variance": (("source",), raw),
        },
        coords={"source": sources, "variance_of": sources},
    )
