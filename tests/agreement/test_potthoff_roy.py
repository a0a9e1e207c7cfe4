"""de Leeuw's (2004) twelve models of the data of Potthoff & Roy: his Tables 1 and 2 and the
conditional expectation of the children's lines, from the gallery.

His 240 is 240.72 and his 0.85 is 0.858, cut off; his random, free is unbounded only where the
covariance of the random lines may be indefinite.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.compare import DevianceTable
from bayeslmm.errors import IdentifiabilityError, IdentifiabilityWarning, SingularWarning
from bayeslmm.gallery import read_model

ROWS, COLUMNS = ["scalar", "diagonal", "free", "random"], ["equal", "gender", "free"]
DEVIANCES = np.array(
    [
        [307.0862, 279.7510, 91.4725],
        [304.7298, 278.5407, -np.inf],
        [233.2170, 220.9863, -np.inf],
        [240.7209, 229.3152, 91.4725],
    ]
)
PARAMETERS = [[3, 5, 55], [6, 8, 58], [12, 14, 64], [6, 8, 58]]
AGES = np.array([8.0, 10.0, 12.0, 14.0])


@pytest.fixture(scope="module")
def found() -> DevianceTable:
    return bl.deviance_table(bl.load_cells("potthoff_roy"))


def test_table_1(found: DevianceTable) -> None:
    assert found.table.index.tolist() == ROWS
    assert found.table.columns.tolist() == COLUMNS
    np.testing.assert_allclose(found.table, DEVIANCES, atol=6e-5)
    assert found.parameters.to_numpy().tolist() == PARAMETERS


def test_it_prints_as_published(found: DevianceTable) -> None:
    published = """
               equal   gender    free
    scalar     307(3)   280(5)  91(55)
    diagonal   305(6)   279(8)  −∞(58)
    free      233(12)  221(14)  −∞(64)
    random     240(6)   229(8)  −∞(58)
    """
    printed = [line.split() for line in repr(found).splitlines()[:5]]
    assert printed == [line.split() for line in published.strip().splitlines()]


def test_it_says_where_the_print_differs_and_why(found: DevianceTable) -> None:
    differ = [note for note in found.notes if "printed" in note and "computed" in note]
    assert differ == [
        "random, equal: printed 240(6), computed 240.72(6).",
        "random, free: printed −∞(58), computed 91.47(58).",
    ]
    text = repr(found)
    assert all(note in text for note in found.notes)
    for words in ("240.72 is cut off", "printed 0.85, and is 92.675/108 = 0.858", "indefinite"):
        assert words in text


def test_cells_without_a_maximum_have_their_reason(found: DevianceTable) -> None:
    assert set(found.reasons) == {("diagonal", "free"), ("free", "free")}
    for reason in found.reasons.values():
        assert "age 8, 10, 12 and 14 exactly" in reason


def test_the_free_scalar_variance() -> None:
    fit = bl.load_model("potthoff_roy", "scalar_free").fit("ml")
    assert fit.sigma**2 == pytest.approx(92.675 / 108, rel=1e-10)


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("diagonal_free", "not all identified"),
        ("free_free", "not all identified"),
        ("random_free", "is not identified by REML"),
    ],
)
def test_free_lines_are_not_identified_under_reml(variant: str, words: str) -> None:
    with pytest.warns(IdentifiabilityWarning):
        model = bl.load_model("potthoff_roy", variant)
    with pytest.raises(IdentifiabilityError, match=words):
        model.fit("reml")


def test_random_lines_about_free_ones_have_no_variance() -> None:
    with pytest.warns(IdentifiabilityWarning, match="in the span of the fixed effects"):
        model = bl.load_model("potthoff_roy", "random_free")
    with pytest.warns(SingularWarning):
        fit = model.fit("ml")
    table = fit.varcorr()
    sds = table[(table["group"] == "Subject") & (table["kind"] == "sd")]["estimate"]
    assert np.all(sds < 1e-4)


def test_an_indefinite_covariance_would_make_it_unbounded() -> None:
    """The print's cell: with Omega = (omega - sigma²)(X'X)⁻¹ V has the eigenvalue omega along
    the lines, which fit exactly, and omega may go to 0 while sigma stays."""
    data = bl.load_dataset("potthoff_roy")
    X = np.column_stack([np.ones(4), AGES])
    H = X @ np.linalg.solve(X.T @ X, X.T)
    Y = data.sort_values(["Subject", "age"])["distance"].to_numpy().reshape(27, 4)
    E = Y - Y @ H
    deviances = []
    for omega in (1.0, 1e-3, 1e-6):
        V = 1.7 * (np.eye(4) - H) + omega * H
        deviances.append(27 * np.linalg.slogdet(V)[1] + np.trace(E @ np.linalg.solve(V, E.T)))
    np.testing.assert_allclose(np.diff(deviances), 27 * 2 * np.log(1e-3), rtol=1e-8)


def test_table_2() -> None:
    """Correlations and variances of the gender, free model, to the digits printed."""
    table = bl.load_model("potthoff_roy", "free_gender").fit("ml").varcorr()
    residual = table[table["group"] == "Residual"]
    variances = residual[residual["kind"] == "sd"]["estimate"] ** 2
    assert variances.round(2).tolist() == [5.12, 3.93, 5.98, 4.62]
    printed = {(8, 10): 0.54, (8, 12): 0.65, (10, 12): 0.56, (8, 14): 0.52, (10, 14): 0.72,
               (12, 14): 0.73}  # fmt: skip
    rows = residual[residual["kind"] == "cor"]
    found = {tuple(sorted((int(r.coef), int(r.coef2)))): r.estimate for r in rows.itertuples()}
    assert found == pytest.approx(printed, abs=5e-3)


def test_the_random_model_is_the_answer_on_file() -> None:
    (answer,) = read_model("potthoff_roy").references
    fit = bl.load_model("potthoff_roy").fit("ml")
    assert fit.loglik == pytest.approx(answer.loglik, abs=1e-7)
    assert fit.sigma == pytest.approx(answer.sigma.estimate, rel=1e-5)
    assert fit.sigma**2 == pytest.approx(1.72, abs=5e-3)
    beta = fit.fixef()["estimate"]
    for name, value in answer.fixef.items():
        assert beta[name] == pytest.approx(value.estimate, rel=1e-6)
    table = fit.varcorr().set_index(["group", "kind", "coef"])["estimate"]
    for (group, coef), value in answer.sd.items():
        assert table[group, "sd", coef] == pytest.approx(value.estimate, rel=1e-4)


@pytest.mark.parametrize("orthonormal", [False, True], ids=["ages", "orthonormal"])
def test_conditional_expectation_of_the_lines(orthonormal: bool) -> None:
    """E(B|Y) = B~ [I - W] + B^ W, de Leeuw (2004), rows of B the children.

    The weight W = (Omega + sigma² (X'X)⁻¹)⁻¹ Omega stands on the right of a row. As printed,
    Omega (Omega + sigma² I)⁻¹, it is for X'X = I, where the two factors commute and W is its own
    transpose; else the printed order is that for columns.
    """
    data = bl.load_dataset("potthoff_roy").sort_values(["Subject", "age"])
    X = np.column_stack([np.ones(4), AGES])
    model = bl.load_model("potthoff_roy")
    if orthonormal:
        X = np.linalg.qr(X)[0]
        data["one"], data["two"] = np.tile(X, (27, 1)).T
        model = bl.Model("distance ~ 0 + Sex:one + Sex:two + (0 + one + two | Subject)", data)
    fit = model.fit("ml")
    beta = fit.fixef()["estimate"]
    levels = data["Subject"].unique()
    sex = data.groupby("Subject", observed=True)["Sex"].first()
    names = ("Sex[{}]:one", "Sex[{}]:two") if orthonormal else ("Sex[{}]", "Sex[{}]:age")
    prior = np.array([[beta[name.format(sex[s])] for name in names] for s in levels])
    u = fit.ranef().pivot(index="level", columns="coef", values="estimate")
    u = u[["one", "two"] if orthonormal else ["Intercept", "age"]].loc[list(levels)]
    Y = data["distance"].to_numpy().reshape(27, 4)
    gram = np.linalg.inv(X.T @ X)
    least_squares = Y @ X @ gram
    omega, sigma2 = _omega(fit), fit.sigma**2
    weight = np.linalg.solve(omega + sigma2 * gram, omega)
    closed = prior @ (np.eye(2) - weight) + least_squares @ weight
    np.testing.assert_allclose(prior + u.to_numpy(), closed, atol=1e-8)
    printed = omega @ np.linalg.inv(omega + sigma2 * gram)
    np.testing.assert_allclose(printed, weight.T, atol=1e-12)
    assert np.allclose(printed, weight, atol=1e-8) == orthonormal


def _omega(fit: bl.Fit) -> np.ndarray:
    table = fit.varcorr()
    own = table[table["group"] == "Subject"]
    sd = own[own["kind"] == "sd"]["estimate"].to_numpy()
    (rho,) = own[own["kind"] == "cor"]["estimate"]
    return np.outer(sd, sd) * np.array([[1.0, rho], [rho, 1.0]])


def test_cells_may_be_nested_and_bare() -> None:
    data = bl.load_dataset("orthodont")
    cells = {"scalar": {"equal": bl.Model("distance ~ age", data)}}
    found = bl.deviance_table(cells)
    assert repr(found).split() == ["equal", "scalar", "307(3)"]
    assert found.notes == ()


def test_a_refusal_that_is_no_infinity_is_not_printed_as_one() -> None:
    data = bl.load_dataset("orthodont").assign(line=np.arange(108))
    with pytest.warns(IdentifiabilityWarning, match="one row per level"):
        model = bl.Model("distance ~ age + (1 | line)", data)
    found = bl.deviance_table({("a", "b"): model})
    assert np.isnan(found.table.loc["a", "b"])
    assert found.printed.loc["a", "b"] == "–"
    assert "one row per level" in found.reasons["a", "b"]


def test_what_is_no_table_is_refused() -> None:
    data = bl.load_dataset("orthodont")
    model = bl.Model("distance ~ age", data)
    for bad in ({}, {"a": model}, {("a", 1): model}, [model]):
        with pytest.raises(bl.errors.DataError):
            bl.deviance_table(bad)
    with pytest.raises(bl.errors.ModelError, match="not a model"):
        bl.deviance_table({("a", "b"): "distance ~ age"})
    other = bl.Model("distance ~ age", data.iloc[:-1])
    with pytest.raises(bl.errors.ModelError, match="different responses or rows"):
        bl.deviance_table({("a", "b"): model, ("a", "c"): other})
    with warnings.catch_warnings(), pytest.raises(bl.errors.GalleryError, match="no published"):
        bl.load_cells("sleepstudy")


def test_tables_are_frames(found: DevianceTable) -> None:
    assert all(isinstance(t, pd.DataFrame) for t in (found.table, found.parameters, found.printed))
