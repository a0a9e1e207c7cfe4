"""Numbers of patterns at the edge of their range, and what structures change in a fit's surface."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import DataWarning, FitError, SingularWarning


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g, t = np.divmod(np.arange(60), 5)
    level = rng.normal(0, 1.5, 12)[g]
    y = 2 + 0.3 * t + level + rng.normal(0, 0.6, 60) * np.where(g % 2, 1.0, 2.0)
    return pd.DataFrame(
        {
            "y": y,
            "t": t,
            "g": [f"g{i:02d}" for i in g],
            "s": np.where(g % 2, "a", "b"),
            "o": np.where(t % 2, "e", "d"),
        }
    )


DATA = frame()


@pytest.mark.parametrize(
    ("formula", "residual", "name"),
    [
        ("y ~ t + ar1(0 + t | g)", None, "rho of g"),  # a level's intercept is the whole of it
        ("y ~ t", "exp(t | g, nugget=True)", "range of the residuals"),
    ],
)
def test_an_edge_is_said_and_has_no_standard_error(
    formula: str, residual: str | None, name: str
) -> None:
    with pytest.warns(SingularWarning, match=name):
        fit = bl.Model(formula, DATA, residual=residual).fit("reml")
    plain = bl.Model("y ~ t + (1 | g)", DATA).fit("reml")
    assert fit.singular
    assert fit.loglik == pytest.approx(plain.loglik, abs=1e-4)
    table = fit.varcorr().set_index("coef")
    edge = table[table.kind == "par"].iloc[0]
    assert np.isnan(edge[["std_error", "lower", "upper"]].astype(float)).all()
    others = table[table.kind == "sd"]
    assert np.isfinite(others.std_error).all()


def test_an_effect_for_every_row_is_no_unbounded_likelihood() -> None:
    """At the end of the residual there is the pattern's own, finite, likelihood."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        fit = bl.Model("y ~ t + ar1(0 + t | g, hom=False)", DATA[DATA.t < 4]).fit("ml")
        whole = bl.Model("y ~ t", DATA[DATA.t < 4], residual="ar1(t | g, hom=False)").fit("ml")
    assert fit.loglik >= whole.loglik - 1e-4


def test_one_sigma_is_not_made_of_many() -> None:
    fit = bl.Model("y ~ t + (1 | g)", DATA, residual="diag(s)").fit("reml")
    with pytest.raises(FitError, match="one sigma for each level of s"):
        _ = fit.sigma


@pytest.mark.parametrize("residual", ["diag(s)", "ar1(t | g) + diag(s)"])
def test_means_under_strata(residual: str) -> None:
    model = bl.Model("y ~ t", DATA, residual=residual)
    reml = model.fit("reml")
    exact, given = (
        model.fit("exact", seed=1),
        model.fit("conjugate", variances=reml, kappa=0, seed=1),
    )
    plug_in = reml.predict()
    for fit in (exact, given):
        found = fit.predict(kind="mean")
        assert np.all(np.abs(found.estimate - plug_in.estimate) < 0.3 * plug_in.std_error)


def test_patterns_stand_in_tables_of_fits() -> None:
    model = bl.Model("y ~ t + (1 | g)", DATA, residual="ar1(t | g)")
    fits = {"REML": model.fit("reml"), "exact": model.fit("exact", seed=1)}
    table = bl.compare_fits(fits)
    row = table.loc[("par", "Residual", "rho")]
    values = fits["REML"].varcorr().query("kind == 'par'").estimate
    assert float(np.ravel(row["REML"]["estimate"])[0]) == pytest.approx(float(values.iloc[0]))


def test_printing_says_groups_and_steps() -> None:
    text = repr(bl.Model("y ~ t", DATA.assign(t=DATA.t * 0.5), residual="ar1(t | g)"))
    assert "residuals: ar1(t | g); 12 groups of 5 rows, a step is 0.5 of t" in text


def test_a_matrix_without_labels_is_told_of() -> None:
    A = np.eye(12) + 0.1
    with pytest.warns(DataWarning, match=r"in their order \(g00, g01, g02, …\)"):
        bl.Model("y ~ t + (1 | g)", DATA, relationship={"g": A})
    names = sorted(DATA.g.unique())
    bl.Model("y ~ t + (1 | g)", DATA, relationship={"g": pd.DataFrame(A, names, names)})


def test_general_names_of_priors() -> None:
    one = bl.Model("y ~ t", DATA, residual="ar1(t | g)", priors={"residual_par": "uniform(0, 1)"})
    assert one.priors["residual_par[rho]"] == "uniform(0, 1)"
    two = bl.Model("y ~ t + cs(0 + o | g)", DATA, priors={"g_par": "uniform(0, 0.9)"})
    assert two.priors["g_par[rho]"] == "uniform(0, 0.9)"


def test_an_interval_without_information_is_named() -> None:
    """A standard deviation that is hardly off zero: the row stays, and a sentence names it."""
    rng = np.random.default_rng(9)
    n = 60
    g, t = np.arange(n) % 10, np.arange(n) // 10
    y = rng.normal(size=n)
    found = {}
    for share in (0.0, 1.0):
        level = np.linspace(-1, 1, 10)[g] * share
        within = pd.Series(y).groupby(g).transform("mean").to_numpy()
        # means whose spread is a little over what the residuals give
        spread = float(np.std(y - within, ddof=10)) / np.sqrt(6)
        scale = 1.004 * spread / float(np.std(np.linspace(-1, 1, 10), ddof=1))
        frame = pd.DataFrame({"y": y - within + scale * np.linspace(-1, 1, 10)[g] + level})
        frame["g"], frame["t"] = g, t
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = bl.Model("y ~ 1 + (1 | g)", frame).fit("reml")
        row = fit.varcorr().iloc[0]
        assert row["lower"] < row["estimate"] < row["upper"]
        found[share] = row["upper"] / row["lower"]
        said = [str(w.message) for w in caught if "sd_g[Intercept] is weakly" in str(w.message)]
        assert bool(said) == (found[share] > 1e4)
        assert [note in fit.notes for note in said] == [True] * len(said)
    assert found[0.0] > 1e4 > found[1.0]
