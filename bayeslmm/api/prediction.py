"""Best linear prediction from first and second moments: kriging and its relatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from bayeslmm.api.show import Section, Summary, format_number
from bayeslmm.fit.levels import LEVEL, check_level
from bayeslmm.predict.blp import best_linear
from bayeslmm.predict.blp_moments import read_task

Floats = NDArray[np.float64]

_TITLES = {
    "simple": "Best linear prediction, mean known (simple kriging)",
    "ordinary": "Best linear unbiased prediction, one unknown mean (ordinary kriging)",
    "universal": "Best linear unbiased prediction, mean a regression (universal kriging)",
    "bayesian": "Best linear prediction, coefficients with a normal prior (Bayesian kriging)",
}
_SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class LinearPrediction:
    """The result of `blp`; n data, m predictions, p coefficients.

    Attributes
    ----------
    kind : {"simple", "ordinary", "universal", "bayesian"}
        beta known; X = 1 with an unknown mean; any X with unknown beta; beta with a prior.
    prediction : ndarray, shape (m,)
    std_error : ndarray, shape (m,)
        Root of the prediction error variance, Var(prediction - y0); NaN without V0.
    covariance : ndarray, shape (m, m), or None
        Of the prediction errors; None unless V0 is a matrix.
    delta : ndarray, shape (n, m)
        V⁻¹psi, the weights of the residuals ``y - X beta``.
    weights : ndarray, shape (n, m)
        Kriging weights, those of ``y`` itself: with beta unknown the prediction is
        ``weights' y``, and the weights sum to 1 in ordinary kriging.
    beta : ndarray, shape (p,)
        Known, estimated by generalised least squares, or the posterior mean; NaN for columns
        left out.
    beta_covariance : ndarray, shape (p, p)
    labels : Index, length m
        Labels of the predictions.
    coefs : tuple of str
        Names of X's columns.
    notes : tuple of str
    """

    kind: str
    prediction: Floats
    std_error: Floats
    covariance: Floats | None
    delta: Floats
    weights: Floats
    beta: Floats
    beta_covariance: Floats
    labels: pd.Index
    coefs: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def table(self, *, level: float = LEVEL) -> pd.DataFrame:
        """``estimate, std_error, lower, upper`` of each prediction.

        The bounds are a normal interval of probability `level` for the new observation at the
        given variances.
        """
        return _interval(self.prediction, self.std_error, self.labels, level)

    def fixef(self, *, level: float = LEVEL) -> pd.DataFrame:
        """``estimate, std_error, lower, upper`` of beta, index ``coef``."""
        sd = np.sqrt(np.diag(self.beta_covariance))
        return _interval(self.beta, sd, pd.Index(self.coefs, name="coef"), level)

    def _summary(self) -> Summary:
        n, m = self.weights.shape
        beta = "given" if self.kind == "simple" else "95 % normal interval"
        title = f"Predictions ({m} from {n} data; 95 % normal interval at the given variances)"
        more = (f"… {m - _SHOWN} more: .table()",) if m > _SHOWN else ()
        sections = [Section(title, _as_text(self.table().head(_SHOWN)), more)]
        if self.coefs:
            mean = Section(f"Coefficients of the mean ({beta})", _as_text(self.fixef()))
            sections.insert(0, mean)
        if self.notes:
            sections.append(Section("Notes", lines=self.notes))
        return Summary(_TITLES[self.kind], tuple(sections))

    def __repr__(self) -> str:
        return str(self._summary())

    def _repr_html_(self) -> str:
        return self._summary()._repr_html_()


def blp(
    y: Any,
    V: Any,
    psi: Any,
    X: Any = None,
    X0: Any = None,
    V0: Any = None,
    beta: Any = None,
    prior: Any = None,
) -> LinearPrediction:
    """Best linear prediction of observations that are correlated with the data.

    For ``E y = X beta``, ``E y0 = X0 beta`` and the (co)variances below, the prediction is
    ``X0 b + delta'(y - X b)`` with ``delta = V⁻¹ psi``. The kind depends on what is given:
    `beta` known (simple kriging), nothing (its generalised least squares estimate: best linear
    unbiased prediction; universal kriging, ordinary where X is a constant), or a `prior`.

    Parameters
    ----------
    y : array, shape (n,)
        The data.
    V : array, sparse matrix or object with ``solve``, shape (n, n)
        Var(y), positive definite; ``V.solve(b)`` returns V⁻¹ b in b's shape (n, k).
    psi : array, shape (n, m) or (n,)
        Cov(y, y0).
    X, X0 : arrays, shapes (n, p) and (m, p), optional
        Covariates of the mean, both or neither; without them the mean is a constant.
    V0 : array, shape (m, m), (m,) or (), optional
        Var(y0), its diagonal, or one common variance. Needed for standard errors.
    beta : array, shape (p,), optional
        Known coefficients; a number for a constant mean.
    prior : (mean, covariance), optional
        Of beta: shapes (p,) and (p, p), (p,) (variances) or (). A covariance of 0 is simple
        kriging; as it grows the prediction tends to universal kriging.

    Returns
    -------
    LinearPrediction

    Raises
    ------
    DataError
        Shapes or labels that don't match, missing entries, or moments that no distribution has.
    ModelError
        V is not positive definite; both `beta` and `prior` are given.
    IdentifiabilityError
        A row of X0 whose mean is not estimable (rank of X).

    Notes
    -----
    The variances are taken as known. If the distribution is normal, the simple and Bayesian
    predictions are conditional means, and all error variances conditional variances.

    References
    ----------
    Goldberger (1962), JASA 57:369-375, eq. 3.12; Christensen (2011), Plane Answers to Complex
    Questions, sec. 6.3 and 12.2; Cressie (1993), Statistics for Spatial Data, sec. 3.2 and 3.4;
    Omre & Halvorsen (1989), Mathematical Geology 21:767-786.

    Examples
    --------
    >>> bl.blp(y=[1.0, 3.0], V=[[2, 1], [1, 2]], psi=[1.0, 0.5], V0=2.0).kind
    'ordinary'
    """
    task = read_task(y, V, psi, X, X0, V0, beta, prior)
    found = best_linear(task.moments)
    p, kept = len(task.coefs), list(task.kept)
    b, C = np.full(p, np.nan), np.full((p, p), np.nan)
    b[kept], C[np.ix_(kept, kept)] = found.beta, found.beta_covariance
    unknown = np.full(len(found.prediction), np.nan)
    return LinearPrediction(
        kind=task.kind,
        prediction=found.prediction,
        std_error=unknown if found.variance is None else np.sqrt(found.variance),
        covariance=found.covariance,
        delta=found.delta,
        weights=found.weights,
        beta=b,
        beta_covariance=C,
        labels=task.labels,
        coefs=task.coefs,
        notes=task.notes,
    )


def _interval(estimate: Floats, std_error: Floats, index: pd.Index, level: float) -> pd.DataFrame:
    half = ndtri((1 + check_level(level)) / 2) * std_error
    return pd.DataFrame(
        {
            "estimate": estimate,
            "std_error": std_error,
            "lower": estimate - half,
            "upper": estimate + half,
        },
        index=index,
    )


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers as text; a standard error of zero stays a zero, as at a datum without nugget."""
    rows = [
        [format_number(float(value), float(spread)) for value in row]
        for row, spread in zip(table.to_numpy(), table["std_error"], strict=True)
    ]
    return pd.DataFrame(
        rows, index=table.index, columns=["estimate", "std error", "lower", "upper"]
    )
