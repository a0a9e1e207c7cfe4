"""The joint log density of a model by numpy alone: priors, effects and the response, added up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import stats

from bayeslmm.families import LINKS
from bayeslmm.model import Model, Term
from bayeslmm.model.effects import EFFECTS
from bayeslmm.model.names import effect_parameters, group_names
from bayeslmm.model.units import joint_units
from bayeslmm.priors import JointPrior

PARTS = {"horseshoe": ("z", "local", "global", "slab"), "r2d2": ("z", "R2", "phi")}
Values = Mapping[str, np.ndarray]


def log_joint(model: Model, values: Values) -> float:
    """Of everything under the tree's names: coefficients, effects, parameters, response.

    A normal effect counts by its own density (not by a standardised one's).
    """
    total = sum(predictor_density(sub, values) for sub in (model, *model.dpars.values()))
    eta = eta_of(model, values)
    parameters = {}
    for a in model.family.auxiliaries:
        if a.name in model.dpars:
            parameters[a.name] = LINKS[a.link].inverse(eta_of(model.dpars[a.name], values))
        elif a.name in model.parameters:
            parameters[a.name] = values[a.name]
            total += model.priors[a.name].log_density(np.asarray(values[a.name])).sum()
    extras, used = model.design.extras, model.used
    if model.sigma_known:
        parameters["sigma"] = extras["known_sd"][used]
    elif model.family.name == "gaussian" and "weights" in extras:
        parameters["sigma"] = parameters["sigma"] / np.sqrt(extras["weights"][used])
    mu = model.family.location(eta, model.link, parameters)
    trials = None if model.trials is None else model.trials[used]
    terms = model.family.log_density(model.design.y[used], mu, parameters, trials)
    if "weights" in extras and model.family.name != "gaussian":
        terms = terms * extras["weights"][used]
    return float(total + terms.sum())


def eta_of(model: Model, values: Values) -> np.ndarray:
    """X beta + Z u + offset over the rows of the likelihood."""
    used, prefix = model.used, model.prefix
    X = model.design.X[used][:, list(model.columns)]
    eta = X @ values[f"{prefix}beta"] + model.design.rows.offset[used]
    for g, block in zip(group_names(model), model.design.blocks, strict=True):
        eta = eta + np.sum(values[g.u][block.codes[used]] * block.values[used], axis=1)
    return eta


def predictor_density(model: Model, values: Values) -> float:
    """Log priors of coefficients, sds and correlations, and the effects' own density."""
    beta = np.asarray(values[f"{model.prefix}beta"])
    coefs = [model.design.coefs[i] for i in model.columns]
    total = 0.0
    for key, prior in model.priors.items():
        if key == "Intercept_centred":
            means = model.design.X[:, list(model.columns)].mean(axis=0)
            total += float(prior.log_density(means @ beta))
        elif isinstance(prior, JointPrior):
            drawn = {n: np.asarray(values[f"slope_effect_{n}"])[None] for n in PARTS[prior.name]}
            total += float(prior.joint_log_density(drawn)[0])
            sigma = values.get("sigma") if prior.name == "r2d2" else None
            unit = joint_units(model, None if sigma is None else np.asarray(sigma)[None])
            slopes = (drawn["z"] * prior.scales(drawn, unit))[0]
            where = [i for i, c in enumerate(coefs) if c != "Intercept"]
            np.testing.assert_allclose(beta[where], slopes, rtol=1e-9)
        elif key.startswith("beta[") and key.endswith("_centred"):
            name = key.removeprefix("beta[").removesuffix("]_centred")
            U = model.design.centred.U[np.ix_(list(model.columns), list(model.columns))]
            total += float(prior.log_density((U @ beta)[coefs.index(name)]))
        elif key == "Intercept" or key.startswith("beta["):
            name = key if key == "Intercept" else key[5:-1]
            total += float(prior.log_density(beta[coefs.index(name)]))
    for index in range(len(model.design.blocks)):
        total += effects_density(model, index, values)
    return total


def own_scales(
    term: Term, sd: np.ndarray, correlation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations and correlations of the effects that a term's priors are on."""
    if not term.at_centre:
        return sd, correlation
    U = term.centred.U
    covariance = U @ (correlation * np.outer(sd, sd)) @ U.T
    inside = np.sqrt(np.diag(covariance))
    return inside, covariance / np.outer(inside, inside)


def effects_density(model: Model, index: int, values: Values) -> float:
    g = group_names(model)[index]
    sd, u = np.atleast_1d(values[g.sd])[g.sd_of], values[g.u]
    correlation = np.eye(len(sd))
    for number, (i, j) in enumerate(g.pairs):
        correlation[i, j] = correlation[j, i] = values[g.cor][number]
    kind = model.random.get(g.group, "normal")
    total = 0.0
    for term in (t for t in model.terms if t.block == index):
        own = list(term.columns)
        scales, inner = own_scales(term, sd[own], correlation[np.ix_(own, own)])
        for i, key in zip(term.structure.free_sds(len(own)), term.sd_keys, strict=True):
            total += float(model.priors[key].log_density(scales[i]))
        if term.cor_key:
            total += float(model.priors[term.cor_key].log_density(inner[None])[0])
            # of its Cholesky factor, which is what is drawn: |dR/dL| = prod L_ii^(k - 1 - i)
            diagonal = np.diag(np.linalg.cholesky(inner))
            total += float(np.arange(len(own))[::-1][1:] @ np.log(diagonal[1:]))
        if kind == "normal":
            covariance = correlation[np.ix_(own, own)] * np.outer(sd[own], sd[own])
            normal = stats.multivariate_normal(np.zeros(len(own)), covariance)
            total += normal.logpdf(u[:, own]).sum()
    if kind == "normal":
        return total
    names = effect_parameters(model, g)
    extras = {n.removesuffix(f"_{g.label}"): np.asarray(values[n]) for n in names}
    root = sd[:, None] * np.linalg.cholesky(correlation)
    total += float(EFFECTS[kind].log_density(u, root, extras).sum())
    for name, value in extras.items():
        total += float(model.priors[f"{name}_{g.group}"].log_density(value).sum())
    return total
