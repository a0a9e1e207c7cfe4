"""Estimability and design criteria of models, against the dense V and against hand calculations."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import (
    ColumnError,
    DataError,
    IdentifiabilityWarning,
    MethodError,
    ModelError,
    PriorError,
)

LETTERS = list("ADEGV")


def two_way(**extra: Any) -> pd.DataFrame:
    """Unbalanced, two levels by three; nothing in the cell (2, 3)."""
    cells = [("1", "1")] * 2 + [("1", "2"), ("1", "3"), ("2", "1")] + [("2", "2")] * 2
    out = pd.DataFrame(cells, columns=["a", "b"])
    return out.assign(y=np.arange(7.0) ** 2, **extra)


def model_of(formula: str, data: pd.DataFrame, **options: Any) -> bl.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        return bl.Model(formula, data, **options)


def grouped(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 24
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(3.0, 1.0, n),
            "g": np.arange(n) // 4,
            "h": np.arange(n) % 3,
            "t": np.arange(n) % 4,
            "w": rng.uniform(0.5, 2.0, n),
        }
    )


def test_the_empty_cell_of_a_two_way_table() -> None:
    model = model_of("y ~ a * b", two_way())
    assert bl.is_estimable(model, {"a[2]": 1})  # at b = 1
    assert bl.is_estimable(model, {"a[2]": 1, "a[2]:b[2]": 1})  # at b = 2
    assert not bl.is_estimable(model, {"a[2]": 1, "a[2]:b[3]": 1})  # at b = 3: nothing there
    assert not bl.is_estimable(model, {"a[2]": 3, "a[2]:b[2]": 1, "a[2]:b[3]": 1})  # average
    assert bl.is_estimable(model_of("y ~ a + b", two_way()), {"Intercept": 1, "a[2]": 1, "b[3]": 1})
    table = bl.estimable_functions(model)
    assert list(table.index) == ["Intercept", "a[2]", "b[2]", "b[3]", "a[2]:b[2]"]
    assert table["a[2]:b[3]"].tolist() == [0.0] * 5
    assert table.attrs["aliased"] == {"a[2]:b[3]": "0"}


def test_aliased_columns_by_name() -> None:
    data = two_way(cell=["11", "11", "12", "13", "21", "22", "22"])
    model = model_of("y ~ cell + a", data, priors="flat")
    # a[2] is the sum of the cells 21 and 22
    assert bl.estimable_functions(model).attrs["aliased"] == {"a[2]": "cell[21] + cell[22]"}
    assert not bl.is_estimable(model, {"a[2]": 1})
    assert bl.is_estimable(model, {"a[2]": 1, "cell[21]": 1})
    assert list(bl.estimable_functions(model).index)[3:] == ["cell[21] + a[2]", "cell[22] + a[2]"]
    fit = model.fit("reml")
    assert bl.is_estimable(fit, {"a[2]": 1, "cell[21]": 1})


def test_bad_contrasts() -> None:
    model = model_of("y ~ a", two_way())
    with pytest.raises(ColumnError, match=r"no coefficient 'a\[3\]'.*a\[2\]"):
        bl.is_estimable(model, {"a[3]": 1})
    for wrong in ({}, "a[2]", {"a[2]": np.nan}):
        with pytest.raises(DataError, match=r"contrast"):
            bl.is_estimable(model, wrong)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="a Model or a Fit"):
        bl.is_estimable(two_way(), {"a[2]": 1})  # type: ignore[arg-type]


def expected(information: np.ndarray, rows: np.ndarray) -> list[float]:
    covariance = np.linalg.inv(information)
    spread = np.einsum("rp,pq,rq->r", rows, covariance, rows)
    p = len(covariance)
    return [
        float(np.trace(covariance)),
        float(np.linalg.det(covariance) ** (1 / p)),
        float(np.linalg.norm(covariance, 2)),
        float(spread.max()),
        float(spread.mean()),
    ]


def values(found: bl.api.DesignCriteria) -> list[float]:
    return [getattr(found, c) for c in LETTERS]


def test_least_squares_by_hand() -> None:
    """Means of two groups of 3 and 2: variances 1/3 and 1/2."""
    data = pd.DataFrame({"y": np.arange(5.0), "f": list("aaabb")})
    found = bl.design_criteria(bl.Model("y ~ 0 + f", data))
    np.testing.assert_allclose(values(found), [5 / 6, 6**-0.5, 1 / 2, 1 / 2, 2 / 5])
    assert found.I == found.V
    np.testing.assert_allclose(found.covariance, np.diag([1 / 3, 1 / 2]))
    at = bl.design_criteria(bl.Model("y ~ 0 + f", data), at=pd.DataFrame({"f": ["a"]}))
    assert (round(at.G, 12), round(at.V, 12)) == (round(1 / 3, 12), round(1 / 3, 12))
    text = repr(found)
    assert "ordinary least squares, sigma = 1" in text and "geometric mean" in text
    assert "<table" in found._repr_html_()


@pytest.mark.parametrize("extra", [{}, {"weights": "w"}, {"known_sd": "w"}])
def test_weighted_least_squares(extra: dict[str, str]) -> None:
    data = grouped()
    X = np.column_stack([np.ones(24), data["x"]])
    w = data["w"].to_numpy()
    W = {"weights": w, "known_sd": w**-2}.get(next(iter(extra), ""), np.ones(24))
    found = bl.design_criteria(bl.Model("y ~ x + (1 | g)", data, **extra))
    np.testing.assert_allclose(values(found), expected(X.T @ (W[:, None] * X), X), rtol=1e-9)
    assert "without the random terms" in found.under


def dense(data: pd.DataFrame, sd_g: list[float], cor: float, sd_h: float, R: Any) -> np.ndarray:
    n = len(data)
    Zg = np.column_stack([np.ones(n), data["x"]])
    G = np.outer(sd_g, sd_g) * np.array([[1, cor], [cor, 1]])
    same_g = np.equal.outer(data["g"].to_numpy(), data["g"].to_numpy())
    same_h = np.equal.outer(data["h"].to_numpy(), data["h"].to_numpy())
    return (Zg @ G @ Zg.T) * same_g + sd_h**2 * same_h + R


GIVEN = {"sigma": 1.5, "sd_g": [0.8, 0.3], "cor_g": -0.4, "sd_h": 0.6}


def test_mixed_model_at_given_variances() -> None:
    data = grouped()
    X = np.column_stack([np.ones(24), data["x"]])
    V = dense(data, [0.8, 0.3], -0.4, 0.6, 1.5**2 * np.diag(1 / data["w"]))
    model = model_of("y ~ x + (x | g) + (1 | h)", data, weights="w")
    found = bl.design_criteria(model, GIVEN)
    np.testing.assert_allclose(values(found), expected(X.T @ np.linalg.solve(V, X), X), rtol=1e-9)
    relative = {"rel_sd_g": [0.8 / 1.5, 0.3 / 1.5], "cor_g": -0.4, "rel_sd_h": 0.6 / 1.5}
    ratio = bl.design_criteria(model, relative)
    np.testing.assert_allclose(np.array(values(ratio)) * 1.5**2, values(found), rtol=1e-9)
    assert "units of sigma²" in ratio.under
    other = bl.design_criteria(model_of("z ~ x + (x | g) + (1 | h)", data.assign(z=data["t"] ** 2),
                                        weights="w"), GIVEN)  # fmt: skip
    np.testing.assert_allclose(values(other), values(found), rtol=1e-9)  # whatever y is


def test_residuals_that_correlate() -> None:
    data = grouped()
    X = np.column_stack([np.ones(24), data["x"]])
    lag = np.abs(np.subtract.outer(data["t"].to_numpy(), data["t"].to_numpy()))
    same = np.equal.outer(data["g"].to_numpy(), data["g"].to_numpy())
    V = 2.0**2 * np.where(same, 0.5**lag, 0.0)
    model = bl.Model("y ~ x", data, residual="ar1(t | g)")
    found = bl.design_criteria(model, {"sigma": 2.0, "residual_par": [0.5]})
    np.testing.assert_allclose(values(found), expected(X.T @ np.linalg.solve(V, X), X), rtol=1e-9)


def test_estimated_variances_are_those_of_a_fit() -> None:
    model = model_of("y ~ x + (1 | g)", grouped(4).assign(y=lambda d: d["y"] + d["g"]))
    fit = model.fit("reml")
    found = bl.design_criteria(model, fit)
    np.testing.assert_allclose(found.covariance, fit.vcov(), rtol=1e-8)
    wanted = expected(np.linalg.inv(fit.vcov().to_numpy()), model.resolved.design.X)
    np.testing.assert_allclose(values(found), wanted, rtol=1e-7)
    bayes = model.fit("conjugate", variances=fit, kappa=0, draws=10, seed=1)
    np.testing.assert_allclose(bl.design_criteria(model, bayes).A, found.A, rtol=1e-9)


def test_with_the_prior_it_is_the_posterior() -> None:
    data = grouped()
    model = model_of(
        "y ~ x + (x | g) + (1 | h)", data, priors={"beta[x]": "normal(1, 0.5)"}, weights="w"
    )
    found = bl.design_criteria(model, GIVEN, prior=True)
    posterior = model.fit("conjugate", variances=GIVEN, draws=10, seed=1)
    np.testing.assert_allclose(found.covariance, posterior.vcov(), rtol=1e-8)
    assert found.under == "given variances; with the priors of beta"
    # aliased columns stay where priors are proper
    aliased = model_of("y ~ a * b", two_way(), priors={"beta": "normal(0, 2)"})
    both = bl.design_criteria(aliased, prior=True)
    X = aliased.resolved.design.X
    np.testing.assert_allclose(values(both), expected(X.T @ X + np.eye(6) / 4, X), rtol=1e-9)
    without = bl.design_criteria(aliased)
    np.testing.assert_allclose(values(without), expected(X.T[:5] @ X[:, :5], X[:, :5]), rtol=1e-9)
    assert without.notes == ("Aliased columns are left out: a[2]:b[3].",)
    assert "Aliased" in repr(without)


def test_comparison() -> None:
    """Slopes on (-1, 1) with all rows at the ends, and with a third of them in the middle."""
    ends = pd.DataFrame({"y": np.arange(6.0), "x": [-1.0] * 3 + [1.0] * 3})
    even = pd.DataFrame({"y": np.arange(6.0), "x": [-1.0, 0.0, 1.0] * 2})
    designs = {"ends": bl.Model("y ~ x", ends), "even": bl.Model("y ~ x", even)}
    table = bl.compare_designs(designs)
    assert list(table.index) == ["ends", "even"]
    assert list(table.columns) == ["n", *LETTERS, *(f"{c}_efficiency" for c in LETTERS)]
    np.testing.assert_allclose(table["A"], [2 / 6, 1 / 6 + 1 / 4])
    np.testing.assert_allclose(table["D_efficiency"], [1.0, (24 / 36) ** 0.5])
    # one region for both: the rows of either
    np.testing.assert_allclose(table["V"], [1 / 6 + 10 / 12 / 6, 1 / 6 + 10 / 12 / 4])
    double = {"six": designs["ends"], "twelve": bl.Model("y ~ x", pd.concat([ends, ends]))}
    np.testing.assert_allclose(bl.compare_designs(double)["A_efficiency"], [0.5, 1.0])
    per_row = bl.compare_designs(double, per_row=True)
    np.testing.assert_allclose(per_row.loc["six", LETTERS], per_row.loc["twelve", LETTERS])
    at = bl.compare_designs(designs, at=pd.DataFrame({"x": [0.0]}))
    np.testing.assert_allclose(at["G"], [1 / 6, 1 / 6])


def test_comparison_of_mixed_designs() -> None:
    """Groups of size r: Var(mean) = (sd² + sigma²/r) / J, so more groups are better."""
    few = pd.DataFrame({"y": np.arange(12.0), "g": np.arange(12) // 6})
    many = few.assign(g=np.arange(12) // 2)
    designs = {"few": bl.Model("y ~ 1 + (1 | g)", few), "many": bl.Model("y ~ 1 + (1 | g)", many)}
    table = bl.compare_designs(designs, {"sigma": 2.0, "sd_g": [3.0]})
    np.testing.assert_allclose(table["D"], [(9 + 4 / 6) / 2, (9 + 4 / 2) / 6])


def test_refusals() -> None:
    data = grouped()
    model = bl.Model("y ~ x", data)
    with pytest.raises(MethodError, match="Gaussian response"):
        bl.design_criteria(bl.Model("t ~ x", data, family="poisson"))
    with pytest.raises(PriorError, match="normal or flat"):
        heavy = bl.Model("y ~ x", data, priors={"beta": "student_t(3, 0, 1)"})
        bl.design_criteria(heavy, prior=True)
    with pytest.raises(MethodError, match="has no value for 'sd_g'"):
        bl.design_criteria(bl.Model("y ~ x + (1 | g)", data), {"sigma": 1.0})
    with pytest.raises(ModelError, match="same coefficients"):
        bl.compare_designs({"one": model, "two": bl.Model("y ~ x + w", data)})
    with pytest.raises(ModelError, match="dict from name to Model"):
        bl.compare_designs({})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        one = bl.Model("y ~ x", data, weights=np.eye(24)[0])
    assert one.resolved.aliasing.rank == 1  # a single row tells of one coefficient
