"""Information about the effects under any family, from a working Gaussian model.

Penalised quasi-likelihood (Breslow & Clayton, 1993, JASA 88(421), 9-25): at the fitted linear
predictor eta the log density is a parabola, `-(z - eta)² h / 2` with the working response
z = eta + score/h and the working precision h. A Gaussian model of z with known standard
deviations h^(-1/2) has effects about where the family's own are. Score and h come from
differences of the family's log density, and so any family will do. A rough answer serves: it
decides how the effects are drawn, not what they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from bayeslmm.families import FAMILIES, LINKS, Auxiliary
from bayeslmm.gaussian.reliability import Estimated, Said, estimated
from bayeslmm.model import Model
from bayeslmm.model.response import describe, predictor

Floats = NDArray[np.float64]
STEPS = 4
FAR = 2.0  # the most that the linear predictor moves by in a step, in units of its link
NEAR = 1e-3  # of the differences
SAMPLE = 5_000  # rows that the family's other parameters are taken from
LEAST = 1e-2  # of the precisions' mean, the least of each


def what_is_said(model: Model) -> tuple[Said, ...]:
    """Information about every factor's effects, in the order of the design's blocks.

    Parameters
    ----------
    model : Model
        Any family but an unordered categorical one.

    Raises
    ------
    ValueError
        No finite answer.
    """
    if model.family.name == "gaussian" and model.link.name == "identity" and not model.dpars:
        return estimated(model).said
    if model.family.categorical == "unordered":
        raise ValueError("an unordered response has no single linear predictor")
    rows = _Rows(model)
    eta = rows.start
    scale = 1.0 if model.link.name != "identity" else rows.spread
    for step in range(STEPS):
        parameters = rows.parameters(eta)
        score, precision = rows.derivatives(eta, parameters, scale)
        move = np.clip(score / precision, -FAR * scale, FAR * scale)
        working = _gaussian(model, eta + move, precision)
        found = estimated(working)
        if step < STEPS - 1:
            eta = model.design.offset + model.design.X[:, model.aliasing.kept] @ found.beta
            for block, u in zip(model.design.blocks, found.u, strict=True):
                eta = eta + np.sum(block.values * u[block.codes], axis=1)
    if len(working.columns) == len(model.columns):
        return found.said
    return _without_intercept(working, found)


def working_model(model: Model, eta: Floats, parameters: dict[str, Floats]) -> Model:
    """The working Gaussian model about a linear predictor, shape (n,), at given parameters."""
    rows = _Rows(model)
    scale = 1.0 if model.link.name != "identity" else rows.spread
    score, precision = rows.derivatives(eta, parameters, scale)
    return _gaussian(model, eta + score / precision, precision)


def _without_intercept(working: Model, found: Estimated) -> tuple[Said, ...]:
    """Ordered categories have none: their cutpoints' change from where they were put is it."""
    coefs = [working.design.coefs[c] for c in working.columns]
    kept = [working.design.coefs[c] for c in working.aliasing.kept]
    where, value = coefs.index("Intercept"), found.beta[kept.index("Intercept")]
    return tuple(
        replace(
            said,
            linear=said.linear - said.by_beta[:, :, where] * value,
            by_beta=np.delete(said.by_beta, where, axis=2),
        )
        for said in found.said
    )


def _gaussian(model: Model, response: Floats, precision: Floats) -> Model:
    """The specification with a Gaussian response of known precision."""
    extras = {"known_sd": precision**-0.5}
    design = replace(model.design, y=response, rows=replace(model.design.rows, extras=extras))
    return replace(
        model, design=design, family=FAMILIES["gaussian"], link=LINKS["identity"], dpars={}
    )


class _Rows:
    """The log density of a model's rows at their linear predictor."""

    def __init__(self, model: Model) -> None:
        self.model = model
        design = model.design
        about = describe(design, model.family, model.link)
        self.about = about
        self.spread = about.robust
        self.trials = design.extras.get("trials")
        self.weights = design.extras.get("weights", np.ones(design.n))
        centre = predictor(about, model.family, model.link, self.trials).centre
        self.start = centre + design.offset
        rng = np.random.default_rng(0)
        self.sample = rng.permutation(design.n)[:SAMPLE]

    def log_density(
        self, eta: Floats, parameters: dict[str, Floats], rows: NDArray[np.intp] | slice
    ) -> Floats:
        model = self.model
        own = {k: v[rows] if np.ndim(v) == 1 and k == "sigma" else v for k, v in parameters.items()}
        mu = model.family.location(eta, model.link, own)
        trials = None if self.trials is None else self.trials[rows]
        y = model.design.y[rows]
        return self.weights[rows] * model.family.log_density(y, mu, own, trials)

    def derivatives(
        self, eta: Floats, parameters: dict[str, Floats], scale: float
    ) -> tuple[Floats, Floats]:
        """Score and precision of each row, the precision kept positive."""
        h = NEAR * scale
        low, here, high = (
            self.log_density(eta + by, parameters, slice(None)) for by in (-h, 0.0, h)
        )
        score = (high - low) / (2 * h)
        precision = (2 * here - high - low) / h**2
        typical = np.mean(np.maximum(precision, 0.0))
        if not (np.all(np.isfinite(score)) and np.isfinite(typical) and typical > 0):
            raise ValueError("the log density has no second derivative")
        return score, np.maximum(precision, LEAST * typical)

    def parameters(self, eta: Floats) -> dict[str, Floats]:
        """The family's other parameters, one after the other at their likelihood's maximum."""
        model = self.model
        out: dict[str, Floats] = {}
        free = []
        for a in model.family.auxiliaries:
            if a.ordered:
                out[a.name] = self._cutpoints()
            elif a.name == "sigma" and model.sigma_known:
                out[a.name] = model.design.extras["known_sd"]
            else:
                out[a.name] = np.asarray(0.1 if np.isfinite(a.upper) else a.unit(self.about))
                free.append(a)
        for a in free:
            out[a.name] = self._best(a, out, eta)
        return out

    def _best(self, a: Auxiliary, parameters: dict[str, Floats], eta: Floats) -> Floats:
        rows = self.sample
        unit = float(parameters[a.name])

        def value(x: float) -> Floats:
            inside = special.expit(x) * (a.upper - a.lower) + a.lower
            return np.asarray(inside if np.isfinite(a.upper) else a.lower + unit * np.exp(x))

        def lost(x: float) -> float:
            given = parameters | {a.name: value(x)}
            total = float(np.sum(self.log_density(eta[rows], given, rows)))
            return -total if np.isfinite(total) else 1e300

        found = optimize.minimize_scalar(
            lost, bounds=(-5.0, 5.0), method="bounded", options={"xatol": 0.1}
        )
        return value(float(found.x))

    def _cutpoints(self) -> Floats:
        """Those of the categories' shares where the predictor is zero."""
        y = self.model.design.y
        counts = np.bincount(y.astype(np.intp), minlength=len(self.model.design.categories))
        below = (np.cumsum(counts)[:-1] + 0.5) / (counts.sum() + 1.0)
        link = self.model.link
        return np.asarray(link.forward(below) if link.name != "identity" else special.logit(below))
