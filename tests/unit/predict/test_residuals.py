"""New observations whose residuals go with observed ones: against best linear prediction by dense
matrices, and the uncertainty of the variances on top."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import LevelError, MethodError


def table(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = []
    for g in range(8):
        level = rng.normal(0, 1.0)
        e = rng.normal()
        for t in range(12):
            e = 0.6 * e + 0.8 * rng.normal()
            x = rng.normal()
            rows.append((f"g{g}", t, x, 1 + 0.5 * x + level + e, "ab"[g % 2], 1.0 + 0.1 * t))
    return pd.DataFrame(rows, columns=["g", "t", "x", "y", "s", "z"])


DATA = table()
OLD, NEW = DATA[DATA.t % 5 != 3], DATA[DATA.t % 5 == 3]


def fixed(rows: pd.DataFrame) -> np.ndarray:
    return np.column_stack([np.ones(len(rows)), rows.x])


def covariance(
    a: pd.DataFrame, b: pd.DataFrame, sd: float, scales: tuple[np.ndarray, np.ndarray], rho: float
) -> np.ndarray:
    same = a.g.to_numpy(object)[:, None] == b.g.to_numpy(object)[None]
    lag = np.abs(a.t.to_numpy()[:, None] - b.t.to_numpy()[None])
    return same * (sd**2 + scales[0][:, None] * scales[1][None] * rho**lag)


@pytest.mark.parametrize(
    "residual", ["ar1(t | g)", "ar1(t | g) + diag(s)", "ar1(t | g) + varpower(z)"]
)
def test_predictions_are_the_best_linear_ones(residual: str) -> None:
    fit = bl.Model("y ~ x + (1 | g)", OLD, residual=residual).fit("reml")
    table = fit.varcorr()
    sd = float(table[table.group == "g"].estimate.iloc[0])
    sigmas = table[(table.group == "Residual") & (table.kind == "sd")]
    par = table[table.kind == "par"].set_index("coef").estimate

    def scales(rows: pd.DataFrame) -> np.ndarray:
        if len(sigmas) > 1:
            return sigmas.set_index("coef").estimate.loc[rows.s].to_numpy()
        power = par.get("varpower(z)", 0.0)
        return float(sigmas.estimate.iloc[0]) * rows.z.to_numpy() ** power

    rho = par["rho"]
    old, new = scales(OLD), scales(NEW)
    expected = bl.blp(
        OLD.y.to_numpy(),
        covariance(OLD, OLD, sd, (old, old), rho),
        covariance(OLD, NEW, sd, (old, new), rho),
        X=fixed(OLD),
        X0=fixed(NEW),
        V0=covariance(NEW, NEW, sd, (new, new), rho),
    )
    found = fit.predict(NEW, kind="response")
    np.testing.assert_allclose(found.estimate, expected.prediction, rtol=1e-9)
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-9)


def test_draws_agree_with_estimates_and_add_the_variances_uncertainty() -> None:
    model = bl.Model("y ~ x + (1 | g)", OLD, residual="ar1(t | g)")
    plug_in = model.fit("reml").predict(NEW, kind="response")
    given = model.fit("conjugate", variances=model.fit("reml"), kappa=0, seed=1, draws=5000)
    drawn = given.predict(NEW, kind="response", seed=2)
    error = drawn.std_error / np.sqrt(20_000)
    assert np.all(np.abs(drawn.estimate - plug_in.estimate) < 4.5 * error)
    np.testing.assert_allclose(drawn.std_error, plug_in.std_error, rtol=4.5 / np.sqrt(2 * 20_000))
    whole = model.fit("exact", seed=1).predict(NEW, kind="response", seed=2)
    assert np.mean(whole.std_error / plug_in.std_error) > 1.0
    assert np.max(np.abs(whole.estimate - plug_in.estimate) / plug_in.std_error) < 0.3


def test_without_effects_and_in_new_groups_nothing_is_known_of_the_residual() -> None:
    fit = bl.Model("y ~ x + (1 | g)", OLD, residual="ar1(t | g)").fit("reml")
    sigma = float(fit.varcorr().query("group == 'Residual' and kind == 'sd'").estimate.iloc[0])
    mean, response = (fit.predict(NEW, effects="none", kind=k) for k in ("mean", "response"))
    np.testing.assert_allclose(mean.estimate, response.estimate)
    np.testing.assert_allclose(response.std_error**2, mean.std_error**2 + sigma**2)
    far = NEW.assign(g="another")
    other = fit.predict(far, new_levels="draw", kind="response")
    np.testing.assert_allclose(other.estimate, mean.estimate)


def test_kriging_interpolates_and_a_nugget_does_not() -> None:
    exact = bl.Model("y ~ x", OLD, residual="exp(t | g)").fit("reml")
    again = exact.predict(OLD, kind="response")
    np.testing.assert_allclose(again.estimate, OLD.y, atol=1e-8)
    np.testing.assert_allclose(again.std_error, 0.0, atol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        smooth = bl.Model("y ~ x", OLD, residual="exp(t | g, nugget=True)").fit("reml")
    assert smooth.predict(OLD, kind="response").std_error.min() > 0.1


def test_rows_that_are_counted_go_on_where_the_group_ends() -> None:
    first = DATA[DATA.t < 10]
    fit = bl.Model("y ~ x + (1 | g)", first, residual="ar1(1 | g)").fit("reml")
    by_time = bl.Model("y ~ x + (1 | g)", first, residual="ar1(t | g)").fit("reml")
    next_rows = DATA[DATA.t.between(10, 11)]
    np.testing.assert_allclose(
        fit.predict(next_rows, kind="response"), by_time.predict(next_rows, kind="response")
    )


def test_replicates_of_the_design_have_residuals_of_their_own() -> None:
    fit = bl.Model("y ~ x", OLD, residual="ar1(t | g) + diag(s)").fit("reml")
    table = fit.varcorr().query("kind == 'sd'").set_index("coef").estimate
    mean, new = fit.predict(), fit.predict(kind="response")
    expected = mean.std_error**2 + table.loc[OLD.s].to_numpy() ** 2
    np.testing.assert_allclose(new.std_error**2, expected)


@pytest.mark.parametrize(
    ("residual", "rows", "error", "word"),
    [
        ("ante(t | g, hom=True)", NEW, LevelError, "occasion"),
        ("diag(s)", NEW.assign(s="c"), LevelError, "'c'"),
        (np.eye(len(OLD)), NEW, MethodError, "not available with a residual covariance"),
    ],
)
def test_what_cannot_be_known_is_refused(
    residual: object, rows: pd.DataFrame, error: type[Exception], word: str
) -> None:
    data = OLD[OLD.t < 5] if isinstance(residual, str) else OLD
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        fit = bl.Model("y ~ x", data, residual=residual).fit("reml")
    with pytest.raises(error, match=word):
        fit.predict(rows, kind="response")


def test_groups_across_levels_have_no_error_from_estimates() -> None:
    fit = bl.Model("y ~ x + (1 | t)", OLD, residual="ar1(t | g)").fit("reml")
    with pytest.raises(MethodError, match="correlated across levels"):
        fit.predict(NEW.assign(t=NEW.t + 1), kind="response", new_levels="draw")
