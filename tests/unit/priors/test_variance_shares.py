"""The prior over a total variance and its shares: density, draws, and how it stands in a model."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning, PriorError
from bayeslmm.priors import PRIORS, VarianceShares, parse_prior

TWO = VarianceShares((0.7, 2.0), 4.0, 1.5, (1.0, 3.0))
THREE = VarianceShares((1.0, 0.8, 2.0), 3.0, 2.0, (1.0, 0.5, 2.0))
ROWS = bl.load_dataset("sleepstudy")
SLEEP = "Reaction ~ Days + (Days | Subject)"
WHOLE = {"sd": "variance_shares(1, 3, 50)"}


def on_log_grid(prior: VarianceShares, low: float, high: float, step: float) -> tuple[Any, Any]:
    """Points of a grid of the log standard deviations, shape (., K), and their weights.

    The trapezoidal rule is as good as exact for smooth integrands that vanish on both ends.
    """
    units = np.asarray(prior.units)
    axis = np.arange(low, high, step)
    grid = np.stack(np.meshgrid(*[axis] * len(units), indexing="ij"), axis=-1)
    sds = np.exp(grid.reshape(-1, len(units))) * prior.spread / units
    return sds, np.exp(prior.log_density(sds)) * sds.prod(axis=1) * step ** len(units)


@pytest.mark.parametrize(
    ("prior", "low", "step"), [(TWO, -18, 0.1), (THREE, -18, 0.25)], ids=["two", "three"]
)
def test_integrates_to_one_and_draws_have_the_density(
    prior: VarianceShares, low: float, step: float
) -> None:
    """Means and covariances of log sds by quadrature and by draws, to 5 Monte Carlo errors."""
    sds, weights = on_log_grid(prior, low, 7.0, step)
    assert weights.sum() == pytest.approx(1.0, abs=1e-6)
    size = 20_000
    drawn = np.log(prior.draw(np.random.default_rng(1), size))
    logs = np.log(sds)
    mean = weights @ logs
    moments = drawn - mean
    assert np.all(np.abs(moments.mean(axis=0)) < 5 * drawn.std(axis=0) / np.sqrt(size))
    products = moments[:, :, None] * moments[:, None, :]
    expected = np.einsum("n,ni,nj->ij", weights, logs - mean, logs - mean)
    error = products.std(axis=0) / np.sqrt(size)
    assert np.all(np.abs(products.mean(axis=0) - expected) < 5 * error)


def test_density_is_the_parts_times_the_jacobian() -> None:
    """scipy's densities of T and the shares, and d(T, shares)/d sd by complex steps."""
    units, a = np.asarray(THREE.units), np.asarray(THREE.concentration)

    def parts(sd: Any) -> Any:
        squares = (units * sd) ** 2
        return np.append(np.sqrt(squares.sum()), (squares / squares.sum())[:2])

    for sd in THREE.draw(np.random.default_rng(2), 5):
        slopes = [parts(sd + 1e-30j * s).imag / 1e-30 for s in np.eye(3)]
        total, *shares = parts(sd)
        expected = (
            np.log(2)
            + stats.t.logpdf(total, 3, scale=2)
            + stats.dirichlet.logpdf([*shares, 1 - sum(shares)], a)
            + np.linalg.slogdet(np.array(slopes))[1]
        )
        assert THREE.log_density(sd[None])[0] == pytest.approx(expected, rel=1e-10)


def test_draws_have_the_parts_laws() -> None:
    """Kolmogorov-Smirnov on 5,000 draws of the total and of each share."""
    squares = (np.asarray(THREE.units) * THREE.draw(np.random.default_rng(3), 5000)) ** 2
    total, a = squares.sum(axis=1), np.asarray(THREE.concentration)
    laws = [(np.sqrt(total), lambda x: 2 * stats.t.cdf(x / 2, 3) - 1)]
    laws += [(squares[:, k] / total, stats.beta(a[k], a.sum() - a[k]).cdf) for k in range(3)]
    for drawn, law in laws:
        assert stats.kstest(drawn, law).pvalue > 1e-4
    assert abs(stats.spearmanr(total, squares[:, 0] / total)[0]) < 4 / np.sqrt(5000)


def test_one_component_is_a_half_student_t_in_its_unit() -> None:
    one = VarianceShares(0.3, 5.0, 2.0, (4.0,))
    x = np.array([1e-9, 0.1, 3.0])
    expected = np.log(2) + stats.t.logpdf(x, 5, scale=0.5)
    np.testing.assert_allclose(one.log_density(x[:, None]), expected, rtol=1e-12)


