"""What can't be told apart, against the rank of dense matrices, and what can: no false alarms."""

from __future__ import annotations

import warnings
from time import perf_counter

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import IdentifiabilityError, IdentifiabilityWarning
from bayeslmm.gallery import list_models, load_model, read_model
from bayeslmm.model import Finding
from tests.unit.model.test_unbounded import frame

BOTH, REML = {"ml", "reml", "anova"}, {"reml", "anova"}
DATA = frame(groups=14).assign(
    d=lambda t: (t["t"] > 1).astype(float),
    line=lambda t: np.arange(len(t)),
    w=lambda t: np.random.default_rng(2).uniform(0.5, 2.0, len(t)),
    h=lambda t: [f"h{i}" for i in (np.arange(len(t)) * 7) % 9],
)


def findings(formula: str, data: pd.DataFrame = DATA, **options: object) -> tuple[Finding, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        return bl.Model(formula, data, **options).resolved.findings


NOT_TOLD = {
    "one row per level": ("y ~ x + (1 | line)", None, BOTH, "one row per level of 'line'"),
    "as many effects as rows": ("y ~ x + (0 + C(t) | g)", None, BOTH, "56 effects for 56 rows"),
    "the same twice, cs": (
        "y ~ x + (1 | g)", "cs(t | g, hom=True)", BOTH,
        "(Intercept | g) and the residuals (cs(t | g, hom=True)) are not separately identified",
    ),
    "intercepts beside us": ("y ~ x + (1 | g)", "us(t | g)", BOTH, "not separately identified"),
    "lines beside us": ("y ~ x + (t | g)", "us(t | g)", BOTH, "not separately identified"),
    "a pattern and sigma": (
        "y ~ x + exp(0 + t | g, nugget=True)", None, BOTH, "variance are not separately identified"
    ),
    "a variance by place and by power": (
        "y ~ x", "diag(t) + varexp(t)", BOTH, "(diag(t) + varexp(t)) are not all identified"
    ),
    "a slope of nothing": ("y ~ x + (0 + zero | g)", None, BOTH, "not all identified"),
    "diagonal and free": ("y ~ 0 + g + g:t", "diag(t)", REML, "after removal of the fixed"),
    "us and free": ("y ~ 0 + g + g:t", "us(t | g)", REML, "after removal of the fixed"),
    "cs and free levels": ("y ~ 0 + g", "cs(t | g, hom=True)", REML, "after removal of the fixed"),
    "random and free": ("y ~ 0 + g + g:t + (t | g)", None, REML, "lies in the span of the fixed"),
    "fewer levels than effects": (
        "y ~ x + (x + d + t | two)", None, set(), "fewer levels than effects"
    ),
    "fewer levels than parameters": (
        "y ~ x + (x | two)", None, set(), "3 variance parameters for 2 levels"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_TOLD)
def test_what_cannot_be_told_is_said(name: str) -> None:
    formula, residual, fatal, words = NOT_TOLD[name]
    data = DATA.assign(zero=0.0, two=np.where(np.arange(56) % 3 == 0, "a", "b"))
    got = [f for f in findings(formula, data, residual=residual) if not f.unbounded]
    assert got
    assert all(finding.fatal == fatal for finding in got)
    assert words in got[0].text
    if "reml" in fatal:
        with pytest.warns(IdentifiabilityWarning):
            model = bl.Model(formula, data, residual=residual)
        with pytest.raises(IdentifiabilityError):
            model.fit("reml")


TOLD = [
    ("y ~ x + (1 | g)", {"residual": "ar1(t | g)"}),
    ("y ~ x + (t | g)", {"residual": "ar1(t | g)"}),
    ("y ~ x + (1 | g)", {"residual": "diag(t)"}),
    ("y ~ x + (1 | g)", {"residual": "exp(t | g)"}),
    ("y ~ x + (1 | h)", {"residual": "us(t | g)"}),
    ("y ~ x", {"residual": "arma(t | g)"}),
    ("y ~ x", {"residual": "toep(t | g) + varexp(x)"}),
    ("y ~ x", {"residual": "fa(t | g)"}),
    ("y ~ x", {"residual": "ante(t | g)"}),
    ("y ~ x", {"residual": "exp(t | g, nugget=True)"}),
    ("y ~ x", {"residual": "matern(t | g)"}),
    ("y ~ x", {"residual": "gau(t | g)"}),
    ("y ~ x + ar1(0 + t | g)", {"weights": "w"}),
    ("y ~ x + (0 + x | g)", {"residual": "us(t | g)"}),
    ("y ~ x + cs(0 + C(t) | h)", {}),
    ("y ~ x + (1 | line)", {"weights": "w"}),
    ("y ~ x + (1 | line)", {"known_sd": "w"}),
    ("y ~ x + (x | g) + (1 | h)", {"weights": "w"}),
    ("y ~ 0 + g + g:t", {}),
    ("y ~ 0 + g + g:t", {"residual": "ar1(t | g)"}),
]


@pytest.mark.parametrize(("formula", "options"), TOLD, ids=[f"{f} {o}" for f, o in TOLD])
def test_what_can_be_told_raises_no_alarm(formula: str, options: dict[str, str]) -> None:
    assert findings(formula, **options) == ()


UNITS = {
    "far": {"x": lambda t: 1e4 + t["x"]},
    "years": {"t": lambda t: 2000 + t["t"]},
    "small units": {"x": lambda t: 1e9 * t["x"]},
    "large units": {"x": lambda t: 1e-9 * t["x"]},
    "light": {"w": lambda t: 1e-8 * t["w"]},
    "heavy": {"w": lambda t: 1e8 * t["w"]},
}


@pytest.mark.parametrize("change", UNITS)
def test_units_and_origins_raise_no_alarm(change: str) -> None:
    data = DATA.assign(**UNITS[change])
    assert findings("y ~ x + (x | g) + (1 | h)", data, weights="w") == ()
    assert findings("y ~ t + (x || g)", data, residual="varexp(x)", weights="w") == ()
    assert findings("y ~ t + (x | h)", data, residual="ar1(t | g) + varexp(t)", weights="w") == ()


def test_a_very_far_origin_of_correlated_lines_raises_no_alarm() -> None:
    assert findings("y ~ x + (x | g) + (1 | h)", DATA.assign(x=1e6 + DATA["x"])) == ()


def test_ar1_of_two_occasions_is_a_random_intercept() -> None:
    two = DATA[DATA["t"] < 2]
    (finding,) = findings("y ~ x + (1 | g)", two, residual="ar1(t | g)")
    assert finding.fatal == BOTH
    assert not findings("y ~ x", two, residual="ar1(t | g)")


def test_occasions_that_are_never_together() -> None:
    apart = DATA[(DATA["t"] < 2) == (DATA["g"] < "g007")]
    (finding,) = findings("y ~ x", apart, residual="us(t | g)")
    assert finding.fatal == BOTH


def test_known_matrices() -> None:
    rng = np.random.default_rng(4)
    half = rng.normal(size=(56, 56))
    known = half @ half.T + 10 * np.eye(56)
    levels = [str(i) for i in range(56)]
    by_row = DATA.assign(line=levels)
    for matrix, count in ((known, 0), (3.0 * np.eye(56), 1)):
        kin = pd.DataFrame(matrix, index=levels, columns=levels)
        assert len(findings("y ~ x + (1 | line)", by_row, relationship={"line": kin})) == count
    same = pd.DataFrame(known, index=levels, columns=levels)
    (finding,) = findings(
        "y ~ x + (1 | line)", by_row, relationship={"line": same}, residual=2.0 * known
    )
    assert finding.fatal == BOTH
    assert not findings("y ~ x + (1 | line)", by_row, residual=known)


LINEAR = ["y ~ t + (0 + C(t) | g)", "y ~ x + (t | g)", "y ~ g + (1 | h)", "y ~ g + (1 | g)"]


@pytest.mark.parametrize("formula", LINEAR)
@pytest.mark.parametrize("residual", [None, "diag(t)", "diag(s)"])
def test_the_rank_is_that_of_dense_matrices(formula: str, residual: str | None) -> None:
    """The derivatives of V and K'VK written out, for structures that are linear."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        model = bl.Model(formula, DATA, residual=residual).resolved
    design, n = model.design, len(DATA)
    (block,) = design.blocks
    same = block.codes[:, None] == block.codes
    k = block.n_coefs
    parts = []
    for a in range(k):
        for b in range(a + 1):
            pair = np.outer(block.values[:, a], block.values[:, b])
            parts.append(same * (pair + pair.T))
    strata = np.zeros(n) if residual is None else pd.factorize(DATA[residual[5]])[0]
    parts += [np.diag((strata == s).astype(float)) for s in np.unique(strata)]
    q = np.linalg.svd(design.X, full_matrices=False)[0]
    M = np.eye(n) - q @ q.T

    def told(matrices: list[np.ndarray]) -> bool:
        sizes = [np.linalg.norm(part) for part in parts]
        table = np.array([m.ravel() / size for m, size in zip(matrices, sizes, strict=True)])
        return bool(np.linalg.matrix_rank(table, tol=1e-9) == len(table))

    stopped = frozenset().union(*(f.fatal for f in model.findings if not f.unbounded))
    assert ("ml" not in stopped) == told(parts)
    assert ("reml" not in stopped) == told([M @ m @ M for m in parts])


GALLERY = [(name, v) for name in list_models() for v in (None, *read_model(name).variants)]
TRUE = {"diagonal_free", "free_free", "random_free"}


@pytest.mark.parametrize(("name", "variant"), [g for g in GALLERY if g[1] not in TRUE])
def test_models_that_others_fitted_raise_no_alarm(name: str, variant: str | None) -> None:
    assert load_model(name, variant).resolved.findings == ()


def test_long_tables_are_quickly_acquitted() -> None:
    """0.2 s is ten times what it takes; products with all rows would take far longer."""
    n = 100_000
    rng = np.random.default_rng(6)
    data = pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "g": rng.integers(0, 5000, n),
            "h": rng.integers(0, 500, n),
            "s": rng.integers(0, 3, n),
        }
    )
    best = np.inf
    for _ in range(3):
        start = perf_counter()
        model = bl.Model("y ~ x + (x | g) + (1 | h)", data, residual="diag(s)")
        best = min(best, perf_counter() - start)
        assert model.resolved.findings == ()
    assert best < 0.5
