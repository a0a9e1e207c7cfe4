"""Values and names at the edge of what floats and files hold: named in a message of their own."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning, DataError, FormulaError
from tests.bad_input.cases import changed, table


@pytest.mark.parametrize("size", [1e130, 1e300, 1e-130, 1e-300])
@pytest.mark.parametrize("column", ["y", "x"])
def test_values_of_extreme_size_are_named(column: str, size: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(DataError) as caught:
            bl.Model("y ~ x + (x | g)", changed(**{column: table()[column] * size}))
    assert f"'{column}' has values up to" in str(caught.value)
    assert "Change the unit: divide by 1e" in str(caught.value)


def test_a_random_column_of_extreme_size_is_named() -> None:
    with pytest.raises(DataError, match="The random column by 'g' 'x'"):
        bl.Model("y ~ 1 + (x | g)", changed(x=table()["x"] * 1e200))


@pytest.mark.parametrize("size", [1e90, 1e-90])
def test_large_values_of_a_size_that_floats_hold_are_fitted(size: float) -> None:
    right = bl.Model("y ~ x + (1 | g)", table()).fit("reml")
    scaled = bl.Model("y ~ x + (1 | g)", changed(y=table()["y"] * size)).fit("reml")
    np.testing.assert_allclose(
        scaled.fixef()["estimate"] / size, right.fixef()["estimate"], rtol=1e-6
    )


def test_offsets_beyond_exp_warn_of_nothing_of_numpys() -> None:
    data = changed(n=1 + np.arange(24) % 3, far=1e4 * table()["x"])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", BayeslmmWarning)
        model = bl.Model("n ~ x + offset(far)", data, family="poisson")
    assert "inf" not in str(model.priors) and "nan" not in str(model.priors)


@pytest.mark.parametrize("character", ["\ud800", "\udfff", "\0"])
def test_text_that_no_file_holds_is_refused(character: str) -> None:
    columns = {name: table()[name] for name in ("y", "x")}
    with pytest.raises(FormulaError, match="can't be written to a file"):
        bl.Model(f"y ~ `a{character}`", columns | {f"a{character}": table()["x"]})
    named = [f"{level}{character}" if level == "g1" else level for level in table()["g"]]
    as_objects = pd.Series(named, dtype=object)
    categories = pd.Index(sorted(set(named)), dtype=object)
    for column in (named, as_objects, pd.Categorical(as_objects, categories=categories)):
        with pytest.raises(DataError, match="can't be written to a file") as caught:
            bl.Model("y ~ x + (1 | g)", columns | {"g": column})
        str(caught.value).encode()


def test_a_column_named_by_a_dot_is_one() -> None:
    for name in (".", "..", "a.b", " ", "~"):
        data = changed(**{name: table()["x"], f"{name}!": table()["g"]})
        fit = bl.Model(f"y ~ `{name}` + (1 | `{name}!`)", data).fit("reml")
        right = bl.Model("y ~ x + (1 | g)", table()).fit("reml")
        assert fit.loglik == pytest.approx(right.loglik, abs=1e-9)


def test_a_polynomial_of_degree_one_is_a_line() -> None:
    line = bl.Model("y ~ x + (1 | g)", table()).fit("reml")
    for term in ("poly(x)", "poly(x, 1)", "poly(x, 1, raw=True)"):
        fit = bl.Model(f"y ~ {term} + (1 | g)", table()).fit("reml")
        np.testing.assert_allclose(fit.predict()["estimate"], line.predict()["estimate"], rtol=1e-8)
