"""The public Fit: tables, prediction and files, each delegated to its module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from bayeslmm import fit as fitting
from bayeslmm.api.choices import Effects, Kind, NewLevels
from bayeslmm.api.door import Answering, places
from bayeslmm.api.show import Summary, summarise
from bayeslmm.diagnostics.leverage import leverage
from bayeslmm.errors import FitError
from bayeslmm.fit import FitValues
from bayeslmm.fit.contrasts import contrast, vcov
from bayeslmm.fit.levels import LEVEL, check_level
from bayeslmm.fit.path import path
from bayeslmm.fit.tree import PREDICTION_SEED
from bayeslmm.model import Model as Resolved
from bayeslmm.predict import draw_ranef, predict

if TYPE_CHECKING:
    from bayeslmm.api.model import Model

EVIDENCE = "The log evidence needs method='exact', proper priors and a Pareto k-hat below 0.7"


class Fit(Answering):
    """The result of a method: tidy tables, the ArviZ DataTree, prediction, files.

    Attributes
    ----------
    tree : DataTree
        Groups ``posterior`` and ``sample_stats``, or ``estimate``, and ``observed_data``.
    method : str
        The method of the fit.
    notes : tuple of str
        The notes and warnings issued during the fit.
    """

    def __init__(self, model: Resolved, values: FitValues, *, holder: Model) -> None:
        self._model = model
        self._values = values
        self._holder = holder

    @property
    def model(self) -> Model:
        """The Model that was fitted."""
        return self._holder

    @property
    def formula(self) -> str:
        """The model's formula as it was read."""
        return str(self._model.design.formula)

    @property
    def nobs(self) -> int:
        """Number of rows in the likelihood."""
        return int(self._model.n)

    def _elsewhere(self) -> dict[str, str]:
        return places("fit.model", type(self._holder))

    @property
    def method(self) -> str:
        return self._values.method

    @property
    def tree(self) -> xr.DataTree:
        return self._values.tree

    @property
    def notes(self) -> tuple[str, ...]:
        return self._values.notes

    @property
    def resolved(self) -> Resolved:
        """The inner, frozen model that was fitted."""
        return self._model

    @property
    def values(self) -> FitValues:
        """The inner, frozen values of the fit."""
        return self._values

    def fixef(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Fixed effects: index ``coef``; ``estimate, std_error, lower, upper``, the bounds of the
        central interval of probability `level`."""
        return fitting.fixef(self._model, self.tree, check_level(level))

    def ranef(self, *, given_beta: bool = False, level: float = LEVEL) -> pd.DataFrame:
        """Random effects u by ``group, level, coef``.

        Parameters
        ----------
        given_beta : bool
            Standard errors with beta held fixed, as lme4's conditional variances; available in
            fits without draws only.
        level : float
            Probability of the intervals.
        """
        if given_beta and "estimate" not in self.tree:
            raise FitError(
                f"Conditional variances given beta are not available from {self.method!r}",
                hint="Use 'ml', 'reml' or 'conjugate'",
            )
        return fitting.ranef(
            self._model, self.tree, given_beta=given_beta, level=check_level(level)
        )

    def draw_ranef(
        self, group: str, levels: Sequence[object] | None = None, seed: int | None = None
    ) -> xr.DataArray:
        """Posterior draws of a factor's effects, dims (chain, draw, level, coef).

        Parameters
        ----------
        group : str
            The grouping factor.
        levels : sequence, optional
            The levels to return; all by default.
        seed : int, optional
            Used where the fit did not keep draws of the effects (see `memory` of method 'exact');
            by default it follows from the seed of the fit.

        Raises
        ------
        FitError
            A fit without draws.
        MethodError, LevelError
            An unknown factor or level.
        """
        given = self._seed() if seed is None else seed
        return draw_ranef(self._model, self.tree, group, levels, given)

    def coef(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Coefficients by level: the sum of the fixed effects that apply to it and u.

        A table of ``group, level, coef, estimate, std_error, lower, upper``. With the columns of
        the table that are constant within every level of the factor held at the level's values,
        each fixed column that is a combination of the factor's random-effect covariates counts,
        whatever its name: with ``age * Sex + (age | Subject)`` a girl's slope is the coefficient
        of ``age``, plus that of ``age:Sex[Female]``, plus her u. Standard errors include
        cov(beta, u).

        Fixed columns that vary within levels otherwise than the covariates are left out, as in
        lme4: the coefficients describe rows where those columns are zero (numeric covariates at
        zero, factors at their reference level). There ``predict(effects=[group],
        kind="link")`` is the covariates times these coefficients, plus the offset.
        """
        return fitting.coef(self._model, self.tree, check_level(level))

    def varcorr(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Standard deviations (``sd``) and correlations (``cor``) of the random effects, and
        the standard deviation of the residuals, group ``Residual``."""
        return fitting.varcorr(self._model, self.tree, check_level(level))

    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of the fixed effects, coef x coef."""
        return vcov(self._model, self.tree)

    def contrast(
        self,
        weights: Mapping[str, float],
        *,
        against: float | None = None,
        level: float = LEVEL,
    ) -> pd.DataFrame:
        """A linear function of the fixed effects, ``{"Days": 1}``: one row of the four numbers.

        Parameters
        ----------
        weights : mapping of str to float
            From columns of X to weights; aliased columns are allowed where the function is
            estimable.
        against : float, optional
            Test the function against this number: adds ``statistic, df, p_value`` (Wald's z with
            infinite df; the exact t in a linear model by REML) or, in a Bayesian fit,
            ``probability_above``.

        Raises
        ------
        ColumnError
            A coefficient that the model doesn't have.
        IdentifiabilityError
            A function that is not estimable, where the priors of coefficients are flat.
        """
        return contrast(self._model, self.tree, weights, against, self.method, check_level(level))

    def leverage(self) -> pd.Series[float]:
        """Leverages by row: the derivative of each fitted value with respect to its observation.

        The diagonal of the matrix that maps y to the fitted values, random effects included, at
        the estimated variances; for ``ml``, ``reml`` and ``anova``. Without random terms the
        leverages sum to the rank of X, with them to the effective number of parameters.

        Raises
        ------
        FitError
            Another method; residuals that are correlated across levels of a factor.
        """
        return leverage(self._model, self.tree, self.method)

    @property
    def sigma(self) -> float:
        """Residual standard deviation: estimate or posterior mean."""
        if self._model.sigma_known:
            raise FitError(
                "This fit has no sigma: the residual standard deviations are known (known_sd)"
            )
        if self._model.strata is not None:
            raise FitError(
                f"This fit has one sigma for each level of {self._model.strata.name}, not one",
                hint="Use fit.varcorr()",
            )
        if not self._model.has_sigma:
            raise FitError(f"This fit has no single sigma: {self._without_sigma()}")
        table = self.varcorr()
        return float(table.loc[table["group"] == "Residual", "estimate"].iloc[0])

    def _without_sigma(self) -> str:
        if "sigma" in self._model.dpars:
            return "sigma is modelled by a predictor (dpar)"
        return f"family {self._model.family.name!r} has no such parameter"

    @property
    def loglik(self) -> float:
        """Maximised log likelihood (by REML, the restricted log likelihood)."""
        return self._scalar("loglik")

    @property
    def deviance(self) -> float:
        """−2 loglik."""
        return self._scalar("deviance")

    @property
    def aic(self) -> float:
        """Akaike's information criterion."""
        return self._scalar("aic")

    @property
    def bic(self) -> float:
        """Schwarz's Bayesian information criterion; n is the number of rows, as in lme4."""
        return self._scalar("bic")

    @property
    def n_parameters(self) -> int:
        """Number of fixed effects and variance parameters."""
        return int(self._scalar("n_parameters"))

    @property
    def converged(self) -> bool:
        """Whether the optimiser converged to a maximum."""
        return bool(self._scalar("converged"))

    @property
    def singular(self) -> bool:
        """Whether an estimated covariance is singular (on the boundary)."""
        return bool(self._scalar("singular"))

    @property
    def path(self) -> pd.DataFrame:
        """Iterations of a textbook algorithm (``algorithm="em"``, ``"alternating"``) and of the
        default optimiser: ``iteration, algorithm, deviance`` and the parameters."""
        return path(self.tree)

    @property
    def log_evidence(self) -> float:
        """Log marginal likelihood of the data under the priors."""
        return self._scalar("log_evidence", EVIDENCE)

    @property
    def log_evidence_error(self) -> float:
        """Monte Carlo standard error of the log evidence."""
        return self._scalar("log_evidence_error", EVIDENCE)

    def predict(
        self,
        new: Any = None,
        *,
        effects: Effects | Sequence[str] = "all",
        new_levels: NewLevels = "error",
        kind: Kind = "mean",
        extras: Mapping[str, Any] | None = None,
        seed: int | None = None,
        level: float = LEVEL,
    ) -> pd.DataFrame:
        """Predictions by row: ``estimate, std_error, lower, upper``.

        Parameters
        ----------
        new : table, optional
            New rows with the model's covariates and the grouping factors in `effects`; by default
            the rows of the data. Levels match by value or by text: the number 308 matches the
            level ``"308"`` of the data, and conversely.
        effects : "all", "none" or list of grouping factors
            Which random effects the prediction includes.
        new_levels : {"error", "draw", "zero"}
            For a level that the data do not have: an error, a draw from the population of levels,
            or its mean of zero.
        kind : {"mean", "link", "response"}
            The expected response, or a new observation with its residual.
        extras : mapping, optional
            ``offset``, ``weights``, ``known_sd`` or ``trials`` of the new rows, each as a column's
            name or an array. By default the model's column of that name is taken from `new`.
        seed : int, optional
            Of the random numbers, where the prediction needs draws. By default it follows from
            the seed of the fit, so that repeated predictions agree; without one they differ.
        level : float
            Probability of the intervals.
        """
        return predict(
            self._model,
            self.tree,
            new,
            effects=effects,
            new_levels=new_levels,
            kind=kind,
            extras=extras,
            seed=self._seed() if seed is None else seed,
            level=check_level(level),
        )

    def summary(self, *, level: float = LEVEL) -> Summary:
        """Fixed effects, variances, criteria or diagnostics, notes: text, HTML in a notebook.

        Parameters
        ----------
        level : float
            Probability of the intervals.
        """
        return summarise(self._model, self._values, check_level(level))

    def save(self, path: str | Path) -> None:
        """Write the fit, with specification and data, to one netCDF file."""
        fitting.save(path, self._model, self._values)

    def __repr__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def _seed(self) -> int | None:
        """The seed of predictions, where the fit was seeded."""
        seed = self._values.scalars.get(PREDICTION_SEED)
        return None if seed is None else int(seed)

    def _scalar(self, name: str, why: str | None = None) -> float:
        if name not in self._values.scalars:
            hint = why or "It is available from 'ml' and 'reml'"
            raise FitError(f"A fit by {self.method!r} has no {name}", hint=hint)
        return float(self._values.scalars[name])
