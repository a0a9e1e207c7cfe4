"""Posteriors in closed form where the prior of beta takes it far from the least-squares solution,
and fits whose intervals or correlation matrices are on a boundary."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.graph.priors import correlation_values
from bayeslmm.linalg.differences import jacobian


@pytest.mark.parametrize("random", ["", " + (1 | g)"])
def test_a_prior_far_from_the_response_loses_no_digits(random: str) -> None:
    """Against the ridge solution in extended precision: the means are 1e-26 of least squares'."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame({"x": rng.normal(size=12), "g": list("abcd") * 3})
    table["y"] = 1e10 * (3 + 2 * table["x"] + rng.normal(size=12))
    sigma, sd = 1e13, 2e13 if random else 0.0
    given = {"sigma": sigma} | ({"sd_g": [sd]} if random else {})
    model = bl.Model(f"y ~ x{random}", table)
    fit = model.fit("conjugate", variances=given, kappa=1.0, seed=1, draws=4, chains=1)

    X = np.column_stack([np.ones(12), table["x"]]).astype(np.longdouble)
    same = table["g"].to_numpy()[:, None] == table["g"].to_numpy()
    V = np.longdouble(sigma) ** 2 * np.eye(12) + np.longdouble(sd) ** 2 * same
    W = np.linalg.inv((V / np.longdouble(sigma) ** 2).astype(float)) / sigma**2
    right = X.T @ W @ table["y"].to_numpy()  # the prior's precision is 1e26 times the rows'

    np.testing.assert_allclose(fit.fixef()["estimate"], right.astype(float), rtol=1e-10)
    np.testing.assert_allclose(fit.fixef()["std_error"], 1.0, rtol=1e-12)


def test_singular_correlations_have_a_root() -> None:
    """Rounding takes the least eigenvalue of a singular matrix below zero."""
    a = np.array([1.0, -1.0, 1.0 - 1e-9])
    singular = np.array([a[1] * a[0], a[2], -a[2] * (1 + 1e-10)])
    ((_, root),) = correlation_values("r", np.array([[singular]]), 3).values()
    i, j = np.tril_indices(3, -1)
    np.testing.assert_allclose((root @ root.swapaxes(-1, -2))[0, 0][i, j], singular, atol=1e-8)


def test_jacobian_by_no_coordinates_has_a_row_for_each_output() -> None:
    assert jacobian(lambda x: np.ones((len(x), 3)), np.empty(0)).shape == (3, 0)


def test_what_kappa_is_relative_to() -> None:
    """kappa is a precision of beta where sigma is given, and of beta / sigma where it isn't."""
    model = bl.Model("Reaction ~ Days + (1 | Subject)", bl.load_dataset("sleepstudy"))
    known = {"sigma": 30.0, "sd_Subject": [20.0]}
    unknown = {"rel_sd_Subject": [0.7]}
    for variances, prior in ((known, "N(0, I/kappa)"), (unknown, "N(0, sigma² I/kappa)")):
        fit = model.fit("conjugate", variances=variances, kappa=1.0, draws=10, chains=1)
        assert f"The prior of beta is {prior} with kappa = 1." in fit.notes
