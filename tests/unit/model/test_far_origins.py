"""What a design shows before any fit, and its REML fit, are the same from any origin."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning, IdentifiabilityError

FAR = (1e3, 3e3, 1e5)
SLEEP = bl.load_dataset("sleepstudy").assign(
    z=lambda d: np.arange(180) % 7, w=lambda d: np.where(np.arange(180) % 7 > 3, "a", "b")
)
LINES = pd.DataFrame(
    {
        "g": np.repeat([f"g{i}" for i in range(5)], 8),
        "x": np.tile(np.arange(8.0), 5),
        "y": np.random.default_rng(3).normal(size=40),
    }
)


def model(formula: str, data: pd.DataFrame, **options: object) -> bl.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        return bl.Model(formula, data, **options)


@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ x + (x | Subject)",
        "Reaction ~ (x + I(x**2)) * z + (x + I(x**2) | Subject)",
        "Reaction ~ x * z + (x * z | Subject)",
        "Reaction ~ x * w + I(x**2) + (0 + w + w:x | Subject)",
        "Reaction ~ poly(x, 2) + (poly(x, 2) | Subject)",
        "Reaction ~ poly(x, 2, raw=True) + (poly(x, 2, raw=True) | Subject)",
        "Reaction ~ bs(x, df=4) + (bs(x, df=4) | Subject)",
    ],
)
def test_findings_and_restricted_likelihood(formula: str) -> None:
    near = model(formula, SLEEP.assign(x=SLEEP["Days"] - 4.5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        loglik = near.fit("reml").loglik
        for k in FAR:
            far = model(formula, SLEEP.assign(x=SLEEP["Days"] + k))
            assert far.resolved.findings == near.resolved.findings
            assert far.resolved.aliasing.kept == near.resolved.aliasing.kept
            # |U| = 1; a square at 1e5 has 6 digits for its part at the centre
            assert far.fit("reml").loglik == pytest.approx(loglik, abs=1e-5), k


def test_cubes() -> None:
    formula = "Reaction ~ x + I(x**2) + I(x**3) + (x + I(x**2) + I(x**3) | Subject)"
    for k in (0.0, *FAR):
        far = model(formula, SLEEP.assign(x=SLEEP["Days"] + k)).resolved
        assert far.findings == () and far.aliasing.kept == (0, 1, 2, 3)


INSIDE = {
    "intercepts only": ("y ~ g + x + (x | g)", ["random 'Intercept' by 'g' lies in the span"]),
    "intercepts and lines": (
        "y ~ g*x + I(x**2) + (x + I(x**2) | g)",
        ["random 'Intercept' by 'g' lies in the span", "random 'x' by 'g' lies in the span"],
    ),
    "curves": (
        "y ~ g * (x + I(x**2)) + (x + I(x**2) | g)",
        [f"random {c!r} by 'g' lies in the span" for c in ("Intercept", "x", "I(x**2)")],
    ),
}


@pytest.mark.parametrize("formula, said", INSIDE.values(), ids=INSIDE)
@pytest.mark.parametrize("k", (0.0, *FAR))
def test_effects_inside_the_fixed_ones(formula: str, said: list[str], k: float) -> None:
    found = [f.text for f in model(formula, LINES.assign(x=LINES["x"] + k)).resolved.findings]
    inside = [text for text in found if "lies in the span" in text]
    assert len(inside) == len(said)
    assert all(part in text for part, text in zip(said, inside, strict=True))


@pytest.mark.parametrize("k", (0.0, *FAR))
def test_parameters_that_no_origin_identifies(k: float) -> None:
    """Six parameters of lines and curves at two occasions, whose covariance has three."""
    few = LINES[LINES["x"].isin([2.0, 5.0])]
    found = model("y ~ x + (x + I(x**2) | g)", few.assign(x=few["x"] + k))
    with pytest.raises(IdentifiabilityError, match=r"not separately identified"):
        found.fit("reml")


@pytest.mark.parametrize("k", (0.0, *FAR))
def test_a_response_that_is_a_curve(k: float) -> None:
    data = LINES.assign(y=(LINES["x"] - 3.0) ** 2, x=LINES["x"] + k)
    for formula in ("y ~ x + I(x**2)", "y ~ poly(x, 2, raw=True) + (1 | g)"):
        (finding,) = model(formula, data).resolved.findings
        assert finding.unbounded and "fixed effects fit the response exactly" in finding.text


def test_lines_without_intercepts() -> None:
    """The fixed lines go through zero, so that the random ones do so at no other place."""
    for k in (0.0, 1e3):
        found = model("y ~ x:g + (x | g)", LINES.assign(x=LINES["x"] + k)).resolved.findings
        (text,) = [f.text for f in found if "lies in the span" in f.text]
        assert "random 'x' by 'g'" in text
