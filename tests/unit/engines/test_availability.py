"""Which methods a model has, why not the others, and what to write instead."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning, IdentifiabilityError, MethodError

RNG = np.random.default_rng(8)
TABLE = pd.DataFrame(
    {
        "y": RNG.normal(size=40) + np.repeat(RNG.normal(size=10), 4),
        "yes": np.where(RNG.random(40) < 0.5, "yes", "no"),
        "x": RNG.normal(size=40),
        "day": np.tile(["mon", "tue", "wed", "thu"], 10),
        "g": np.repeat([f"g{i}" for i in range(10)], 4),
    }
)


@pytest.mark.filterwarnings("error::bayeslmm.errors.BayeslmmWarning")
def test_one_reason_is_one_sentence_and_a_two_level_response_a_note() -> None:
    model = bl.Model("yes ~ x + (1 | g)", TABLE, family="bernoulli")
    text = repr(model)
    assert "available: nuts" in text
    assert text.count("The other methods need a Gaussian response, not bernoulli.") == 1
    assert "The response 'yes' is 1 for yes and 0 for no." in model.notes


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("~ x", "varexp(x)"),
        ("~ day", "diag(day)"),
        ("~ x + day", "varexp(x) + diag(day)"),
        ("~ x * day", None),
        ("~ 0 + x", None),
        ("~ x + (1 | g)", None),
    ],
)
@pytest.mark.filterwarnings("ignore::bayeslmm.errors.IdentifiabilityWarning")
def test_a_predictor_of_sigma_names_the_structure_of_residuals(text: str, instead: str) -> None:
    model = bl.Model("y ~ x + (1 | g)", TABLE, dpar={"sigma": text})
    with pytest.raises(MethodError) as caught:
        model.fit("ml")
    assert "it needs one sigma for all rows" in str(caught.value)
    assert ("residual=" in str(caught.value)) == (instead is not None)
    if instead is not None:
        assert f'write residual="{instead}"' in str(caught.value)
        assert bl.Model("y ~ x + (1 | g)", TABLE, residual=instead).fit("ml").converged


@pytest.mark.parametrize(
    ("term", "residual"),
    [
        ("(0 + day | g)", "us(day | g)"),
        ("(day | g)", "us(day | g)"),
        ("(0 + day || g)", "diag(day)"),
    ],
)
def test_a_saturated_term_is_pointed_to_residuals(term: str, residual: str) -> None:
    for data in (TABLE, TABLE.drop(index=[3, 17])):  # one row per cell, a few cells empty
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BayeslmmWarning)
            model = bl.Model(f"y ~ day + {term}", data)
            with pytest.raises(IdentifiabilityError) as caught:
                model.fit("reml")
        assert f'write residual="{residual}"' in str(caught.value)
        bl.Model("y ~ day", data, residual=residual).fit("reml")


def test_other_terms_without_residuals_keep_their_remedy() -> None:
    twice = pd.concat([TABLE, TABLE.assign(y=TABLE["y"] + RNG.normal(size=40))])
    model = bl.Model("y ~ day + (0 + day | g)", twice)
    assert model.fit("reml").converged
    with pytest.warns(BayeslmmWarning, match="Leave out one of them, or give known_sd="):
        bl.Model("y ~ x + (1 | each)", TABLE.assign(each=range(40)))
