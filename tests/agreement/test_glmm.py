"""Non-Gaussian responses: Stan's posteriors, and the maxima of adaptive quadrature."""

from __future__ import annotations

import json
from pathlib import Path

import arviz as az
import numpy as np
import pymc as pm
import pytest

import bayeslmm as bl
from bayeslmm.gallery import read_model

ANSWERS = Path(__file__).parents[1] / "reference"


def answer(name: str) -> dict:
    return json.loads((ANSWERS / f"{name}.json").read_text())


@pytest.mark.slow
def test_cbpp_is_stans(gallery_fit) -> None:
    """Means and sds under brms's priors, within 4 Monte Carlo standard errors of both sides."""
    fit = gallery_fit("cbpp", "nuts", "brms_priors", seed=3)
    (stan,) = read_model("cbpp", "brms_priors").references
    posterior = fit.tree["posterior"].dataset
    pairs = {name: posterior["beta"].sel(coef=name) for name in stan.fixef}
    values = dict(stan.fixef) | {"sd": stan.sd["herd", "Intercept"]}
    pairs["sd"] = posterior["sd_herd"].sel(herd_coef="Intercept")
    for name, draws in pairs.items():
        theirs = values[name]
        error = np.hypot(float(az.mcse(draws, method="mean")), theirs.mcse)
        assert abs(float(draws.mean()) - theirs.estimate) < 4 * error, name
        error = np.hypot(float(az.mcse(draws, method="sd")), theirs.mcse_std_error)
        assert abs(float(draws.std()) - theirs.std_error) < 4 * error, name
    assert fit.values.scalars["divergences"] == 0


CASES = {  # model, its answer by quadrature with 51 nodes
    "epil": ({}, "agq_python_epil"),
    "cbpp": ({"trials": "size", "family": "binomial"}, "agq_python_cbpp"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_mode_under_flat_priors_is_that_of_adaptive_quadrature(name: str) -> None:
    """Within a tenth of a posterior sd.

    With flat priors the log posterior of (beta, sd) is the log likelihood, and its gradient is
    the mean of the complete-data score over u given y (Fisher's identity). At quadrature's
    maximum our model's effects, sampled with (beta, sd) held there, must make it zero; a Newton
    step by the posterior covariance says how far off the mode would be.
    """
    file = read_model(name)
    options = {k: v for k, v in file.keywords.items() if k not in ("formula", "priors")}
    model = bl.Model(
        file.keywords["formula"], file.data, priors={"beta": "flat", "sd": "flat"}, **options
    )
    theirs = answer(CASES[name][1])["results"]["K51"]
    beta, sd = np.array(list(theirs["fixef"].values())), theirs["sd"]
    built = model.to_pymc(parametrisation="noncentred")
    design = model.resolved.design
    (block,) = design.blocks
    held = pm.do(
        built,
        {"Intercept": beta[0], "slope_effect": beta[1:], f"sd_{block.group}": np.array([sd])},
    )
    with held:
        tree = pm.sample(1000, tune=500, chains=4, random_seed=1, nuts_sampler="nutpie",
                         progressbar=False, compute_convergence_checks=False)  # fmt: skip
    z = tree["posterior"].dataset[f"u_{block.group}"].values.reshape(4000, -1) / sd
    eta = design.X @ beta + sd * z[:, block.codes]
    mean = model.resolved.family.mean(model.resolved.link.inverse(eta), {}, model.resolved.trials)
    left = design.y - mean
    score = np.column_stack([left @ design.X, np.sum(left * z[:, block.codes], axis=1)])
    fit = model.fit("nuts", seed=2)
    posterior = fit.tree["posterior"].dataset
    drawn = np.column_stack(
        [
            posterior["beta"].values.reshape(4000, -1),
            posterior[f"sd_{block.group}"].values.reshape(4000),
        ]
    )
    covariance = np.cov(drawn, rowvar=False)
    step = covariance @ score.mean(axis=0)
    assert np.all(np.abs(step) < 0.1 * np.sqrt(np.diag(covariance))), step


@pytest.mark.slow
def test_grouseticks_is_near_lme4s_estimates(gallery_fit) -> None:
    """Weak priors and 403 rows: means within a third of a posterior sd of lme4's Laplace fit."""
    fit = gallery_fit("grouseticks", "nuts", seed=3)
    (lme4,) = read_model("grouseticks").references
    table = fit.fixef()
    for name, value in lme4.fixef.items():
        gap = abs(table.loc[name, "estimate"] - value.estimate)
        assert gap < table.loc[name, "std_error"] / 3, name
    sds = fit.varcorr().set_index(["group", "coef"])
    for key, value in lme4.sd.items():
        assert abs(sds.loc[key, "estimate"] - value.estimate) < sds.loc[key, "std_error"], key
