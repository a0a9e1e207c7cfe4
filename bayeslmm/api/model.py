"""The public Model: a formula with its data, priors and covariance structures."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bayeslmm import fit as fitting
from bayeslmm.api.choices import FamilyName, LinkName, Method, Missing, Parametrisation
from bayeslmm.api.door import Answering, places
from bayeslmm.api.fit import Fit
from bayeslmm.api.show import BAYESIAN, model_html, model_text
from bayeslmm.engines import ENGINES, choose
from bayeslmm.engines.narrow import narrow_priors
from bayeslmm.errors import FileError, MethodError, ModelError, check_seed, nearest
from bayeslmm.fit import FitValues
from bayeslmm.fit.tree import prediction_seed
from bayeslmm.graph import collapsed, hierarchical
from bayeslmm.model import Known, Specification, build, read_relationships, square
from bayeslmm.model import Model as Resolved
from bayeslmm.predict import prior_predictive, simulate
from bayeslmm.priors import Prior


class Model(Answering):
    """A random-coefficient specification with its data.

    Parameters
    ----------
    formula : str
        ``"Reaction ~ Days + (Days | Subject)"``, with lme4's meaning.
    data : table
        pandas, polars or Arrow. A covariate of dates or times is taken as days since its first
        value, in new rows as well.
    family, link : str
        Response distribution (``"gaussian"``, ``"bernoulli"``, ``"binomial"``, ``"poisson"``, …:
        `bayeslmm.families.FAMILIES`) and its link; each family has a default.
    priors : mapping, str or None
        ``{"beta": "normal(0, 5)", "sd_Subject[Days]": "exponential(0.1)", …}``, or ``"flat"``
        for beta. All other parameters have auto-scaled default priors, which the printed
        model shows.
    residual : str or array of shape (rows, rows), optional
        Structure of the residuals, R = S C S: ``"ar1(time | Subject)"``, ``"us(age | Subject)"``,
        ``"diag(Sex)"`` (a standard deviation per level), ``"varpower(x)"`` and ``"varexp(x)"``
        (standard deviations as a function of a covariate); a correlation structure and a
        variance function are joined by ``+``. A matrix is the covariance of the table's rows,
        known up to sigma².
    relationship : mapping of str to matrix, optional
        Covariance between the levels of a factor, known up to its variance: a DataFrame, or the
        result of `bayeslmm.relationship` for a dense or sparse covariance or a sparse precision.
    random : mapping of str to str, optional
        Distribution of the effects of a grouping factor: ``{"Subject": "student_t"}`` or
        ``"mixture"`` (of two normals). The default is normal.
    dpar : mapping of str to str, optional
        Predictors of further parameters of the family: ``{"sigma": "~ x + (1 | g)"}``, on the
        parameter's link scale. The keys of their priors begin with the parameter's name:
        ``"sigma_beta[x]"``, ``"sigma_sd_g"``.
    trials : str or array of shape (n,), optional
        Number of trials of each row, for a binomial response (the number of successes).
    weights : str or array of shape (n,), optional
        Gaussian: Var(e_i) = sigma²/w_i; other families: a multiplier of the log density. Zero
        leaves a row out of the likelihood and of n.
    offset : str or array of shape (n,), optional
        Added to the linear predictor, together with any ``offset()`` of the formula.
    known_sd : str or array of shape (n,), optional
        Known residual standard deviations; no sigma is estimated.
    missing : {"drop", "error"}
        Rows with missing values are dropped, with a note of their number, or are an error.

    Raises
    ------
    BayeslmmError
        One of its subclasses: FormulaError, ColumnError, DataError, PriorError or ModelError.
    """

    def __init__(
        self,
        formula: str,
        data: Any,
        *,
        family: FamilyName = "gaussian",
        link: LinkName | None = None,
        priors: Mapping[str, str | Prior] | str | None = None,
        residual: Any = None,
        random: Mapping[str, str] | None = None,
        dpar: Mapping[str, str] | None = None,
        relationship: Mapping[str, Any] | None = None,
        weights: str | ArrayLike | None = None,
        offset: str | ArrayLike | None = None,
        known_sd: str | ArrayLike | None = None,
        trials: str | ArrayLike | None = None,
        missing: Missing = "drop",
    ) -> None:
        matrix = None if residual is None or isinstance(residual, str) else square(residual, data)
        known = Known(matrix, read_relationships(relationship))
        spec = Specification(
            formula,
            family,
            link,
            priors,
            missing,
            random=_texts("random", random),
            dpar=_texts("dpar", dpar),
            residual=residual if isinstance(residual, str) else None,
        )
        given = {"weights": weights, "offset": offset, "known_sd": known_sd, "trials": trials}
        self._inner = build(spec, data, given, known)

    @classmethod
    def of(cls, inner: Resolved) -> Model:
        """The Model of an inner, frozen one."""
        out = cls.__new__(cls)
        out._inner = inner
        return out

    def _elsewhere(self) -> dict[str, str]:
        return places("fit", Fit)

    @property
    def resolved(self) -> Resolved:
        """The inner, frozen model: design, priors as numbers, findings."""
        return self._inner

    @property
    def formula(self) -> str:
        """The formula as it was read."""
        return str(self._inner.design.formula)

    @property
    def priors(self) -> dict[str, str]:
        """Every prior as a text that can be typed back."""
        return dict(self._inner.describe()["priors"])

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes and warnings issued while the model was made."""
        return self._inner.notes

    def fit(
        self,
        method: Method = "auto",
        *,
        seed: int | None = None,
        draws: int = 1000,
        chains: int = 4,
        **options: Any,
    ) -> Fit:
        """Fit the model.

        Parameters
        ----------
        method : {"auto", "exact", "reml", "ml", "anova", "conjugate", "nuts"}
            ``"auto"`` uses exact where it is available, otherwise nuts, with a note of the reason.
        seed : int, optional
            Of the random numbers; the same seed gives the same draws.
        draws, chains : int
            Number of draws per chain, and of chains. Where draws are independent, chains only
            label them.
        options : Any
            ``exact``: memory, the GiB available for draws of u; beyond it the tree keeps their
            means and covariances, and intervals are normal. ``ml``, ``reml``: algorithm, ``"em"``
            or ``"alternating"`` for these textbook iterations, with iterations, tolerance, trace;
            `Fit.path` is the table of iterations. ``conjugate``: variances (another fit or a
            dict), kappa, sigma2_prior. ``nuts``: sampler, tune, target_accept, parametrisation,
            progress.

        Raises
        ------
        MethodError
            Unknown method or option, or one that is not available for this model, with the reason.
        IdentifiabilityError
            A likelihood method where the data do not identify the variances.
        """
        _check_size("draws", draws)
        _check_size("chains", chains)
        check_seed(seed)
        engine, said = choose(self._inner, method)
        _check_options(engine.name, options)
        if isinstance(options.get("variances"), Fit):
            options["variances"] = options["variances"].tree
        values = engine.fit(self._inner, seed=seed, draws=draws, chains=chains, **options)
        narrow: list[str] = []
        if engine.name in BAYESIAN and options.get("kappa") is None:
            narrow = narrow_priors(self._inner, values.tree)
        notes = (*self._inner.notes, *said, *values.notes, *narrow)
        scalars = values.scalars | prediction_seed(seed)
        found = FitValues(values.method, values.tree, scalars, notes)
        return Fit(self._inner, found, holder=self)

    def to_pymc(
        self,
        *,
        marginal: bool = False,
        parametrisation: Parametrisation | Mapping[str, Parametrisation] = "auto",
        likelihood: bool = True,
    ) -> Any:
        """The specification as a plain `pm.Model`.

        Parameters
        ----------
        marginal : bool
            Integrate (beta, u) out in closed form, so that only the variance parameters are free.
            `recover` then adds draws of beta and u. Gaussian responses only.
        parametrisation : {"auto", "noncentred", "centred"} or mapping
            Of the random effects, for all factors or by factor.
        likelihood : bool
            Whether to add the likelihood of the response. Without it, add your own likelihood on
            ``pm_model["eta"]``, the linear predictor by row.

        Raises
        ------
        MethodError
            ``marginal=True`` on a model without that closed form, with the reason.

        Notes
        -----
        With structured residuals the response is one multivariate variable:
        ``pm.sample_posterior_predictive`` draws all rows together, and
        ``pm.compute_log_likelihood`` gives one value a draw, of all rows.
        """
        if marginal:
            return collapsed(self._inner)
        return hierarchical(self._inner, parametrisation, likelihood=likelihood)

    def prior_predictive(self, draws: int = 500, *, seed: int | None = None) -> Any:
        """Parameters drawn from the priors, and a simulated response of all rows for each draw.

        Returns
        -------
        DataTree
            Groups ``prior``, ``prior_predictive`` and ``observed_data``;
            `bayeslmm.plot_prior_predictive` draws it.

        Raises
        ------
        MethodError
            Some priors are improper; the message names them.
        """
        _check_size("draws", draws)
        return prior_predictive(self._inner, draws, seed)

    def simulate(self, parameters: Any, *, seed: int | None = None) -> pd.Series[Any]:
        """A simulated response of the model's rows at given parameters, by row.

        Parameters
        ----------
        parameters : mapping
            By the tree's names: ``{"beta": {"Intercept": 250, "Days": 10}, "sd_Subject":
            [25, 6], "cor_Subject": 0.1, "sigma": 25}``. Random effects are drawn, unless
            ``u_Subject``, shape (levels, coefficients), is given.
        seed : int, optional

        Raises
        ------
        MethodError
            A parameter that is missing, or that the model doesn't have.
        DataError
            Values of the wrong shape, or out of range.
        """
        design = self._inner.design
        y = simulate(self._inner, parameters, seed)
        if self._inner.family.categorical:
            y = np.asarray(design.categories, dtype=object)[y.astype(int)]
        return pd.Series(y, index=pd.Index(design.index), name=design.formula.response)

    def __repr__(self) -> str:
        return model_text(self._inner)

    def _repr_html_(self) -> str:
        return model_html(self._inner)


def _texts(name: str, given: Mapping[str, str] | None) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(v, str) for v in given.values()):
        raise ModelError(f"{name}= must be a dict from name to text", got=repr(given))
    return dict(given)


def _check_size(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise MethodError(f"{name} must be a positive whole number", got=repr(value))


def _check_options(method: str, options: Mapping[str, Any]) -> None:
    if ENGINES[method].open_options:
        return
    parameters = inspect.signature(ENGINES[method].fit).parameters.values()
    common = ("model", "seed", "draws", "chains")
    known = [p.name for p in parameters if p.name not in common and p.kind is not p.VAR_KEYWORD]
    for name in options:
        if name not in known:
            raise MethodError(
                f"Method {method!r} has no option {name!r}", hint=nearest(name, known)
            )


def load_fit(path: str | Path) -> Fit:
    """Read a fit that was saved; every method works on it.

    Raises
    ------
    FileError
        No such file, or not a saved fit.
    """
    model, values = fitting.load(path)
    if values.method not in ENGINES:
        raise FileError(
            f"{str(path)!r} is a fit by an unknown method",
            got=values.method[:60],
            allowed=", ".join(ENGINES),
        )
    return Fit(model, values, holder=Model.of(model))
