"""Structured residuals in PyMC: one variable, whose draws and density are those of a dense R."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy import linalg, stats

import bayeslmm as bl
from tests.unit.gaussian.structured import RESIDUALS, frame_of, positive, setting_of

# PyTensor's own linker, which evaluates without compiling, looks for a BLAS that isn't needed
pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
PLAIN: dict[str, Any] = {"compile_kwargs": {"mode": Mode("py", None)}, "progressbar": False}
FRAME = frame_of()
MATRIX = positive(len(FRAME), 5)


@pytest.mark.parametrize("name", ["ar1", pytest.param("us", marks=pytest.mark.slow), "matrix"])
def test_replicates_and_log_likelihood(name: str) -> None:
    """The log likelihood to 1e-8; replicates less their mean, whitened by each draw's dense R,
    independent standard normals within 4.5 Monte Carlo standard errors; their mean and sd those
    that `predict` has, within 5."""
    if name == "matrix":
        s = setting_of("y ~ x + (1 | g)", FRAME, "weights", residual=MATRIX)
    else:
        s = setting_of("y ~ x", FRAME, "missing", RESIDUALS[name])
    model = bl.Model.of(s.model)
    fit = model.fit("exact", seed=1, draws=100, chains=2)
    with model.to_pymc():
        predictive = pm.sample_posterior_predictive(fit.tree, random_seed=2, **PLAIN)
        found = pm.compute_log_likelihood(fit.tree, extend_inferencedata=False, **PLAIN)
    posterior, design, used = fit.tree["posterior"].dataset, s.model.design, s.model.used
    size = 200
    eta = posterior["beta"].values.reshape(size, -1) @ design.X[used].T + design.rows.offset[used]
    for block in design.blocks:
        u = posterior[f"u_{block.group}"].values.reshape(size, block.n_levels, block.n_coefs)
        eta = eta + np.sum(u[:, block.codes[used]] * block.values[used], axis=-1)
    sigmas = posterior["sigma"].values.reshape(size, -1)
    has = "residual_par" in posterior
    par = posterior["residual_par"].values.reshape(size, -1) if has else np.empty((size, 0))
    assert s.model.residual is not None
    deltas = s.model.residual.delta(sigmas, par)
    covariances = [s.R(d[None], float(g[0])) for d, g in zip(deltas, sigmas, strict=True)]
    y = design.y[used]
    expected = [
        stats.multivariate_normal.logpdf(y, e, R) for e, R in zip(eta, covariances, strict=True)
    ]
    assert found["y"].dims == ("chain", "draw")  # one value: the rows aren't independent
    np.testing.assert_allclose(found["y"].values.ravel(), expected, rtol=1e-8)
    drawn = predictive["posterior_predictive"]["y"]
    assert drawn.dims == ("chain", "draw", "row")
    replicates = drawn.values.reshape(size, -1)
    white = np.stack(
        [
            linalg.solve_triangular(np.linalg.cholesky(R), r, lower=True)
            for R, r in zip(covariances, replicates - eta, strict=True)
        ]
    )
    n = len(y)
    products = white.T @ white / size
    bound = 4.5 / np.sqrt(size)
    assert np.abs(white.mean(axis=0)).max() < bound
    assert np.abs(products[np.triu_indices(n, 1)]).max() < bound
    assert np.abs(np.diag(products) - 1).max() < bound * np.sqrt(2)
    if name == "matrix":
        return
    ours = fit.predict(kind="response", seed=3)[used]
    error = ours["std_error"].to_numpy() * np.sqrt(2 / size)
    assert np.all(np.abs(replicates.mean(axis=0) - ours["estimate"]) < 5 * error)
    assert np.all(np.abs(replicates.std(axis=0) - ours["std_error"]) < 5 * error)
