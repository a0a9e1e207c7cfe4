"""How a random model ends, and whether it may end so."""

from __future__ import annotations

import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bayeslmm as bl
from bayeslmm.errors import BayeslmmError, BayeslmmWarning
from bayeslmm.model.names import group_names
from tests.fuzz.dense import dense_of
from tests.fuzz.formulas import Case, case_of

SECONDS = 10.0  # of processor time
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Outcome:
    """One thing that a random model did.

    Attributes
    ----------
    kind : str
        Allowed: ``refused``, ``right``, ``finite`` (no dense answer to compare with). Otherwise
        ``exception``, ``warning``, ``not finite``, ``log-likelihood``, ``conjugate``, ``timeout``.
    stage : str
        What was being done.
    text : str
    """

    kind: str
    stage: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind} ({self.stage}): {self.text}"

    @property
    def allowed(self) -> bool:
        return self.kind in ("refused", "right", "finite")


class Late(Exception):
    """The processor time is used up."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise `Late` after so many seconds of this process's own time."""

    def ring(*_: Any) -> None:
        raise Late

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def outcomes(seed: int) -> list[Outcome]:
    """What the model of a seed did. A timeout counts when it comes twice: the first may compile."""
    case = case_of(seed)
    first = _outcomes(case)
    return _outcomes(case) if any(o.kind == "timeout" for o in first) else first


def _outcomes(case: Case) -> list[Outcome]:
    trial = Trial(case)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with limit(SECONDS):
                trial.run()
        except BayeslmmError as error:
            trial.add("refused", f"{type(error).__name__}: {error}")
        except Late:
            trial.add("timeout", traceback.format_exc(limit=-6))
        except Exception:
            trial.add("exception", traceback.format_exc())
    foreign = {
        f"{w.category.__name__}: {w.message} ({w.filename}:{w.lineno})": None
        for w in caught
        if not issubclass(w.category, BayeslmmWarning)
    }
    for text in foreign:
        trial.add("warning", text)
    return trial.found


class Trial:
    """A random model on its way: built, fitted, read, compared with the dense answer."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.stage = "model"
        self.found: list[Outcome] = []

    def add(self, kind: str, text: str = "") -> None:
        self.found.append(Outcome(kind, self.stage, text))

    def run(self) -> None:
        case = self.case
        model = bl.Model(case.formula, case.table, **case.options)
        self.stage = case.method
        if case.method == "exact":
            fit = model.fit("exact", seed=case.seed, draws=50, chains=2)
        else:
            fit = model.fit(case.method)
        self.read(fit)
        if case.method == "exact" or model.resolved.residual is not None:
            self.add("finite")
            return
        self.compare(model, fit)

    def read(self, fit: bl.Fit) -> None:
        """Every table, the summary and the predictions."""
        self.stage = f"{fit.method}: tables"
        not_finite = list(unfinite(fit))
        str(fit.summary())
        self.stage = f"{fit.method}: prediction"
        if not np.isfinite(fit.predict()["estimate"].to_numpy(float)).all():
            not_finite.append("predictions")
        if not_finite:
            self.add("not finite", ", ".join(not_finite))

    def compare(self, model: bl.Model, fit: bl.Fit) -> None:
        """The log-likelihood and the closed form with the dense answers."""
        kept = list(model.resolved.aliasing.kept)
        self.stage = "dense"
        with np.errstate(all="ignore"):
            right = dense_of(model, fit, kept).loglik(fit.method == "reml")
        if np.isfinite(right):
            off = abs(right - fit.loglik)
            exact = off <= TOLERANCE * max(1.0, abs(right))
            self.add("right" if exact else "log-likelihood", f"{fit.loglik!r}, dense {right!r}")
        self.stage = "conjugate"
        kappa = self.case.kappa
        closed = model.fit("conjugate", variances=fit, kappa=kappa, seed=1, draws=5, chains=1)
        self.read(closed)
        if kappa is not None and np.isfinite(right):
            columns = list(range(len(model.resolved.design.coefs))) if kappa else kept
            self.compare_closed(model, fit, closed, columns, kappa)

    def compare_closed(
        self, model: bl.Model, fit: bl.Fit, closed: bl.Fit, columns: list[int], kappa: float
    ) -> None:
        self.stage = "conjugate: dense"
        dense = dense_of(model, fit, columns)
        with np.errstate(all="ignore"):
            beta, spread, effects = dense.closed_form(kappa)
        if not np.isfinite(beta).all():
            return
        table = closed.fixef().reindex([model.resolved.design.coefs[i] for i in columns])
        off = {
            "beta": _off(table["estimate"], beta, spread),
            "std_error": _off(table["std_error"], spread, 0 * spread),
        }
        for part, u in zip(dense.parts, effects, strict=True):
            got = closed.tree["estimate"][f"u_{part.label}"].values
            off[f"u_{part.label}"] = _off(got, u, np.sqrt(np.diag(part.G)))
        exact = max(off.values()) <= TOLERANCE
        text = ", ".join(f"{k} off by {v:.2g}" for k, v in off.items())
        self.add("right" if exact else "conjugate", f"kappa {kappa}: {text}")


def _off(got: Any, right: Any, scale: Any) -> float:
    """The largest difference relative to the answer and its scale."""
    size = np.abs(right) + scale
    parts = np.abs(np.asarray(got) - right) / np.where(size > 0, size, 1.0)
    return float(np.max(parts, initial=0.0))


def unfinite(fit: bl.Fit) -> Iterator[str]:
    """Where a fit's tables hold a NaN or an infinity that isn't documented."""
    fixef, ranef, varcorr = fit.fixef(), fit.ranef(), fit.varcorr()
    sd = varcorr.loc[varcorr["kind"] == "sd", "estimate"]
    read: dict[str, Callable[[], Any]] = {
        "fixef estimates": lambda: fixef["estimate"],
        "fixef std_errors": lambda: fixef["std_error"],
        "ranef estimates": lambda: ranef["estimate"],
        "ranef std_errors": lambda: ranef["std_error"],
        "standard deviations": lambda: sd,
        "loglik": lambda: [fit.loglik] if "loglik" in fit.values.scalars else [],
    }
    for name, values in read.items():
        if not np.isfinite(np.asarray(values(), float)).all():
            yield name
    if (sd < 0).any():
        yield "a negative standard deviation"
    if "posterior" in fit.tree:
        posterior = fit.tree["posterior"].dataset
        undefined = without_variance(fit)
        for name, draws in posterior.data_vars.items():
            finite = np.isfinite(draws.values)
            if not (finite | undefined.get(str(name), False)).all():
                yield f"draws of {name}"


def without_variance(fit: bl.Fit) -> dict[str, NDArray[np.bool_]]:
    """Where the draws of correlations are NaN by definition: one of the two variances is zero."""
    posterior = fit.tree["posterior"].dataset
    out = {}
    for names in group_names(fit.model.resolved):
        if names.pairs:
            zero = posterior[names.sd].values[..., list(names.sd_of)] == 0
            i, j = np.array(names.pairs).T
            out[names.cor] = zero[..., i] | zero[..., j]
    return out
