"""What variables of a fit are called, and that names which collide give way."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.model.names import RESERVED, group_names


def frame(group: str) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g = np.repeat(list("abcdef"), 5)
    return pd.DataFrame({"y": rng.normal(size=30), "x": rng.normal(size=30), group: g})


@pytest.mark.parametrize("group", sorted(RESERVED))
def test_a_factor_named_as_one_of_ours_gets_an_underscore(group: str) -> None:
    """Said, and noted once; tables keep the user's name, but for the residual's."""
    with pytest.warns(bl.errors.DataWarning, match="is called"):
        model = bl.Model(f"y ~ x + (x | `{group}`)", frame(group))
    label = f"{group}_" if f"{group}_" not in RESERVED else f"{group}__"
    fit = model.fit("conjugate", variances={"sigma": 1.0, f"sd_{label}": [1, 1]}, draws=5)
    posterior, estimate = fit.tree["posterior"].dataset, fit.tree["estimate"].dataset
    assert posterior[f"u_{label}"].dims == ("chain", "draw", label, f"{label}_coef")
    assert f"cor_{label}" in estimate
    shown = label if group == "Residual" else group
    assert set(fit.ranef()["group"]) == set(fit.varcorr()["group"]) - {"Residual"} == {shown}
    assert fit.predict(effects=[group]).shape == (30, 4)
    assert list(model.to_pymc().coords[label]) == sorted("abcdef")
    assert sum(f"'{group}' is called '{label}'" in note for note in fit.notes) == 1


def test_nested_factors_and_terms_on_one_factor_are_merged() -> None:
    data = frame("batch").assign(cask=np.tile([1, 2, 3, 4, 5], 6) // 2)
    model = bl.Model("y ~ x + (1 | batch/cask) + (0 + x | batch)", data).resolved
    names = group_names(model)
    assert [g.group for g in names] == ["batch", "batch:cask"]
    assert names[0].coefs == ("Intercept", "x") and names[0].pairs == ()
    assert [g.u for g in names] == ["u_batch", "u_batch:cask"]


def test_pairs_are_in_the_order_of_their_labels() -> None:
    data = frame("g").assign(z=np.arange(30.0) % 7)
    (g,) = group_names(bl.Model("y ~ x + (x + z | g)", data).resolved)
    assert g.pair_labels == ["Intercept,x", "Intercept,z", "x,z"]
    assert list(g.coords()) == ["g", "g_coef", "g_pair"]
