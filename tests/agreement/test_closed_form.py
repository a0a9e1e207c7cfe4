"""Conjugate, REML and the dense textbook formulas are one and the same."""

from __future__ import annotations

import numpy as np
import pytest

from tests.agreement.reference import CASES

IDS = [c[0] for c in CASES]


def dense(model, fit):
    """X, Z, G, V and y as plain dense matrices at a fit's variances."""
    design = model.resolved.design
    table = fit.varcorr()
    columns, blocks = [], []
    for block in design.blocks:
        own = table[table["group"] == block.group]
        sd = own[own["kind"] == "sd"]["estimate"].to_numpy()
        cor = np.eye(len(sd))
        for row in own[own["kind"] == "cor"].itertuples():
            i, j = block.coefs.index(row.coef), block.coefs.index(row.coef2)
            cor[i, j] = cor[j, i] = 0.0 if np.isnan(row.estimate) else row.estimate
        indicator = np.eye(block.n_levels)[block.codes]
        columns.append((indicator[:, :, None] * block.values[:, None, :]).reshape(design.n, -1))
        blocks.append(np.kron(np.eye(block.n_levels), sd[:, None] * cor * sd))
    Z = np.hstack(columns)
    G = np.zeros((Z.shape[1], Z.shape[1]))
    start = 0
    for block in blocks:
        G[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    V = Z @ G @ Z.T + fit.sigma**2 * np.eye(design.n)
    return design.X, Z, G, V, design.y


@pytest.mark.parametrize(("name", "model", "variant"), CASES, ids=IDS)
def test_conjugate_at_flat_beta_is_blue_and_blup(name, model, variant, gallery_model, gallery_fit):
    reml = gallery_fit(model, "reml", variant)
    conjugate = gallery_model(model, variant).fit("conjugate", variances=reml, kappa=0, seed=1)
    scale = np.abs(reml.fixef().estimate).max()
    for table in ("fixef", "ranef", "coef"):
        ours, theirs = getattr(conjugate, table)(), getattr(reml, table)()
        for column in ("estimate", "std_error"):
            np.testing.assert_allclose(
                ours[column], theirs[column], rtol=1e-8, atol=1e-8 * max(scale, 1)
            )


@pytest.mark.parametrize(("name", "model", "variant"), CASES, ids=IDS)
def test_reml_effects_are_the_dense_formulas(name, model, variant, gallery_model, gallery_fit):
    fit = gallery_fit(model, "reml", variant)
    X, Z, G, V, y = dense(gallery_model(model, variant), fit)
    W = np.linalg.inv(V)
    information = X.T @ W @ X
    b = np.linalg.solve(information, X.T @ W @ y)
    u = G @ Z.T @ W @ (y - X @ b)
    np.testing.assert_allclose(fit.fixef().estimate, b, rtol=1e-8)
    np.testing.assert_allclose(fit.ranef().estimate, u, rtol=1e-8, atol=1e-8 * np.abs(y).max())
    np.testing.assert_allclose(fit.vcov(), np.linalg.inv(information), rtol=1e-7)
    # Prediction error variance, Var(u − û) (Henderson, 1975): G − G Z'P Z G.
    P = W - W @ X @ np.linalg.inv(information) @ X.T @ W
    pev = np.diag(G - G @ Z.T @ P @ Z @ G)
    expected = np.sqrt(np.clip(pev, 0, None))
    np.testing.assert_allclose(fit.ranef().std_error, expected, rtol=1e-6, atol=1e-6)


def test_conjugate_goes_to_blup_as_kappa_goes_to_zero(gallery_model, gallery_fit):
    model, reml = gallery_model("sleepstudy"), gallery_fit("sleepstudy", "reml")
    gaps = []
    for kappa in (1e-2, 1e-4, 1e-6):
        fit = model.fit("conjugate", variances=reml, kappa=kappa, seed=1)
        gaps.append(np.abs(fit.fixef().estimate - reml.fixef().estimate).max())
    assert gaps[0] > 1.0  # a real prior, which pulls
    np.testing.assert_allclose(np.array(gaps[1:]) / gaps[:-1], 1e-2, rtol=0.5)


def test_student_t_form_has_reml_sigma_at_the_same_ratio(gallery_model, gallery_fit):
    """At a = b = kappa = 0, b_n/a_n is REML's sigma² at the same Lambda, and the location is
    the mixed-model solution."""
    model, reml = gallery_model("sleepstudy"), gallery_fit("sleepstudy", "reml")
    table = reml.varcorr()
    sd = table[table["kind"] == "sd"]["estimate"].to_numpy()[:2]
    cor = table[table["kind"] == "cor"]["estimate"].to_numpy()
    fit = model.fit(
        "conjugate",
        variances={"rel_sd_Subject": sd / reml.sigma, "cor_Subject": cor},
        kappa=0,
        seed=1,
    )
    attributes = fit.tree["estimate"].attrs
    assert attributes["dof"] == 178
    assert attributes["scale2"] == pytest.approx(reml.sigma**2, rel=1e-8)
    np.testing.assert_allclose(fit.fixef().estimate, reml.fixef().estimate, rtol=1e-8)
    ratio = fit.fixef().std_error / reml.fixef().std_error
    np.testing.assert_allclose(ratio, np.sqrt(178 / 176), rtol=1e-7)
