"""Henderson's method 3 against its definition in dense matrices, and against textbooks' sums."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from bayeslmm.errors import IdentifiabilityError, MethodError
from bayeslmm.gaussian import henderson
from bayeslmm.gaussian.henderson import components, expected_text, reductions
from bayeslmm.gaussian.moments import moments
from tests.unit.gaussian.designs import frame_of, quietly

# A formula, its fixed columns, and for each variance its (factors, covariate) columns of Z.
CASES = {
    "one-way": ("y ~ 1 + (1 | g)", [], [[("g", None)]]),
    "crossed": ("y ~ x + (1 | g) + (1 | h)", ["x"], [[("g", None)], [("h", None)]]),
    "crossed, the other order": (
        "y ~ x + (1 | h) + (1 | g)",
        ["x"],
        [[("h", None)], [("g", None)]],
    ),
    "nested": ("y ~ z + (1 | h/m)", ["z"], [[("h", None)], [("h:m", None)]]),
    "three factors": (
        "y ~ 1 + (1 | m) + (1 | h) + (1 | g)",
        [],
        [[("m", None)], [("h", None)], [("g", None)]],
    ),
    "intercepts and slopes": (
        "y ~ z + (x || g) + (1 | h)",
        ["z"],
        [[("g", None)], [("g", "x")], [("h", None)]],
    ),
    "a factor that comes back": (
        "y ~ x + (1 | g) + (1 | h) + (0 + x | g)",
        ["x"],
        [[("g", None)], [("h", None)], [("g", "x")]],
    ),
    "one variance of two covariates": (
        "y ~ 1 + (1 | h) + id(0 + x + z | g)",
        [],
        [[("h", None)], [("g", "x"), ("g", "z")]],
    ),
    "no fixed part": ("y ~ 0 + (1 | g) + (1 | h)", None, [[("g", None)], [("h", None)]]),
}


def dense(
    frame: pd.DataFrame, fixed: list[str] | None, parts: list, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """df, Q and E(Q)'s weights by projections, n x n."""
    root = np.sqrt(weights)[:, None]
    n = len(frame)
    X = np.empty((n, 0)) if fixed is None else np.column_stack([np.ones(n), frame[fixed]])
    Z = []
    for part in parts:
        columns = []
        for factor, covariate in part:
            names = [frame[name].astype(str) for name in factor.split(":")]
            label = names[0] if len(names) == 1 else names[0] + ":" + names[1]
            own = pd.get_dummies(label).to_numpy(float)
            columns.append(own if covariate is None else own * frame[[covariate]].to_numpy())
        Z.append(root * np.column_stack(columns))
    y = root[:, 0] * (frame["y"] - frame["o"]).to_numpy()
    spaces = [root * X]
    for own in Z:
        spaces.append(np.column_stack([spaces[-1], own]))
    M = [np.eye(n) - s @ np.linalg.pinv(s, rcond=1e-10) for s in spaces]
    ranks = [np.linalg.matrix_rank(s) if s.size else 0 for s in spaces]
    used = int(np.sum(weights > 0))
    A = [a - b for a, b in pairwise(M)] + [M[-1]]
    df = np.array([*np.diff(ranks), used - ranks[-1]])
    trace = [[np.trace(own.T @ a @ own) for own in Z] for a in A]
    return df, np.array([y @ a @ y for a in A]), np.column_stack([trace, df])


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weights"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_sums_of_squares_and_their_expectations_are_the_dense_ones(case, weighted):
    formula, fixed, parts = case
    frame = frame_of(3)
    extra = {"weights": "w"} if weighted else {}
    model = quietly(formula, frame, offset="o", **extra)
    weights = frame["w"].to_numpy() if weighted else np.ones(len(frame))
    found = reductions(model, moments(model, model.aliasing.kept))
    df, squares, expected = dense(frame, fixed, parts, weights)
    assert found.df.tolist() == df.tolist()
    np.testing.assert_allclose(found.squares, squares, rtol=1e-9)
    np.testing.assert_allclose(found.weights, expected, rtol=1e-9, atol=1e-9)
    solved = np.linalg.solve(expected, squares)
    np.testing.assert_allclose(found.variances, solved, rtol=1e-8, atol=1e-8)


