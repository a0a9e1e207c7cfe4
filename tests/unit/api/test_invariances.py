"""What must not matter: order of rows, names of levels, units, the kind of table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl

FORMULA = "y ~ x + sex + (x | g) + (1 | h)"
NUMBERS = ["estimate", "std_error", "lower", "upper"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(31)
    n, g, h = 80, np.arange(80) % 8, np.arange(80) // 16
    x = rng.normal(1.0, 1.0, n)
    u = rng.multivariate_normal([0, 0], [[3, 0.4], [0.4, 1]], 8)[g]
    y = 2 + x + u[:, 0] + u[:, 1] * x + 1.5 * rng.normal(size=5)[h] + rng.normal(size=n)
    sex = np.array(["Female", "Male"])[rng.integers(0, 2, n)]
    return pd.DataFrame({"y": y, "x": x, "sex": sex, "g": g, "h": np.array(list("abcde"))[h]})


@pytest.fixture(scope="module")
def reml(data: pd.DataFrame) -> bl.Fit:
    return bl.Model(FORMULA, data).fit("reml")


def close(one: pd.DataFrame, other: pd.DataFrame, factor: object = 1.0) -> None:
    """The estimates and standard errors of two optima agree, one a multiple of the other."""
    scaled = one[NUMBERS].to_numpy() * np.reshape(factor, (-1, 1))
    np.testing.assert_allclose(other[NUMBERS].to_numpy(), scaled, rtol=2e-3, atol=1e-4)


def test_order_of_rows(data: pd.DataFrame, reml: bl.Fit) -> None:
    shuffled = data.sample(frac=1, random_state=1)
    fit = bl.Model(FORMULA, shuffled).fit("reml")
    assert fit.loglik == pytest.approx(reml.loglik, abs=1e-7)
    close(reml.fixef(), fit.fixef())
    close(reml.ranef(), fit.ranef())
    close(reml.varcorr(), fit.varcorr())
    np.testing.assert_allclose(
        fit.predict().loc[data.index, "estimate"], reml.predict()["estimate"], atol=1e-4
    )


def test_names_of_levels(data: pd.DataFrame, reml: bl.Fit) -> None:
    """Other labels in another order: the same effects under the new names."""
    other = data.assign(g=data["g"].map(lambda level: f"s{9 - level}"))
    fit = bl.Model(FORMULA, other).fit("reml")
    assert fit.loglik == pytest.approx(reml.loglik, abs=1e-7)
    mine, theirs = reml.ranef().query("group == 'g'"), fit.ranef().query("group == 'g'")
    theirs = theirs.assign(level=[9 - int(level[1:]) for level in theirs["level"]])
    close(mine, theirs.sort_values(["level", "coef"]))


def test_base_level_of_a_factor(data: pd.DataFrame, reml: bl.Fit) -> None:
    """Another base: another intercept, the same fit (no column changes its scale)."""
    other = data.assign(sex=pd.Categorical(data["sex"], ["Male", "Female"]))
    fit = bl.Model(FORMULA, other).fit("reml")
    assert fit.loglik == pytest.approx(reml.loglik, abs=1e-7)
    found = fit.contrast({"Intercept": 1, "sex[Female]": 1})
    close(reml.fixef().loc[["Intercept"]], found)


@pytest.mark.parametrize("c", [1e-4, 1e5])
def test_units_of_the_response(c: float, data: pd.DataFrame, reml: bl.Fit) -> None:
    """beta, u and sds scale; REML's log likelihood moves by −(n − p) log c."""
    fit = bl.Model(FORMULA, data.assign(y=data["y"] * c)).fit("reml")
    assert fit.loglik == pytest.approx(reml.loglik - 77 * np.log(c), abs=1e-5)
    mine, theirs = reml.varcorr(), fit.varcorr()
    is_sd = (mine["kind"] == "sd").to_numpy()
    np.testing.assert_allclose(
        theirs.loc[is_sd, "estimate"], mine.loc[is_sd, "estimate"] * c, rtol=1e-3
    )
    np.testing.assert_allclose(
        theirs.loc[~is_sd, "estimate"], mine.loc[~is_sd, "estimate"], atol=1e-3
    )
    np.testing.assert_allclose(fit.fixef()["estimate"], reml.fixef()["estimate"] * c, rtol=1e-3)


@pytest.mark.parametrize("method", ["ml", "reml"])
def test_units_of_a_covariate(method: str, data: pd.DataFrame) -> None:
    """ML doesn't move; REML is that of the user's X and moves by −log|c| (THEORY)."""
    c = 0.01
    one = bl.Model(FORMULA, data).fit(method)
    fit = bl.Model(FORMULA, data.assign(x=data["x"] * c)).fit(method)
    moved = -np.log(c) if method == "reml" else 0.0
    assert fit.loglik == pytest.approx(one.loglik + moved, abs=1e-5)
    slope, other = one.fixef().loc[["x"]], fit.fixef().loc[["x"]]
    close(slope, other, 1 / c)


def test_origin_of_response_and_covariate(data: pd.DataFrame, reml: bl.Fit) -> None:
    """y + 1e6 and x − 50 change intercepts alone."""
    moved = data.assign(y=data["y"] + 1e6, x=data["x"] - 50)
    fit = bl.Model(FORMULA, moved).fit("reml")
    assert fit.loglik == pytest.approx(reml.loglik, abs=1e-5)
    close(reml.fixef().loc[["x", "sex[Male]"]], fit.fixef().loc[["x", "sex[Male]"]])
    np.testing.assert_allclose(
        fit.predict()["estimate"] - 1e6, reml.predict()["estimate"], atol=1e-3
    )