def test_edges() -> None:
    far = TWO.log_density(np.exp([[-199.0, -199.0], [199.0, -199.0], [199.0, 199.0]]))
    assert np.all(np.isfinite(far))
    edge = [[0.0, 0.0], [-1.0, 1.0], [1.0, 0.0]]  # a density that vanishes with the second sd
    assert np.all(TWO.log_density(np.array(edge)) == -np.inf)
    half = VarianceShares(0.5, 3.0, 1.0, (1.0, 1.0))  # and one that neither does nor grows
    near = half.log_density(np.array([[1.0, 0.0], [1.0, 1e-12]]))
    assert near[0] == pytest.approx(near[1], rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "variance_shares(1, 3, 50)",
        "variance_shares([1, 0.5], 3, 50, [1, 2.880293])",
        "variance_shares(0.1)",
        "variance_shares(1, 3, units=[1, 2])",
    ],
)
def test_text_reads_back(text: str) -> None:
    prior = parse_prior(text)
    assert parse_prior(str(prior)) == prior
    assert prior == VarianceShares(
        *(list(v) if isinstance(v, tuple) else v for v in _fields(prior))  # type: ignore[arg-type]
    )
    assert prior.is_proper()


def _fields(prior: Any) -> list[Any]:
    return [prior.concentration, prior.nu, prior.scale, prior.units]


@pytest.mark.parametrize("name", [n for n in PRIORS if n not in ("flat", "variance_shares")])
def test_no_other_density_takes_lists(name: str) -> None:
    with pytest.raises(PriorError):
        parse_prior(f"{name}([1, 2], 3)")


@pytest.mark.parametrize(
    ("given", "scale"),
    [("variance_shares", "47.4"), ("variance_shares([1, 2, 0.5], 4, 50)", "50")],
)
def test_a_model_fills_in_the_numbers(given: str, scale: str) -> None:
    model = bl.Model(SLEEP, ROWS, priors={"sd": given})
    assert list(model.priors) == ["Intercept_centred", "beta[Days]", "sd", "cor_Subject_centred"]
    prior = model.resolved.priors["sd"]
    assert isinstance(prior, VarianceShares)
    days = ROWS["Days"].std()
    np.testing.assert_allclose(prior.units, [1.0, days, 1.0], rtol=1e-6)
    default = bl.Model(SLEEP, ROWS).priors["sigma"]  # half_student_t(3, 0, s_y)
    s_y = float(default.rpartition(" ")[2].rstrip(")"))
    assert prior.scale == (50.0 if scale == "50" else s_y)
    again = bl.Model(SLEEP, ROWS, priors=model.priors)
    assert again.priors == model.priors
    few = bl.Model(SLEEP, ROWS[ROWS["Days"] < 4], priors=model.priors)  # numbers stay
    assert few.priors == model.priors
    assert str(prior) in str(model)


def test_free_standard_deviations_are_the_components() -> None:
    """One for each that is free; no sigma where it is known or on another scale than effects."""
    rng = np.random.default_rng(4)
    table = pd.DataFrame(
        {
            "y": rng.gamma(2.0, size=60),
            "n": rng.poisson(2.0, 60),
            "x": rng.normal(size=60),
            "g": np.arange(60) % 6,
            "h": np.arange(60) % 5,
            "s": 1.0,
        }
    )

    def keys(formula: str, **options: Any) -> list[str]:
        from bayeslmm.model import shared_variance

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BayeslmmWarning)
            model = bl.Model(formula, table, priors={"sd": "variance_shares"}, **options).resolved
        found = shared_variance(model)
        assert found is not None and len(found[0].units) == len(found[1])  # type: ignore[arg-type]
        assert ("sigma" in model.priors) == (model.has_sigma and "sigma" not in found[1])
        return list(found[1])

    shared = ["sd_g[Intercept+x]", "sd_h[Intercept]", "sigma"]
    assert keys("y ~ x + id(x | g) + (1 | h)") == shared
    assert keys("y ~ x") == ["sigma"]
    assert keys("y ~ x + (1 | g)", known_sd="s") == ["sd_g[Intercept]"]
    assert keys("n ~ x + (x || g)", family="poisson") == ["sd_g[Intercept]", "sd_g[x]"]
    assert keys("y ~ x + (1 | g)", link="log") == ["sd_g[Intercept]"]
    assert keys("y ~ (1 | g)", dpar={"sigma": "~ x"}) == ["sd_g[Intercept]"]


