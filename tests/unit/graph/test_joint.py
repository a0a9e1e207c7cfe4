"""The PyMC model's log density is the sum of the numpy log densities of all its parts."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from pytensor.compile.mode import Mode

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning
from bayeslmm.families import FAMILIES
from bayeslmm.graph import hierarchical
from bayeslmm.model import Model
from bayeslmm.model.names import contract_names
from tests.unit.graph.joint import log_joint

# PyTensor's own linker, which evaluates without compiling, looks for a BLAS that isn't needed
pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
N = 40


def table() -> pd.DataFrame:
    """Responses for every family over the same design."""
    rng = np.random.default_rng(4)
    counts = rng.poisson(2.0, N)
    positive = rng.gamma(2.0, 1.0, N) + 0.1
    return pd.DataFrame(
        {
            "x": rng.normal(size=N),
            "f": np.tile(["a", "b", "c", "d"], N // 4),
            "g": np.repeat([f"g{i}" for i in range(8)], N // 8),
            "h": np.tile([f"h{i}" for i in range(5)], N // 5),
            "real": rng.normal(size=N),
            "positive": positive,
            "unit": rng.beta(2, 3, N),
            "count": counts * rng.integers(0, 2, N),
            "of_ten": rng.binomial(10, 0.4, N),
            "binary": rng.integers(0, 2, N),
            "level": pd.Categorical(rng.choice(["low", "mid", "top"], N), ordered=True),
            "trials": 10,
            "w": rng.uniform(0.5, 2.0, N),
            "o": rng.normal(size=N) / 5,
        }
    )


RESPONSE = {
    "gaussian": "real",
    "student_t": "real",
    "lognormal": "positive",
    "gamma": "positive",
    "inverse_gaussian": "positive",
    "exponential": "positive",
    "beta": "unit",
    "bernoulli": "binary",
    "ordinal": "level",
    "categorical": "level",
}


def model_of(family: str, rhs: str = "x + (x | g)", **keywords: object) -> Model:
    response = RESPONSE.get(family, "of_ten" if FAMILIES[family].takes_trials else "count")
    trials = "trials" if FAMILIES[family].takes_trials else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        return bl.Model(
            f"{response} ~ {rhs}", table(), family=family, trials=trials, **keywords
        ).resolved


CASES = [(family, link) for family, f in FAMILIES.items() for link in f.links]
MORE = {
    "crossed and nested": ("gaussian", "x + (x || g) + (1 | h)", {}),
    "categorical slopes": ("poisson", "f + (0 + f | h)", {"offset": "o"}),
    "weights": ("gaussian", "x + (1 | g)", {"weights": "w"}),
    "weights of a density": ("gamma", "x + (1 | g)", {"weights": "w"}),
    "known sds": ("gaussian", "x + (1 | g)", {"known_sd": "w"}),
    "sigma by row": ("gaussian", "x + (1 | g)", {"dpar": {"sigma": "~ x + (1 | h)"}}),
    "sigma and weights": ("gaussian", "x", {"dpar": {"sigma": "~ f"}, "weights": "w"}),
    "zeros by row": ("zero_inflated_poisson", "x", {"dpar": {"zi": "~ x + (x | h)"}}),
    "no intercept": ("bernoulli", "0 + x + (1 | g)", {}),
    "priors on the intercept": (
        "poisson",
        "x + (1 | g)",
        {"priors": {"beta": "student_t(4, 0, 2)"}},
    ),
    "a horseshoe": ("poisson", "x + f", {"priors": {"beta": "horseshoe(3, 0.5)"}}),
    "R2D2": ("gaussian", "x + f + (1 | g)", {"priors": {"beta": "r2d2(0.3, 4)"}}),
    "a laplace": ("bernoulli", "x + f", {"priors": {"beta[x]": "laplace(0, 1)"}}),
    "a variance's prior": ("poisson", "x + (1 | g)", {"priors": {"sd^2": "inverse_gamma(2, 1)"}}),
}


def check(model: Model, parametrisation: str, spread: float = 0.3) -> None:
    """At three points off the prior's centre, relative 1e-10."""
    built = hierarchical(model, parametrisation)
    names = contract_names(model)
    names += [v.name for v in built.free_RVs if v.name.startswith("slope_effect_")]
    names = [n for n in names if n in built.named_vars]
    outputs = built.replace_rvs_by_values([built[n] for n in names])
    logp = built.logp(jacobian=False)
    evaluate = built.compile_fn([logp, *outputs], mode=Mode("py", None), on_unused_input="ignore")
    rng, start = np.random.default_rng(1), built.initial_point()
    for _ in range(3):
        point = {k: v + spread * rng.normal(size=np.shape(v)) for k, v in start.items()}
        for k in [k for k in point if k.endswith("_ordered__")]:
            point[k] = np.array([-0.5, 0.2])[: len(point[k])]
        found, *drawn = evaluate(point)
        values = dict(zip(names, drawn, strict=True))
        expected = log_joint(model, values)
        for key, prior in model.priors.items():  # what is drawn is the variance
            if prior.name == "on_variance":
                expected -= float(np.log(2 * values[key.partition("[")[0]]).sum())
        # PyMC's half-Student-t holds log 2 in single precision: 2e-9 for each number
        halves = sum(np.size(values[n]) for n in names if n.endswith(("_local", "_global")))
        assert float(found) == pytest.approx(expected, rel=1e-10, abs=1e-9 + 3e-9 * halves)


@pytest.mark.parametrize(("family", "link"), [c for c in CASES if c[0] != "categorical"])
def test_every_family_and_link(family: str, link: str) -> None:
    response = RESPONSE.get(family, "")
    if link in ("identity", "inverse", "sqrt") and response != "real" and family != "lognormal":
        priors = {"Intercept_centred": "normal(2, 0.1)", "beta": "normal(0, 0.1)"}
        priors["sd"] = "half_normal(0.1)"  # a mean has to stay positive
        check(model_of(family, "x + (1 | g)", link=link, priors=priors), "noncentred", 0.03)
    else:
        check(model_of(family, link=link), "noncentred")


@pytest.mark.parametrize("parametrisation", ["centred", "noncentred"])
@pytest.mark.parametrize(("family", "rhs", "keywords"), MORE.values(), ids=MORE)
def test_every_part(family: str, rhs: str, keywords: dict, parametrisation: str) -> None:
    check(model_of(family, rhs, **keywords), parametrisation)
