"""The Fit that users hold: thin, it delegates."""

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
from bayeslmm.model import Model as Resolved
from bayeslmm.predict import draw_ranef, predict

if TYPE_CHECKING:
    from bayeslmm.api.model import Model

EVIDENCE = "Evidence needs method='exact', proper priors, and weights that serve (see the notes)"


class Fit(Answering):
    """What a method found: tidy tables, the ArviZ DataTree, prediction, files.

    Attributes
    ----------
    tree : DataTree
        Groups ``posterior`` and ``sample_stats``, or ``estimate``, and ``observed_data``.
    method : str
        The method that made it.
    notes : tuple of str
        Every sentence that was said on the way.
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
            Standard errors with beta held fixed, as lme4's conditional variances; in fits
            without draws only.
        level : float
            Probability of the intervals.
        """
        if given_beta and "estimate" not in self.tree:
            raise FitError(
                f"Method {self.method!r} has no conditional variances given beta",
                hint="They belong to 'ml', 'reml' and 'conjugate'",
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
            The levels wanted; all where not given.
        seed : int, optional
            For effects whose draws the fit didn't keep (see `memory` of method 'exact').

        Raises
        ------
        FitError
            A fit without draws.
        MethodError, LevelError
            An unknown factor or level.
        """
        return draw_ranef(self._model, self.tree, group, levels, seed)

    def coef(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Each level's own coefficients: what the fixed effects add to them, and u.

        A table of ``group, level, coef, estimate, std_error, lower, upper``. With the columns of
        the table that are constant within every level of the factor held at the level's values,
        each fixed column that is a combination of the factor's random-effect covariates counts,
        whatever its name: with ``age * Sex + (age | Subject)`` a girl's slope is the coefficient
        of ``age``, her part of ``age:Sex[Female]``, and her u. Standard errors have
        cov(beta, u) in them.

        Fixed columns that vary within levels otherwise than the covariates are left out, as in
        lme4: the coefficients describe rows where those columns are zero (numeric covariates at
        zero, factors at their reference level). There ``predict(effects=[group],
        kind="link")`` is the covariates times these coefficients, plus the offset.
        """
        return fitting.coef(self._model, self.tree, check_level(level))

    def varcorr(self, *, level: float = LEVEL) -> pd.DataFrame:
        """Standard deviations (``sd``) and correlations (``cor``) of the random effects, and
        the residual's, group ``Residual``."""
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
            Over the columns of X; aliased ones too, where the function is estimable.
        against : float, optional
            Tests it against this number: adds ``statistic, df, p_value`` (Wald's z, df infinite;
            in a linear model by REML the exact t), or to a Bayesian fit ``probability_above``.

        Raises
        ------
        ColumnError
            A coefficient that the model doesn't have.
        IdentifiabilityError
            A function that is not estimable, where coefficients are flat.
        """
        return contrast(self._model, self.tree, weights, against, self.method, check_level(level))

    def leverage(self) -> pd.Series[float]:
        """How much each fitted value, random effects in it, moves with its own observation.

        The diagonal of the matrix that takes y to the fitted values at the estimated variances;
        for ``ml``, ``reml`` and ``anova``. Without random terms the leverages sum to the rank of
        X, with them to the effective number of parameters.

        Raises
        ------
        FitError
            Another method; residuals that correlate across the levels of a factor.
        """
        return leverage(self._model, self.tree, self.method)

    @property
    def sigma(self) -> float:
        """Residual standard deviation: estimate or posterior mean."""
        if self._model.sigma_known:
            raise FitError(
                "The residual standard deviations were given (known_sd): there is no sigma"
            )
        if self._model.strata is not None:
            raise FitError(
                f"There is no one sigma: it differs by {self._model.strata.name}",
                hint="fit.varcorr() has them all",
            )
        if not self._model.has_sigma:
            raise FitError(f"There is no one sigma: {self._without_sigma()}")
        table = self.varcorr()
        return float(table.loc[table["group"] == "Residual", "estimate"].iloc[0])

    def _without_sigma(self) -> str:
        if "sigma" in self._model.dpars:
            return "it has a predictor of its own (dpar)"
        return f"family {self._model.family.name!r} has none"

    @property
    def loglik(self) -> float:
        """Maximised log likelihood; of REML, the restricted one."""
        return self._scalar("loglik")

    @property
    def deviance(self) -> float:
        """−2 loglik."""
        return self._scalar("deviance")

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self._scalar("aic")

    @property
    def bic(self) -> float:
        """Schwarz's criterion, with n rows as lme4 counts."""
        return self._scalar("bic")

    @property
    def n_parameters(self) -> int:
        """Fixed effects and variance parameters."""
        return int(self._scalar("n_parameters"))

    @property
    def converged(self) -> bool:
        """Whether the optimiser ended at a maximum."""
        return bool(self._scalar("converged"))

    @property
    def singular(self) -> bool:
        """Whether a covariance is on its boundary."""
        return bool(self._scalar("singular"))

    @property
    def path(self) -> pd.DataFrame:
        """The way of a textbook's algorithm (``algorithm="em"``, ``"alternating"``) beside the
        default's: ``iteration, algorithm, deviance`` and the parameters."""
        return path(self.tree)

    @property
    def log_evidence(self) -> float:
        """Log marginal likelihood of the data under the priors."""
        return self._scalar("log_evidence", EVIDENCE)

    @property
    def log_evidence_error(self) -> float:
        """Its Monte Carlo standard error."""
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
        """Predictions for new rows (or the data's own): the four numbers, by row.

        Parameters
        ----------
        new : table, optional
            Rows with the model's covariates, and the grouping factors that enter; the data's own
            where not given. Levels match by value, or by their text: the number 308 is the
            learnt text ``"308"``, and the other way round.
        effects : "all", "none" or list of grouping factors
            Which random effects enter.
        new_levels : {"error", "draw", "zero"}
            A level that was not seen: refuse, a fresh level of the population, or its mean.
        kind : {"mean", "link", "response"}
            The expected response, or a new observation with its residual.
        extras : mapping, optional
            ``offset``, ``weights`` or ``known_sd`` of the new rows, each as a column's name or
            an array. One that the model has as a column is looked up in `new` by that name.
        seed : int, optional
            For what is drawn.
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
            seed=seed,
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

    def _scalar(self, name: str, why: str | None = None) -> float:
        if name not in self._values.scalars:
            hint = why or "It belongs to 'ml' and 'reml'"
            raise FitError(f"A fit by {self.method!r} has no {name}", hint=hint)
        return float(self._values.scalars[name])
