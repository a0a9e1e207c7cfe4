"""Small random designs of every kind, and the covariances to look at them with."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

import bayeslmm as bl
from bayeslmm.gaussian.crossed import crossed
from bayeslmm.gaussian.equations import Equations, equations
from bayeslmm.gaussian.moments import moments
from bayeslmm.gaussian.variances import Variances
from bayeslmm.model import Model

DESIGNS = {
    "intercepts": "y ~ x + (1 | g)",
    "slopes": "y ~ x + (x | g)",
    "three coefficients": "y ~ x + z + (x + z | g)",
    "uncorrelated": "y ~ x + (x || g)",
    "one variance": "y ~ x + id(x | g)",
    "two terms on a factor": "y ~ x + (1 | g) + (0 + x + z | g)",
    "crossed": "y ~ x + (x | g) + (1 | h)",
    "nested": "y ~ z + (z | h/m)",
    "three factors": "y ~ x + (1 | h) + (0 + z | m) + (x | g)",
    "categorical": "y ~ 0 + h + (0 + m | g)",
    "no fixed part": "y ~ 0 + (x | g)",
    "no random part": "y ~ x * z",
}
SEVERAL_FACTORS = ("crossed", "nested", "three factors")
SOLVED = {
    f"{name}{'' if rest is None else ', ' + rest}": (formula, rest)
    for name, formula in DESIGNS.items()
    for rest in (("dense", "sparse") if name in SEVERAL_FACTORS else (None,))
}

EXTRAS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights and offset": {"weights": "w", "offset": "o"},
    "known sd": {"known_sd": "s", "offset": "o"},
    "missing cells": {},
}


def frame_of(seed: int) -> pd.DataFrame:
    """Unbalanced rows, a response that the factors move, weights (some zero), known sds."""
    rng = np.random.default_rng(seed)
    n = 48
    g, h, m = (rng.permutation(np.arange(n) % k) for k in (7, 4, 3))
    g[rng.integers(0, n, 15)] = 2
    x, z = rng.normal(1.0, 1.0, n), rng.normal(0.0, 2.0, n)
    y = 3 + 0.5 * x + rng.normal(size=7)[g] + rng.normal(size=4)[h] * z + rng.normal(size=n)
    weights = rng.uniform(0.2, 3.0, n)
    weights[rng.integers(0, n, 4)] = 0.0
    return pd.DataFrame(
        {
            "y": y,
            "x": x,
            "z": z,
            "g": g,
            "h": np.array(list("abcd"))[h],
            "m": np.array(["k", "l", "m"])[m],
            "w": weights,
            "s": rng.uniform(0.5, 1.5, n),
            "o": rng.normal(0.0, 2.0, n),
        }
    )


def quietly(formula: str, frame: pd.DataFrame, **settings: Any) -> Model:
    """The inner model; what is said about small designs is not heard here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        return bl.Model(formula, frame, **settings).resolved


def build(formula: str, extra: str = "plain", seed: int = 0, priors: Any = None) -> Model:
    """The inner model of a random frame."""
    frame = frame_of(seed)
    if extra == "missing cells":
        frame.loc[[3, 17], "y"] = np.nan
        frame.loc[[5, 40], "x"] = np.nan
        frame.loc[8, "z"] = np.nan
    return quietly(formula, frame, priors=priors, **EXTRAS[extra])


def system_of(
    model: Model, rest: str | None = None, columns: tuple[int, ...] | None = None
) -> Equations:
    """The equations, the Schur complement of several factors held as asked for."""
    if rest is None:
        return equations(model, columns)
    m = moments(model, columns)
    return Equations(m, crossed(m, rest=rest))


def random_variances(
    model: Model, seed: int, size: int = 1, *, singular: bool = False
) -> Variances:
    """Covariances of the model's structures; singular ones have a direction without variance."""
    rng = np.random.default_rng(seed)
    out = [np.zeros((size, b.n_coefs, b.n_coefs)) for b in model.design.blocks]
    for term in model.terms:
        k = len(term.columns)
        theta = rng.normal(0.0, 1.0, (size, term.n_parameters)) + term.structure.theta_start(k)
        factor = term.structure.factor(theta, k)
        if singular:
            factor[:, :, -1] = 0.0
        rows = np.array(term.columns)
        out[term.block][:, rows[:, None], rows[None, :]] = factor @ factor.swapaxes(1, 2)
    sigma = np.ones(size) if model.sigma_known else rng.uniform(0.5, 2.0, size)
    return Variances(tuple(out), sigma)
