"""The exact posterior against numerical integration, Stan and NUTS.

All tolerances are Monte Carlo standard errors: four of them, both sides' together.
"""

from __future__ import annotations

import numpy as np
import pytest

import bayeslmm as bl
from bayeslmm.compare import agreement

POSTERIORS = [
    ("sleepstudy", "brms_priors"),
    ("dyestuff", "flat_mean"),
    ("dyestuff", "student_mean"),
    ("dyestuff2", "flat_mean"),
    ("dyestuff2", "student_mean"),
    ("eight_schools", None),
    ("eight_schools", "flat"),
]
GALLERY = ["sleepstudy", "dyestuff", "dyestuff2", "penicillin", "pastes", "machines", "orthodont"]


def draws_of(fit, key):
    """Draws of one reference parameter, flat."""
    kind, name = key
    posterior = fit.tree["posterior"]
    if kind == "fixef":
        return posterior["beta"].sel(coef=name).values.ravel()
    if kind == "sd":
        group, coef = name
        return posterior[f"sd_{group}"].sel({f"{group}_coef": coef}).values.ravel()
    if kind == "cor":
        group, one, two = name
        return posterior[f"cor_{group}"].sel({f"{group}_pair": f"{one},{two}"}).values.ravel()
    if kind == "coef":
        group, level, coef = name
        u = posterior[f"u_{group}"].sel({group: level, f"{group}_coef": coef}).values.ravel()
        return u + posterior["beta"].sel(coef=coef).values.ravel()
    return posterior["sigma"].values.ravel()


def parameters(reference):
    for kind in ("fixef", "sd", "cor", "coef"):
        for name, value in getattr(reference, kind).items():
            yield (kind, name), value
    if reference.sigma is not None:
        yield ("sigma", None), reference.sigma


@pytest.mark.parametrize(("name", "variant"), POSTERIORS)
def test_exact_against_independent_posteriors(name, variant, gallery_fit):
    from bayeslmm.gallery import read_model

    fit = gallery_fit(name, "exact", variant, seed=20, draws=5000)
    size = fit.tree["sample_stats"].attrs["importance_ess"]
    references = [r for r in read_model(name, variant).references if r.method == "posterior"]
    assert references
    for key, value in (p for r in references for p in parameters(r)):
        x = draws_of(fit, key)
        centred = x - x.mean()
        kurtosis = np.mean(centred**4) / np.mean(centred**2) ** 2
        error = np.hypot(x.std() / np.sqrt(size), value.mcse or 0.0)
        assert x.mean() == pytest.approx(value.estimate, abs=4 * error), key
        spread = x.std() * np.sqrt((kurtosis - 1) / (4 * size))
        error = np.hypot(spread, value.mcse_std_error or 0.0)
        if value.std_error is not None:
            assert x.std(ddof=1) == pytest.approx(value.std_error, abs=4 * error), key


def test_exact_on_sleepstudy_needs_no_fall_back(gallery_fit):
    fit = gallery_fit("sleepstudy", "exact", seed=1)
    stats = fit.tree["sample_stats"].attrs
    assert stats["pareto_k"] < 0.7
    assert stats["efficiency"] > 0.35
    assert stats["efficiency"] > 0.5
    assert stats["importance_ess"] > 2500
    assert fit.notes == ()


@pytest.mark.parametrize("name", GALLERY)
def test_importance_weights_are_reliable_on_the_gallery(name, gallery_fit):
    stats = gallery_fit(name, "exact", seed=1).tree["sample_stats"].attrs
    assert stats["pareto_k"] < 0.7
    assert stats["efficiency"] > 0.35


def test_the_same_seed_gives_the_same_draws(gallery_model):
    model = gallery_model("dyestuff")
    one, two, other = (model.fit("exact", seed=s, draws=50) for s in (3, 3, 4))
    assert one.tree["posterior"].dataset.identical(two.tree["posterior"].dataset)
    assert not one.tree["posterior"].dataset.identical(other.tree["posterior"].dataset)


