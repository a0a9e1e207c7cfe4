"""The balanced one-way random model: the analysis of variance and the closed-form estimates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayeslmm.api.model import Model
from bayeslmm.api.show import Section, Summary, format_number
from bayeslmm.errors import ModelError
from bayeslmm.gaussian.oneway import OneWay, oneway_of, sigma_interval


@dataclass(frozen=True, slots=True)
class OneWayTable:
    """The result of `oneway`; prints as two small tables.

    Attributes
    ----------
    group : str
        The grouping factor.
    statistics : OneWay
        J, r, SSB and SSW, with the estimates in closed form.
    """

    group: str
    statistics: OneWay

    @property
    def anova(self) -> pd.DataFrame:
        """Index ``source``: ``df, sum_of_squares, mean_square, expected_mean_square``."""
        s = self.statistics
        squares, df = np.array([s.SSB, s.SSW]), np.array(s.df)
        return pd.DataFrame(
            {
                "df": df,
                "sum_of_squares": squares,
                "mean_square": squares / df,
                "expected_mean_square": [f"sigma² + {s.r} sigma²_{self.group}", "sigma²"],
            },
            index=pd.Index([self.group, "Residual"], name="source"),
        )

    @property
    def estimates(self) -> pd.DataFrame:
        """Index ``method`` (ANOVA, ML, REML): variances, standard deviations, whether the
        variance is on the boundary (negative or zero), and the likelihoods' deviance."""
        s = self.statistics
        found = {"ANOVA": s.anova(), "ML": s.ml(), "REML": s.reml()}
        rows = []
        for method, e in found.items():
            likelihood = method != "ANOVA"
            rows.append(
                {
                    f"var_{self.group}": e.between,
                    "var_Residual": e.within,
                    f"sd_{self.group}": np.sqrt(max(e.between, 0.0)),
                    "sigma": np.sqrt(e.within),
                    "boundary": e.boundary,
                    "deviance": s.deviance(e.between, e.within, reml=method == "REML")
                    if likelihood
                    else np.nan,
                }
            )
        return pd.DataFrame(rows, index=pd.Index(list(found), name="method"))

    def _summary(self) -> Summary:
        s = self.statistics
        ratio, sigma = s.ratio_interval(), sigma_interval(s.SSW, s.df[1])
        exact = (
            f"variance ratio {self.group} / Residual, from F: {ratio[0]:.4g} to {ratio[1]:.4g}",
            f"sigma, from chi²: {sigma[0]:.4g} to {sigma[1]:.4g}",
        )
        return Summary(
            f"Balanced one-way design: {s.J} levels of {self.group}, {s.r} rows each",
            (
                Section("Analysis of variance", _as_text(self.anova)),
                Section("Closed-form estimates (ML divides SSB by J, the others by J - 1)",
                        _as_text(self.estimates)),
                Section("Exact 95 % intervals", lines=exact),
            ),
        )  # fmt: skip

    def __repr__(self) -> str:
        return str(self._summary())

    def _repr_html_(self) -> str:
        return self._summary()._repr_html_()


def oneway(model: Model) -> OneWayTable:
    """ANOVA, ML and REML of a balanced one-way random model in closed form.

    Parameters
    ----------
    model : Model
        ``y ~ 1 + (1 | g)``, Gaussian, with the same number of rows in every level.

    Raises
    ------
    MethodError
        Another model, with the reason.

    References
    ----------
    Searle, Casella & McCulloch (1992), Variance Components, sec. 3.7 and 3.8.
    """
    if not isinstance(model, Model):
        raise ModelError("The first argument must be a Model", got=type(model).__name__)
    statistics = oneway_of(model.resolved)
    return OneWayTable(model.resolved.design.blocks[0].group, statistics)


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    def text(value: object) -> str:
        if isinstance(value, bool | np.bool_):
            return "yes" if value else "no"
        return format_number(float(value)) if isinstance(value, float) else str(value)

    return table.map(text)
