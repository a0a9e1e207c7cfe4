"""Effects over places: one standard deviation, no dummy factor, and best linear prediction at
places that the data don't have."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning, FormulaError, LevelError
from bayeslmm.formula import parse


def field() -> pd.DataFrame:
    """Forty plots on a grid and one trend over rows, two groups of them."""
    rng = np.random.default_rng(5)
    out = pd.DataFrame(
        {
            "row": rng.integers(0, 8, 40),
            "col": rng.integers(0, 8, 40),
            "x": rng.normal(size=40),
            "g": rng.choice(["a", "b"], 40),
        }
    )
    at = out[["row", "col"]].to_numpy(float)
    apart = np.sqrt(((at[:, None] - at) ** 2).sum(-1))
    u = np.linalg.cholesky(1.5 * np.exp(-apart / 3) + 1e-6 * np.eye(40)) @ rng.normal(size=40)
    return out.assign(y=2 + 0.5 * out["x"] + u + 0.4 * rng.normal(size=40))


DATA = field()
NEW = pd.DataFrame(
    {
        "row": [9, 20, 3, DATA["row"][0], 9],
        "col": [3.3, 3.0, 2.0, DATA["col"][0], 3.3],
        "x": [0.0, 1.0, 0.3, 0.1, 2.0],
        "g": ["a", "b", "a", "b", "a"],
    }
)
PATTERNS: dict[str, tuple[str, list[str], Any]] = {
    "exp": ("exp(0 + row + col)", ["row", "col"], lambda d, r: np.exp(-d / r)),
    "gau": ("gau(row + col)", ["row", "col"], lambda d, r: np.exp(-((d / r) ** 2))),
    "ar1": ("ar1(row)", ["row"], lambda d, r: r**d),
    "ar1 by group": ("ar1(0 + row | g)", ["row"], lambda d, r: r**d),
}


def fitted(term: str, method: str = "reml", **options: Any) -> bl.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        return bl.Model(f"y ~ x + {term}", DATA).fit(method, seed=1, **options)


def best(fit: bl.Fit, name: str, noise: bool) -> Any:
    """The best linear prediction by dense matrices at the fit's variances."""
    _, columns, correlation = PATTERNS[name]
    table = fit.varcorr().query("group != 'Residual'").set_index("kind")["estimate"]

    def covariance(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
        apart = a[columns].to_numpy(float)[:, None] - b[columns].to_numpy(float)
        found = correlation(np.sqrt((apart**2).sum(-1)), table["par"])
        same = a["g"].to_numpy(object)[:, None] == b["g"].to_numpy(object)
        return np.asarray(table["sd"] ** 2 * found * (same if "group" in name else 1.0))

    variance = fit.sigma**2
    return bl.blp(
        DATA["y"].to_numpy(),
        covariance(DATA, DATA) + variance * np.eye(len(DATA)),
        covariance(DATA, NEW),
        X=np.column_stack([np.ones(len(DATA)), DATA["x"]]),
        X0=np.column_stack([np.ones(len(NEW)), NEW["x"]]),
        V0=covariance(NEW, NEW) + noise * variance * np.eye(len(NEW)),
    )


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("method", ["ml", "reml"])
def test_new_places_are_predicted_as_best_linear_prediction_does(name: str, method: str) -> None:
    fit = fitted(PATTERNS[name][0], method)
    for kind in ("mean", "response"):
        found, expected = fit.predict(NEW, kind=kind), best(fit, name, kind == "response")
        np.testing.assert_allclose(found["estimate"], expected.prediction, atol=1e-9)
        np.testing.assert_allclose(found["std_error"], expected.std_error, atol=1e-9)


@pytest.mark.parametrize("name", ["gau", "ar1 by group"])
def test_draws_at_given_variances_are_the_same_prediction(name: str) -> None:
    """The closed form under a flat beta: mean and sd within four Monte Carlo standard errors."""
    reml = fitted(PATTERNS[name][0])
    fit = fitted(PATTERNS[name][0], "conjugate", variances=reml, kappa=0, draws=2500)
    found, expected = fit.predict(NEW, seed=2), best(reml, name, noise=False)
    spread, size = np.asarray(expected.std_error), 10_000
    off = np.abs(found["estimate"] - expected.prediction) / (spread / np.sqrt(size))
    assert off.max() < 4
    ratio = np.abs(found["std_error"] / spread - 1) * np.sqrt(2 * size)
    assert ratio.max() < 4


def test_posterior_draws_predict_new_places() -> None:
    """Of `exact`: a far place has the population's spread, sd^2 and the intercept's."""
    fit = fitted("ar1(row)", "exact", draws=500)
    draws = fit.tree["posterior"].dataset
    far = NEW.iloc[[1]].assign(row=2000, x=0.0)
    found = fit.predict(far, seed=3)
    expected = float((draws["sd_ar1(row)"] ** 2).mean() + draws["beta"].sel(coef="Intercept").var())
    assert abs(float(found["std_error"].iloc[0]) ** 2 / expected - 1) < 0.35
    assert fit.predict(NEW, seed=3)["std_error"].iloc[0] < found["std_error"].iloc[0]


def test_one_realisation_is_a_one_level_factor_with_one_standard_deviation(tmp_path: Path) -> None:
    fit = fitted("gau(row + col)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        model = bl.Model("y ~ x + gau(0 + row + col | one)", DATA.assign(one="1"))
    dummy = model.fit("reml")
    assert abs(fit.loglik - dummy.loglik) < 1e-9
    table = fit.varcorr()
    assert table["group"].tolist() == ["gau(row + col)", "gau(row + col)", "Residual"]
    assert table["kind"].tolist() == ["sd", "par", "sd"]
    assert table["coef"].tolist() == ["row+col", "range", ""]
    assert dummy.varcorr()["kind"].tolist() == ["sd", "par", "sd"]
    assert dummy.tree["estimate"]["sd_one"].shape == (1,)
    assert {"sd_gau(row + col)", "gau(row + col)_par"} <= set(fit.tree["estimate"].data_vars)
    assert "sd_gau(row + col)[row+col]" in fit.resolved.priors
    fit.save(tmp_path / "fit.nc")
    loaded = bl.load_fit(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(loaded.predict(NEW), fit.predict(NEW))
    given = bl.Model("y ~ x + gau(row + col)", DATA).fit("conjugate", variances=loaded, draws=10)
    assert given.varcorr()["estimate"].iloc[0] == table["estimate"].iloc[0]


def test_a_shared_standard_deviation_has_a_name_of_its_own() -> None:
    """Beside a slope of the same name too; its prior goes by that name."""
    priors = {"sd_g[row]": "exponential(2)", "sd_g[ar1(row)]": "exponential(3)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        model = bl.Model("y ~ (0 + row | g) + ar1(0 + row | g)", DATA, priors=priors)
    found = {key: str(p) for key, p in model.resolved.priors.items() if key.startswith("sd_")}
    assert found == priors


def test_grammar_of_one_realisation() -> None:
    same = ("y ~ x + ar1(t)", "y ~ x + ar1(0 + t)", "y ~ x + ar1(t | 1)")
    assert len({str(parse(text)) for text in same}) == 1
    assert parse("y ~ exp(a + b)").random == ()  # the exponential function
    for text in ("y ~ exp(0 + a + b)", "y ~ exp(a + b | 1)", "y ~ exp(a + b, nugget=False)"):
        assert [term.group for term in parse(text).random] == ["exp(a + b)"]
        assert parse(str(parse(text))).random == parse(text).random
    for text in ("y ~ ar1(1 + t)", "y ~ us(t)", "y ~ ar1(1)", "y ~ ar1(t || 1)"):
        with pytest.raises(FormulaError):
            parse(text)


def test_places_without_a_variance_are_refused() -> None:
    given = {"sigma": 0.5, "sd_ar1(row)": np.ones(8), "cor_ar1(row)": _ar1(0.5)}
    fit = fitted("ar1(row, hom=False)", "conjugate", variances=given, draws=10)
    with pytest.raises(LevelError, match="place 9 can't be predicted: its standard deviation"):
        fit.predict(NEW)


def _ar1(rho: float) -> np.ndarray:
    i, j = np.triu_indices(8, 1)
    return np.asarray(rho ** (j - i))