def test_evidence_by_quadrature(gallery_model):
    """Dyestuff's log evidence: the other road is a grid over (log sd, log sigma) of the dense
    marginal density, mu integrated out as a normal."""
    from scipy import stats

    model = gallery_model("dyestuff", "student_mean")
    model = bl.Model(
        "Yield ~ 1 + (1 | Batch)",
        model.resolved.design.frame,
        priors={
            "Intercept": "normal(1500, 100)",
            "sd": "half_normal(50)",
            "sigma": "half_normal(80)",
        },
    )
    fit = model.fit("exact", seed=5)
    design = model.resolved.design
    y, Z = design.y, np.eye(6)[design.blocks[0].codes]
    log_sd, log_sigma = np.linspace(-6, 5.6, 140), np.linspace(3.2, 5.2, 90)
    values = np.empty((len(log_sd), len(log_sigma)))
    for i, a in enumerate(np.exp(log_sd)):
        for j, s in enumerate(np.exp(log_sigma)):
            V = 1e4 + a**2 * Z @ Z.T + s**2 * np.eye(30)
            values[i, j] = (
                stats.multivariate_normal.logpdf(y, np.full(30, 1500.0), V)
                + stats.halfnorm.logpdf(a, scale=50)
                + stats.halfnorm.logpdf(s, scale=80)
                + log_sd[i]
                + log_sigma[j]
            )
    top = values.max()
    inner = np.trapezoid(np.exp(values - top), log_sigma, axis=1)
    expected = top + np.log(np.trapezoid(inner, log_sd))
    assert fit.log_evidence == pytest.approx(expected, abs=4 * fit.log_evidence_error + 1e-3)


def check_agreement(gallery_fit, name, variant, exact, nuts, table, **options):
    """Means and sds within 4 Monte Carlo standard errors.

    Hundreds of numbers are compared, and those of one factor share the tails of its standard
    deviation: what differs by more is compared once more, in a chain with another seed, where a
    wrong target would differ again.
    """
    for what in ("mean_z", "sd_z"):
        far = table.index[table[what].abs() >= 4]
        if len(far):
            again = gallery_fit(name, "nuts", variant, seed=nuts + 100, **options)
            found = agreement({"nuts": again, "exact": exact}, effects="all")
            assert found.loc[far, what].abs().max() < 4, found.loc[far]


def check_nuts(gallery_fit, name, variant=None, **options):
    """Every parameter's mean and sd; exact's draws are cheap, so its own error is kept small."""
    nuts = gallery_fit(name, "nuts", variant, seed=11, **options)
    exact = gallery_fit(name, "exact", variant, seed=21, draws=20000)
    table = agreement({"nuts": nuts, "exact": exact}, effects="all")
    assert len(table) > 3
    check_agreement(gallery_fit, name, variant, exact, 11, table, **options)


ROADS = [*GALLERY, "eight_schools"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ROADS)
def test_exact_is_collapsed_nuts_is_hierarchical_nuts(name, gallery_fit, record_property):
    """Every parameter's mean and sd within 4 Monte Carlo standard errors, at the defaults; no
    divergence with (beta, u) integrated out, and at most 4 of 4,000 without."""
    fits = {
        "hierarchical": gallery_fit(name, "nuts", seed=11),
        "collapsed": gallery_fit(name, "nuts", seed=12, marginal=True),
    }
    exact = gallery_fit(name, "exact", seed=21, draws=20000)
    for road, fit in fits.items():
        table = agreement({road: fit, "exact": exact}, effects="all")
        divergences = fit.values.scalars["divergences"]
        record_property(
            "agreement",
            f"{name:14s} {road:13s} {len(table):3d} parameters, largest |z| of means "
            f"{table['mean_z'].abs().max():.1f}, of sds {table['sd_z'].abs().max():.1f}; "
            f"{divergences:.0f} divergences",
        )
        assert len(table) > 2
        seed, marginal = (11, {}) if road == "hierarchical" else (12, {"marginal": True})
        check_agreement(gallery_fit, name, None, exact, seed, table, **marginal)
        assert divergences <= (0 if road == "collapsed" else 4)


@pytest.mark.slow
def test_nuts_against_stan(gallery_fit):
    check_nuts(gallery_fit, "sleepstudy", "brms_priors")