def test_an_unbalanced_oneway_design_is_hendersons_method_1():
    """sigma_a² = (MSA - MSE)/n0, n0 = (n - sum n_j²/n)/(J - 1): Searle et al. (1992), sec. 3.6."""
    frame = frame_of(5)
    model = quietly("y ~ 1 + (1 | g)", frame)
    found = reductions(model, moments(model))
    by = frame.groupby("g")["y"]
    counts, means, n = by.size(), by.mean(), len(frame)
    msa = float((counts * (means - frame["y"].mean()) ** 2).sum()) / (len(counts) - 1)
    mse = float(((frame["y"] - by.transform("mean")) ** 2).sum()) / (n - len(counts))
    n0 = (n - float((counts**2).sum()) / n) / (len(counts) - 1)
    np.testing.assert_allclose(found.variances, [(msa - mse) / n0, mse], rtol=1e-10)
    assert found.sources == ("g", "Residual")
    assert expected_text(found.expected[0], found.sources) == f"sigma² + {n0:.4g} sigma²_g"
    assert expected_text(found.expected[1], found.sources) == "sigma²"


def test_a_disconnected_crossed_design_has_its_true_rank():
    """Two islands of rows and columns that never meet: one more dependence between them."""
    rng = np.random.default_rng(2)
    rows = [(a, b) for a in "abc" for b in "uv"] + [(a, b) for a in "de" for b in "wxyz"]
    frame = pd.DataFrame([row for row in rows for _ in range(2)], columns=["g", "h"])
    frame["y"] = rng.normal(size=len(frame))
    model = quietly("y ~ 1 + (1 | g) + (1 | h)", frame)
    found = reductions(model, moments(model))
    assert found.df.tolist() == [4, 4, len(frame) - 9]


def test_the_order_of_the_formula_is_the_order_of_fitting():
    model = quietly("y ~ x + (1 | h) + (1 | g) + (0 + x | h)", frame_of(0))
    assert [c.name for c in components(model)] == ["h", "g", "h[x]"]


def test_a_term_that_adds_nothing_and_a_residual_without_degrees_are_refused():
    frame = frame_of(0)
    model = quietly("y ~ 1 + (1 | h:m) + (1 | h)", frame)
    with pytest.raises(
        IdentifiabilityError, match=r"'h' has no degrees of freedom .* coarser factor first"
    ):
        reductions(model, moments(model))
    cells = frame.drop_duplicates(["h", "m"])
    model = quietly("y ~ 1 + (1 | h) + (1 | m) + (1 | h:m)", cells)
    with pytest.raises(IdentifiabilityError, match="no degrees of freedom"):
        reductions(model, moments(model))


def test_a_factor_of_many_levels_is_never_dense():
    """40,000 levels: dense products would take 12 GiB."""
    rng = np.random.default_rng(1)
    J = 40_000
    g, h = np.repeat(np.arange(J), 3), rng.integers(0, 20, 3 * J)
    y = 2 * rng.normal(size=J)[g] + rng.normal(size=20)[h] + rng.normal(size=3 * J)
    frame = pd.DataFrame({"y": y, "x": rng.normal(size=3 * J), "g": g, "h": h})
    model = quietly("y ~ x + (1 | g) + (1 | h)", frame)
    found = reductions(model, moments(model))
    assert found.df.tolist() == [J - 1, 19, 3 * J - J - 20]
    # four standard errors: of sigma_g² about its value times sqrt(2/J), of sigma² sqrt(1/J)
    assert found.variances[0] == pytest.approx(4.0, abs=4 * 4.4 * np.sqrt(2 / J))
    assert found.variances[2] == pytest.approx(1.0, abs=4 * np.sqrt(1 / J))


def test_products_that_would_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(henderson, "MOST", 3)
    model = quietly("y ~ x + (1 | g) + (1 | h)", frame_of(0))
    with pytest.raises(MethodError, match="dense matrix of 6 columns"):
        reductions(model, moments(model))