@pytest.mark.parametrize("origin", [100.0, -500.0])
def test_a_far_origin_of_the_slope(origin: float, data: pd.DataFrame, reml: bl.Fit) -> None:
    """Years: intercept and slope nearly one; the fit and the slope's numbers stay."""
    fit = bl.Model(FORMULA, data.assign(x=data["x"] + origin)).fit("reml")
    assert fit.converged and not fit.singular
    assert fit.loglik == pytest.approx(reml.loglik, abs=1e-4)
    close(reml.fixef().loc[["x"]], fit.fixef().loc[["x"]])
    mine, theirs = (f.varcorr().query("coef == 'x'") for f in (reml, fit))
    close(mine, theirs)


def test_weights_of_two_are_rows_twice(data: pd.DataFrame) -> None:
    """For beta at given variances: sigma²/2 is what two equal rows say together."""
    given = {"sigma": 1.0, "sd_g": [1.5, 1.0], "cor_g": 0.2, "sd_h": 1.0}
    twice = pd.concat([data, data])
    weighted = bl.Model(FORMULA, data, weights=np.full(80, 2.0))
    choice = {"variances": given, "kappa": 0.0, "draws": 2}
    one, other = (m.fit("conjugate", **choice) for m in (weighted, bl.Model(FORMULA, twice)))
    pd.testing.assert_frame_equal(one.fixef(), other.fixef(), rtol=1e-9)
    pd.testing.assert_frame_equal(one.ranef(), other.ranef(), rtol=1e-9)


def test_a_weight_of_zero_is_a_row_that_is_not_there(data: pd.DataFrame) -> None:
    weights = np.ones(80)
    weights[[4, 50]] = 0.0
    one = bl.Model(FORMULA, data, weights=weights).fit("reml")
    other = bl.Model(FORMULA, data.drop(index=[4, 50])).fit("reml")
    assert one.loglik == pytest.approx(other.loglik, abs=1e-7)
    assert one.bic == pytest.approx(other.bic, abs=1e-6)
    close(one.fixef(), other.fixef())


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "dict", "arrow dtypes"])
def test_kinds_of_tables(kind: str, data: pd.DataFrame, reml: bl.Fit) -> None:
    """Every kind of table gives the same fit, and predicts from its own kind."""
    if kind == "polars":
        table = pytest.importorskip("polars").from_dict(data.to_dict(orient="list"))
    elif kind == "pyarrow":
        table = pytest.importorskip("pyarrow").Table.from_pandas(data, preserve_index=False)
    elif kind == "arrow dtypes":
        pytest.importorskip("pyarrow")
        table = data.convert_dtypes(dtype_backend="pyarrow")
    else:
        table = data.to_dict(orient="list")
    fit = bl.Model(FORMULA, table).fit("reml")
    for name in ("fixef", "ranef", "varcorr"):
        pd.testing.assert_frame_equal(
            getattr(fit, name)(), getattr(reml, name)(), rtol=1e-6, atol=1e-9
        )
    np.testing.assert_allclose(fit.predict(table), reml.predict(data), rtol=1e-6)


PRIORS = {"sd": "half_normal(3)", "sigma": "half_normal(3)", "beta": "normal(0, 10)"}


def test_evidence_and_units(data: pd.DataFrame) -> None:
    """With auto-scaled priors log p(y) moves by −n log c: within 5 Monte Carlo errors."""
    fits = [
        bl.Model("y ~ x + (x | g)", data.assign(y=data["y"] * c)).fit("exact", seed=s, draws=250)
        for s, c in ((1, 1.0), (2, 1000.0))
    ]
    error = np.hypot(*(f.log_evidence_error for f in fits))
    moved = fits[1].log_evidence - fits[0].log_evidence + 80 * np.log(1000)
    assert error < 0.05
    assert abs(moved) < 5 * error


def test_exact_does_not_depend_on_rows_order_or_seed(data: pd.DataFrame) -> None:
    """Evidence and posterior means of two runs: within 5 Monte Carlo errors of each other."""
    shuffled = data.sample(frac=1, random_state=2)
    fits = [
        bl.Model("y ~ x + (1 | g)", table, priors=PRIORS).fit("exact", seed=seed)
        for seed, table in ((1, data), (2, shuffled))
    ]
    error = np.hypot(*(f.log_evidence_error for f in fits))
    assert abs(fits[0].log_evidence - fits[1].log_evidence) < 5 * error
    one, other = (f.fixef() for f in fits)
    size = [f.tree["sample_stats"].attrs["importance_ess"] for f in fits]
    mcse = one["std_error"] * np.sqrt(1 / size[0] + 1 / size[1])
    assert np.all(np.abs(one["estimate"] - other["estimate"]) < 5 * mcse)


def test_the_same_seed_gives_the_same_draws(data: pd.DataFrame) -> None:
    model = bl.Model("y ~ x + (1 | g)", data)
    one, two, three = (model.fit("exact", seed=s, draws=50) for s in (1, 1, 2))
    assert one.tree["posterior"].dataset.identical(two.tree["posterior"].dataset)
    assert not np.allclose(one.fixef(), three.fixef())


def test_numpy_integers_are_whole_numbers(data: pd.DataFrame) -> None:
    fit = bl.Model("y ~ x", data).fit(
        "exact", seed=np.int64(1), draws=np.int64(20), chains=np.int32(2)
    )
    assert fit.tree["posterior"].sizes["draw"] == 20
