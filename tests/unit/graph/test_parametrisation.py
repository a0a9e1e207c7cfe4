"""Which parametrisation is chosen, and that the one chosen is the conditional it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytensor
import pytest
from pytensor.compile.mode import Mode

import bayeslmm as bl
from bayeslmm.errors import MethodError
from bayeslmm.graph import hierarchical
from bayeslmm.graph.parametrisation import choose

# PyTensor's own linker, which evaluates without compiling, looks for a BLAS that isn't needed
pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
PLAIN = Mode(linker="py", optimizer=None)


@pytest.fixture(scope="module")
def pastes() -> bl.Model:
    data = bl.load_dataset("pastes").assign(se=0.8)
    return bl.Model("strength ~ 1 + (1 | batch/cask)", data, known_sd="se")


def test_chosen_by_reliability_and_told(pastes: bl.Model) -> None:
    choices = choose(pastes.resolved)
    assert list(choices) == ["batch", "batch:cask"]
    assert all(c.name == "between" and "level reliabilities" in c.text for c in choices.values())
    reliability = [c.said.reliability.mean() for c in choices.values() if c.said]
    assert reliability[0] < 0.5 < reliability[1]


def test_asked_for_is_done(pastes: bl.Model) -> None:
    model = pastes.resolved
    for name in ("centred", "noncentred"):
        assert {c.name for c in choose(model, name).values()} == {name}
    mixed = choose(model, {"batch": "centred"})
    assert (mixed["batch"].name, mixed["batch:cask"].name) == ("centred", "between")
    assert "requested" in mixed["batch"].text


@pytest.mark.parametrize("wrong", ["center", {"btach": "centred"}, {"batch": "none"}])
def test_unknown_ones_are_refused(pastes: bl.Model, wrong: Any) -> None:
    with pytest.raises(MethodError, match="parametrisation"):
        choose(pastes.resolved, wrong)


def test_without_information_nothing_is_centred() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=40), "g": np.repeat(list("abcdefgh"), 5)})
    data["x"] = np.tile(np.linspace(-1, 1, 5), 8)
    data["se"] = 1e4
    vague = bl.Model("y ~ x + (1 | g)", data, known_sd="se", priors={"sd": "exponential(1)"})
    assert choose(vague.resolved)["g"].name in ("between", "noncentred")
    of_sigma = bl.Model("y ~ x", data, dpar={"sigma": "~ 1 + (1 | g)"}).resolved.dpars["sigma"]
    assert choose(of_sigma)["g"].name == "noncentred"


def test_every_family_gets_an_answer() -> None:
    """A working model for each; a response that it fails on is drawn non-centred, not refused."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(10), 8)
    eta = 0.5 + rng.normal(scale=0.7, size=10)[g]
    frame = {
        "g": [f"{i}" for i in g],
        "count": rng.poisson(np.exp(eta)),
        "yes": (rng.random(80) < 1 / (1 + np.exp(-eta))).astype(int),
        "time": rng.gamma(2.0, np.exp(eta) / 2),
        "share": np.clip(rng.beta(3, 3, 80), 0.01, 0.99),
        "score": pd.Categorical(np.digitize(eta + rng.logistic(size=80), [0, 1]), ordered=True),
    }
    data = pd.DataFrame(frame)
    for response, family in {
        "count": "negative_binomial",
        "yes": "bernoulli",
        "time": "gamma",
        "share": "beta",
        "score": "ordinal",
    }.items():
        model = bl.Model(f"{response} ~ 1 + (1 | g)", data, family=family).resolved
        assert choose(model)["g"].name == "between", family


def _log_density(model: Any) -> tuple[Any, list[str]]:
    """A function from the free variables to the joint log density, and their names."""
    logp = model.logp()
    return pytensor.function(model.value_vars, logp, mode=PLAIN), [v.name for v in model.value_vars]


@pytest.mark.parametrize("formula", ["strength ~ 1 + (1 | batch/cask)", "y ~ x + (x | g)"])
def test_between_is_standard_normal_given_the_rest(formula: str, pastes: bl.Model) -> None:
    """With a known residual sd the w of the finest factor are N(0, I) given all else, exactly:
    whatever the sds, correlations, coefficients and other effects are."""
    if "batch" in formula:
        model, fine = pastes.resolved, "u_batch:cask"
    else:
        rng = np.random.default_rng(4)
        data = pd.DataFrame({"g": np.repeat(list("abcdef"), 5), "x": rng.normal(3, 1, 30)})
        data["y"], data["se"] = rng.normal(10, 3, 30), 1.5
        model, fine = bl.Model(formula, data, known_sd="se").resolved, "u_g"
    graph = hierarchical(model)
    f, names = _log_density(graph)
    start = graph.initial_point()
    rng = np.random.default_rng(1)
    for _ in range(4):
        rest = {n: start[n] + rng.normal(scale=0.7, size=start[n].shape) for n in names}
        values, squares = [], []
        for _ in range(4):
            moved = {
                n: rng.normal(size=v.shape) * 2 if n.startswith(fine) else v
                for n, v in rest.items()
            }
            values.append(float(f(*[moved[n] for n in names])))
            squares.append(sum(np.sum(v**2) for n, v in moved.items() if n.startswith(fine)))
        np.testing.assert_allclose(
            np.diff(values), -0.5 * np.diff(squares), rtol=1e-7, atol=1e-7 * abs(values[0])
        )
