"""Columns of X against matrices written by hand, names and order as R's `model.matrix`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayeslmm.design import learn
from bayeslmm.errors import DataError, DataWarning, FormulaError
from bayeslmm.formula import parse

FRAME = pd.DataFrame(
    {
        "y": [1.0, 2.0, 4.0, 3.0, 6.0, 5.0],
        "x": [1, 2, 3, 4, 5, 6],
        "f": ["b", "a", "b", "a", "b", "a"],
        "h": ["u", "u", "v", "v", "w", "w"],
        "t": [True, False, True, True, False, False],
        "k": [10, 20, 10, 30, 20, 30],
    }
)
ONE = [1, 1, 1, 1, 1, 1]
X = [1, 2, 3, 4, 5, 6]
A, B = [0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0]
U, V, W = [1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]
XA, XB = [0, 2, 0, 4, 0, 6], [1, 0, 3, 0, 5, 0]

CASES: list[tuple[str, dict[str, list[float]]]] = [
    ("1", {"Intercept": ONE}),
    ("x", {"Intercept": ONE, "x": X}),
    ("f", {"Intercept": ONE, "f[b]": B}),
    ("0 + f", {"f[a]": A, "f[b]": B}),
    ("0 + f + h", {"f[a]": A, "f[b]": B, "h[v]": V, "h[w]": W}),
    ("f + h", {"Intercept": ONE, "f[b]": B, "h[v]": V, "h[w]": W}),
    ("t", {"Intercept": ONE, "t[True]": [1, 0, 1, 1, 0, 0]}),
    ("x*f", {"Intercept": ONE, "x": X, "f[b]": B, "x:f[b]": XB}),
    ("x:f", {"Intercept": ONE, "x:f[a]": XA, "x:f[b]": XB}),
    ("x + x:f", {"Intercept": ONE, "x": X, "x:f[b]": XB}),
    ("0 + x:f", {"x:f[a]": XA, "x:f[b]": XB}),
    ("0 + f:x", {"f[a]:x": XA, "f[b]:x": XB}),
    (
        "f*h",
        {
            "Intercept": ONE,
            "f[b]": B,
            "h[v]": V,
            "h[w]": W,
            "f[b]:h[v]": [0, 0, 1, 0, 0, 0],
            "f[b]:h[w]": [0, 0, 0, 0, 1, 0],
        },
    ),
    (
        # no main effects: R takes dummies of both, and so the columns are as many as cells
        "0 + f:h",
        {
            "f[a]:h[u]": [0, 1, 0, 0, 0, 0],
            "f[b]:h[u]": [1, 0, 0, 0, 0, 0],
            "f[a]:h[v]": [0, 0, 0, 1, 0, 0],
            "f[b]:h[v]": [0, 0, 1, 0, 0, 0],
            "f[a]:h[w]": [0, 0, 0, 0, 0, 1],
            "f[b]:h[w]": [0, 0, 0, 0, 1, 0],
        },
    ),
    (
        "f/h",
        {
            "Intercept": ONE,
            "f[b]": B,
            "f[a]:h[v]": [0, 0, 0, 1, 0, 0],
            "f[b]:h[v]": [0, 0, 1, 0, 0, 0],
            "f[a]:h[w]": [0, 0, 0, 0, 0, 1],
            "f[b]:h[w]": [0, 0, 0, 0, 1, 0],
        },
    ),
    ("C(k)", {"Intercept": ONE, "C(k)[20]": [0, 1, 0, 0, 1, 0], "C(k)[30]": [0, 0, 0, 1, 0, 1]}),
    (
        "C(k, contr.treatment(30))",
        {
            "Intercept": ONE,
            "C(k, contr.treatment(30))[10]": [1, 0, 1, 0, 0, 0],
            "C(k, contr.treatment(30))[20]": [0, 1, 0, 0, 1, 0],
        },
    ),
    (
        "C(h, contr.treatment('v'))",
        {
            "Intercept": ONE,
            'C(h, contr.treatment("v"))[u]': U,
            'C(h, contr.treatment("v"))[w]': W,
        },
    ),
    (
        "C(h, contr.sum)",
        {
            "Intercept": ONE,
            "C(h, contr.sum)[u]": [1, 1, 0, 0, -1, -1],
            "C(h, contr.sum)[v]": [0, 0, 1, 1, -1, -1],
        },
    ),
    (
        "C(h, contr.helmert)",
        {
            "Intercept": ONE,
            "C(h, contr.helmert)[v]": [-1, -1, 1, 1, 0, 0],
            "C(h, contr.helmert)[w]": [-1, -1, -1, -1, 2, 2],
        },
    ),
    (
        "C(h, contr.diff)",  # MASS::contr.sdif
        {
            "Intercept": ONE,
            "C(h, contr.diff)[v]": [-2 / 3, -2 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3],
            "C(h, contr.diff)[w]": [-1 / 3, -1 / 3, -1 / 3, -1 / 3, 2 / 3, 2 / 3],
        },
    ),
    (
        "C(h, contr.poly)",
        {
            "Intercept": ONE,
            "C(h, contr.poly)[.L]": list(np.array([-1, -1, 0, 0, 1, 1]) / 2**0.5),
            "C(h, contr.poly)[.Q]": list(np.array([1, 1, -2, -2, 1, 1]) / 6**0.5),
        },
    ),
    (
        "0 + C(h, contr.sum)",
        {"C(h, contr.sum)[u]": U, "C(h, contr.sum)[v]": V, "C(h, contr.sum)[w]": W},
    ),
    (
        "I(x**2) + I(2 - x)",
        {"Intercept": ONE, "I(x**2)": [1, 4, 9, 16, 25, 36], "I(2 - x)": [1, 0, -1, -2, -3, -4]},
    ),
    ("I((x - 3) * (x > 3))", {"Intercept": ONE, "I((x - 3) * (x > 3))": [0, 0, 0, 1, 2, 3]}),
    ("I(2*t)", {"Intercept": ONE, "I(2 * t)": [2, 0, 2, 2, 0, 0]}),
    (
        "log(x) + exp(-x)",
        {"Intercept": ONE, "log(x)": list(np.log(X)), "exp(-x)": list(np.exp(-np.array(X)))},
    ),
    ("center(x)", {"Intercept": ONE, "center(x)": [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]}),
    ("scale(x)", {"Intercept": ONE, "scale(x)": list((np.array(X) - 3.5) / 3.5**0.5)}),
    (
        "poly(x, 2)",
        {
            "Intercept": ONE,
            "poly(x, 2)[1]": list(np.array([-5, -3, -1, 1, 3, 5]) / 70**0.5),
            "poly(x, 2)[2]": list(np.array([5, -1, -4, -4, -1, 5]) / 84**0.5),
        },
    ),
    (
        "poly(x, 2, raw=True)",
        {
            "Intercept": ONE,
            "poly(x, 2, raw=True)[1]": X,
            "poly(x, 2, raw=True)[2]": [1, 4, 9, 16, 25, 36],
        },
    ),
]


@pytest.mark.parametrize(("right", "columns"), CASES, ids=[c[0] for c in CASES])
def test_columns_are_those_of_model_matrix(right: str, columns: dict[str, list[float]]) -> None:
    design = learn(parse(f"y ~ {right}"), FRAME)
    assert design.coefs == tuple(columns)
    np.testing.assert_allclose(design.X, np.column_stack(list(columns.values())), atol=1e-12)
    assert design.X.dtype == np.float64
    assert design.has_intercept == ("Intercept" in columns)


def test_b_spline_against_its_definition() -> None:
    # degree 1, one knot: hat functions at 3 and 6
    design = learn(parse("y ~ 0 + bs(x, knots=[3], degree=1)"), FRAME)
    expected = np.array([[0, 0], [0.5, 0], [1, 0], [2 / 3, 1 / 3], [1 / 3, 2 / 3], [0, 1]])
    np.testing.assert_allclose(design.X, expected, atol=1e-12)


def test_natural_spline_is_centred_and_linear_outside() -> None:
    design = learn(parse("y ~ 0 + cr(x, df=3)"), FRAME)
    np.testing.assert_allclose(design.X.sum(axis=0), 0, atol=1e-12)
    outside = design.apply({"x": [7.0, 8.0, 9.0, 0.0, -1.0, -2.0]}).X
    np.testing.assert_allclose(np.diff(outside[:3], n=2, axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(np.diff(outside[3:], n=2, axis=0), 0, atol=1e-10)


def test_ordered_categorical_gets_polynomials_and_says_so() -> None:
    levels = ["low", "mid", "high"]
    dose = pd.Categorical(["low", "mid", "high"] * 2, categories=levels, ordered=True)
    frame = FRAME.assign(dose=dose)
    linear = np.array([-1, 0, 1] * 2) / 2**0.5
    with pytest.warns(DataWarning, match="dose is an ordered categorical: .*polynomial"):
        design = learn(parse("y ~ dose*x"), frame)
    assert design.coefs == ("Intercept", "dose[.L]", "dose[.Q]", "x", "dose[.L]:x", "dose[.Q]:x")
    np.testing.assert_allclose(design.X[:, 1], linear, atol=1e-12)
    np.testing.assert_allclose(design.X[:, 4], linear * X, atol=1e-12)
    assert "polynomial contrasts" in design.notes[0]
    plain = learn(parse("y ~ C(dose, contr.treatment)"), frame)
    assert plain.coefs[1:] == ("C(dose, contr.treatment)[mid]", "C(dose, contr.treatment)[high]")
    assert learn(parse("y ~ 0 + dose"), frame).coefs == ("dose[low]", "dose[mid]", "dose[high]")


def test_columns_named_like_functions() -> None:
    frame = FRAME.rename(columns={"x": "log", "h": "C", "f": "np"})
    design = learn(parse("y ~ log(log) + log + C + np"), frame)
    assert design.coefs == ("Intercept", "log(log)", "log", "C[v]", "C[w]", "np[b]")
    np.testing.assert_allclose(design.X[:, 1], np.log(X))


def test_names_between_backticks() -> None:
    frame = FRAME.rename(columns={"x": "my x", "f": "1st µ"})
    design = learn(parse("y ~ `my x`*`1st µ` + log(`my x`)"), frame)
    assert design.coefs == ("Intercept", "my x", "1st µ[b]", "log(`my x`)", "my x:1st µ[b]")


@pytest.mark.parametrize(
    ("right", "error", "words"),
    [
        ("log(x - 3)", DataError, "log(x - 3) is not finite in 3 of 6 rows, the first is row 0"),
        ("I(1/(x - 2))", DataError, "division by zero"),
        ("sqrt(x - 2)", DataError, "Square roots"),
        ("exp(x*1000)", DataError, "is not finite"),
        ("I(9**9**9**9 + x)", DataError, "is not finite"),
        ("scale(I(0*x))", DataError, "doesn't vary"),
        ("log(f)", DataError, "'f' must be numeric"),
        ("poly(x, 6)", DataError, "6 distinct values"),
        ("bs(x, df=2)", FormulaError, "bs(x, df=2) can't be computed"),
        ("cr(x)", FormulaError, "Must specify either"),
        ("C(h, contr.treatment('z'))", FormulaError, "'z' is not a level of 'h'"),
        ("C(h, contr.poly(scores=[1, 2]))", FormulaError, "a score for each of its 3 levels"),
        ("C(one)", DataError, "'one' has one level only"),
        ("x + `C(one)`", DataError, "one level only"),
    ],
)
def test_columns_that_cannot_be_made(right: str, error: type[Exception], words: str) -> None:
    frame = FRAME.assign(one=1, **{"C(one)": "a"})
    with pytest.raises(error) as caught:
        learn(parse(f"y ~ {right}"), frame)
    assert words in str(caught.value)