WRONG: list[tuple[dict[str, str], str]] = [
    ({"sd_Subject": "half_normal(1)"}, "'sd_Subject' has a separate prior"),
    ({"sd_Subject[Days]": "half_normal(1)"}, "separate prior"),
    ({"sd_Subject^2": "gamma(1, 1)"}, "separate prior"),
    ({"sd^2": "gamma(1, 1)"}, "separate prior"),
    ({"sigma": "half_normal(1)"}, "'sigma' has a separate prior"),
    ({"sigma^2": "gamma(1, 1)"}, "separate prior"),
    ({"sd": "variance_shares([1, 1], 3, 50)"}, "2 numbers for 'concentration'"),
    ({"sd": "variance_shares(1, 3, 50, [1, 1])"}, "2 numbers for 'units'"),
    ({"sd": "variance_shares(-1, 3, 50)"}, "'concentration'"),
    ({"sd": "variance_shares([], 3, 50)"}, "'concentration'"),
    ({"sd": "variance_shares(1, [3, 3], 50)"}, "'nu'"),
    ({"sd": "variance_shares(1, 3, 0)"}, "'scale'"),
    ({"sd": "variance_shares(1, 3, 50, 1, 2)"}, "4 parameters"),
    ({"sd": "half_normal(1)", "sd_Subject": "variance_shares"}, "'sd_Subject' isn't"),
    ({"sd": "half_normal(1)", "sigma": "variance_shares"}, "'sigma' isn't"),
    ({"sd": "half_normal(1)", "beta": "variance_shares"}, "'beta' isn't"),
    ({"cor": "variance_shares"}, "of correlations"),
]


@pytest.mark.parametrize(("priors", "words"), WRONG)
def test_wrong_uses_are_named(priors: dict[str, str], words: str) -> None:
    with pytest.raises(PriorError, match=words.replace("[", r"\[")):
        bl.Model(SLEEP, ROWS, priors=WHOLE | priors)


def test_a_list_of_another_length_names_the_components() -> None:
    words = r"one for each of sd_Subject\[Intercept\]_centred, sd_Subject\[Days\], sigma"
    with pytest.raises(PriorError, match=words):
        bl.Model(SLEEP, ROWS, priors={"sd": "variance_shares([1, 2])"})


def test_residuals_by_stratum_are_refused() -> None:
    rows = bl.load_dataset("orthodont")
    with pytest.raises(PriorError, match="differs by stratum"):
        bl.Model("distance ~ age + (1 | Subject)", rows, residual="diag(Sex)", priors=WHOLE)


def test_nothing_to_share_is_named() -> None:
    table = ROWS.assign(n=np.arange(len(ROWS)) % 4)
    with pytest.raises(PriorError, match="has none"):
        bl.Model("n ~ Days", table, family="poisson", priors={"sd": "variance_shares"})


def test_prior_draws_share_out_the_total() -> None:
    """The response's own predictor, and that of a further parameter with a total of its own."""
    priors = WHOLE | {"cor": "lkj(2)"}
    prior = bl.Model(SLEEP, ROWS, priors=priors).prior_predictive(4000, seed=1)["prior"].dataset
    sd = prior["sd_Subject"].values[0] * [1.0, ROWS["Days"].std()]
    squares = np.column_stack([sd, prior["sigma"].values[0]]) ** 2
    total = squares.sum(axis=1)
    assert stats.kstest(np.sqrt(total) / 50, lambda x: 2 * stats.t.cdf(x, 3) - 1).pvalue > 1e-4
    for k in range(3):
        assert stats.kstest(squares[:, k] / total, stats.beta(1, 2).cdf).pvalue > 1e-4
    further = bl.Model(
        "Reaction ~ Days + (1 | Subject)",
        ROWS,
        dpar={"sigma": "~ (Days | Subject)"},
        priors={"sigma_sd": "variance_shares([2, 1], 5, 0.5)", "sigma_cor": "lkj(1)"},
    )
    assert further.priors["sigma_sd"].startswith("variance_shares([2, 1], 5, 0.5, [1, ")
    prior = further.prior_predictive(4000, seed=2)["prior"].dataset
    squares = (prior["sigma_sd_Subject"].values[0] * [1.0, ROWS["Days"].std()]) ** 2
    total = squares.sum(axis=1)
    assert stats.kstest(np.sqrt(total) / 0.5, lambda x: 2 * stats.t.cdf(x, 5) - 1).pvalue > 1e-4
    assert stats.kstest(squares[:, 0] / total, stats.beta(2, 1).cdf).pvalue > 1e-4


def test_categories_have_a_total_each() -> None:
    table = ROWS.assign(c=np.array(["a", "b", "c"])[np.arange(len(ROWS)) % 3])
    model = bl.Model(
        "c ~ 1 + (1 | Subject)",
        table,
        family="categorical",
        priors={"sd": "variance_shares(1, 30, 2)"},
    )
    sd = model.prior_predictive(4000, seed=3)["prior"].dataset["sd_Subject"].values[0, :, :, 0]
    for each in sd.T:
        assert stats.kstest(each / 2, lambda x: 2 * stats.t.cdf(x, 30) - 1).pvalue > 1e-4
    assert abs(stats.spearmanr(sd[:, 0], sd[:, 1])[0]) < 4 / np.sqrt(4000)
