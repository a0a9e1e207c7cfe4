"""One contract over every registered correlation pattern, and each against its own definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, special

from bayeslmm.covariance import PATTERNS, STRUCTURES, Correlation, Patterned, Places
from bayeslmm.errors import ModelError
from bayeslmm.formula.functions import STRUCTURES as IN_FORMULAS
from bayeslmm.linalg.differences import jacobian

OPTIONS = {
    "fa": ({"k": 1}, {"k": 2}),
    "exp": ({}, {"nugget": True}),
    "gau": ({}, {"nugget": True}),
    "matern": ({}, {"nugget": True}),
}
LABELS = tuple("abcdefgh")


def places(k: int, kind: str) -> Places:
    """Occasions with gaps, points in the plane, or just labels."""
    if kind == "points":
        at = np.random.default_rng(k).uniform(0.0, 3.0, (k, 2))
    elif kind == "line":
        at = np.cumsum(np.random.default_rng(k).uniform(0.2, 1.0, k))[:, None]
    else:
        steps = {"any": np.arange(k), "order": np.array([0, 1, 2, 4, 5, 8, 9, 12])[:k]}[kind]
        at = steps[:, None].astype(float)
    return Places(LABELS[:k], at)


def cases() -> list[tuple[str, Correlation, Places]]:
    out = []
    for name, kind in PATTERNS.items():
        for options in OPTIONS.get(name, ({},)):
            pattern = kind(**options)
            wheres = ("line", "points") if pattern.places == "points" else (pattern.places,)
            for where in wheres:
                for k in (2, 3, 5):
                    if name == "fa" and k < 3 + 2 * (options["k"] - 1):
                        continue
                    text = f"{name}{options or ''}-{where}-{k}"
                    out.append((text, pattern, places(k, where)))
    return out


CASES = cases()
every = pytest.mark.parametrize(
    ("pattern", "at"),
    [
        pytest.param(*(pattern, at), id=name, marks=pytest.mark.slow if name.endswith("-2") else ())
        for name, pattern, at in CASES
    ],
)


def coordinates(pattern: Correlation, at: Places, size: int, spread: float = 0.8) -> np.ndarray:
    parameters = pattern.parameters(at)
    start = pattern.free(np.array([p.start for p in parameters]), at)
    rng = np.random.default_rng(len(start) + len(at))
    return start + spread * rng.standard_normal((size, len(start)))


def test_what_formulas_know_is_what_is_registered():
    assert set(PATTERNS) | set(STRUCTURES) == set(IN_FORMULAS)


@every
def test_positive_definite_at_200_random_points(pattern, at):
    values = pattern.constrain(coordinates(pattern, at, 200), at)[0]
    matrices = pattern.matrix(values, at)
    k = len(at)
    assert matrices.shape == (200, k, k)
    np.testing.assert_array_equal(np.einsum("sii->si", matrices), 1.0)
    np.testing.assert_array_equal(matrices, matrices.swapaxes(1, 2))
    assert np.all(np.linalg.eigvalsh(matrices) > 0)
    roots = pattern.root(values, at)
    np.testing.assert_allclose(roots @ roots.swapaxes(1, 2), matrices, atol=1e-12)
    np.testing.assert_array_equal(np.triu(roots, 1), 0.0)


@every
def test_numbers_stay_within_their_bounds_wherever_one_goes(pattern, at):
    """Up to where float64 rounds onto a bound; defaults start inside."""
    parameters = pattern.parameters(at)
    lower = np.array([p.lower for p in parameters])
    upper = np.array([p.upper for p in parameters])
    start = np.array([p.start for p in parameters])
    assert np.all((lower < start) & (start < upper))
    assert len({p.name for p in parameters}) == len(parameters)
    for spread in (0.8, 3.0, 20.0):
        values, log_jacobian = pattern.constrain(coordinates(pattern, at, 200, spread), at)
        assert np.all(np.isfinite(log_jacobian))
        assert np.all((values >= lower - 1e-12) & (values <= upper + 1e-12))
        if spread < 1:
            assert np.all((values > lower) & (values < upper))
    for p in parameters:  # the default prior lives where the number does
        inside = np.linspace(max(p.lower, -5.0), min(p.upper, 5.0), 12)[1:-1]
        assert np.all(np.isfinite(p.prior.log_density(inside)))


@every
def test_log_jacobian_is_that_of_differences(pattern, at):
    z = coordinates(pattern, at, 5)
    found = pattern.constrain(z, at)[1]
    for point, value in zip(z, found, strict=True):
        slope = jacobian(lambda p: pattern.constrain(p, at)[0], point)
        assert slope.shape == (len(point), len(point))
        assert value == pytest.approx(np.linalg.slogdet(slope)[1], abs=1e-5)


@every
def test_free_is_the_inverse_of_constrain(pattern, at):
    z = coordinates(pattern, at, 50)
    values = pattern.constrain(z, at)[0]
    np.testing.assert_allclose(pattern.free(values, at), z, atol=1e-7)
    np.testing.assert_allclose(pattern.free(values[3], at), z[3], atol=1e-7)


@every
def test_guess_recovers_its_own_matrices(pattern, at):
    """Decays have plateaus, of no correlation and of nothing but nugget: there nearly."""
    tolerance = 1e-3 if pattern.places == "points" else 2e-6
    values = pattern.constrain(coordinates(pattern, at, 12, 0.5), at)[0]
    matrices = pattern.matrix(values, at)
    for matrix in matrices:
        found = pattern.matrix(pattern.guess(matrix, at)[None], at)[0]
        np.testing.assert_allclose(found, matrix, atol=tolerance)


@every
def test_guess_is_inside_for_any_correlation(pattern, at):
    """Moments of residuals may be anything."""
    rng = np.random.default_rng(0)
    k = len(at)
    for degrees in (k, k, 3 * k):
        X = rng.standard_normal((degrees + 1, k))
        values = pattern.guess(np.corrcoef(X.T), at)
        assert np.all(np.isfinite(pattern.free(values, at)))
        assert np.all(np.isfinite(pattern.root(values[None], at)))
    values = pattern.guess(np.eye(k), at)
    assert np.all(np.isfinite(pattern.root(values[None], at)))


@every
def test_some_places_have_the_part_of_the_matrix_that_is_theirs(pattern, at):
    values = pattern.constrain(coordinates(pattern, at, 6), at)[0]
    chosen = np.array([0, len(at) - 1]) if len(at) < 5 else np.array([4, 1, 2])
    whole = pattern.matrix(values, at)[:, chosen[:, None], chosen]
    if pattern.whole:  # its numbers belong to the whole list
        return
    np.testing.assert_allclose(pattern.matrix(values, at.take(chosen)), whole, atol=1e-14)


@every
def test_steps_are_those_of_a_markov_chain(pattern, at):
    """C_ik = C_ij C_jk for i < j < k, and the steps are its entries beside the diagonal."""
    values = pattern.constrain(coordinates(pattern, at, 1), at)[0][0]
    before, after = np.arange(len(at) - 1), np.arange(1, len(at))
    steps = pattern.steps(values[None], at, before, after)
    matrix = pattern.matrix(values[None], at)[0]
    chain = pattern.name in ("ar1", "ante") or (
        pattern.name in ("car1", "exp") and at.at.shape[1] == 1 and "nugget" not in str(pattern)
    )
    if steps is None:
        assert not chain or pattern.name == "exp"
        return
    steps = steps[0]
    np.testing.assert_allclose(steps, matrix[before, after], atol=1e-14)
    for i in range(len(at)):
        for j in range(i, len(at)):
            product = np.prod(steps[i:j])
            assert matrix[i, j] == pytest.approx(product, abs=1e-12)


@every
def test_patterned_covariances(pattern, at):
    """Sigma = D C D in both coordinate systems; psi, its Jacobian and the way back."""
    k = len(at)
    for homogeneous in (False, True):
        s = Patterned(pattern, at, homogeneous)
        sds = 1 if homogeneous else k
        d = s.n_parameters(k)
        assert d == sds + len(pattern.parameters(at)) == len(s.theta_start(k))
        rng = np.random.default_rng(1)
        z = coordinates(pattern, at, 4, 0.5)
        psi = np.concatenate([0.4 * rng.standard_normal((4, sds)), z], axis=1)
        scales = s.scales(psi, k)
        sd = np.exp(psi[:, :sds]) * np.ones((4, k))
        values = pattern.constrain(z, at)[0]
        expected = sd[:, :, None] * pattern.matrix(values, at) * sd[:, None]
        found = scales.cholesky @ scales.cholesky.swapaxes(1, 2)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(scales.sd, sd)
        np.testing.assert_allclose(scales.values, values)
        theta = np.concatenate([sd[:, :sds], z], axis=1)
        root = s.factor(theta, k)
        np.testing.assert_allclose(root @ root.swapaxes(1, 2), expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(s.natural(theta, k), values)
        np.testing.assert_allclose(s.psi_of(sd, values), psi, atol=1e-7)
        again = s.scales(s.psi(expected[0])[None], k).cholesky[0]
        np.testing.assert_allclose(again @ again.T, expected[0], rtol=1e-5, atol=2e-6)

        def numbers(p: np.ndarray, s: Patterned = s) -> np.ndarray:
            found = s.scales(p, k)
            return np.concatenate([found.sd[:, list(s.free_sds(k))], found.values], axis=1)

        slope = jacobian(numbers, psi[0])
        assert scales.log_jacobian[0] == pytest.approx(np.linalg.slogdet(slope)[1], abs=1e-6)
        # no variance at all: correlations are held, and the factor is zero
        none = theta[0].copy()
        none[:sds] = 0.0
        assert s.canonical(none, k)[1].tolist() == [False] * sds + [True] * (d - sds)
        np.testing.assert_array_equal(s.factor(none[None], k), 0.0)


# -- definitions, computed by another road


def of(name: str, values: list[float], at: Places, **options: object) -> np.ndarray:
    return PATTERNS[name](**options).matrix(np.array([values]), at)[0]


def test_ar1_is_the_series_own_correlation():
    """e_t = rho e_(t-1) + a_t over all steps, gaps included, of either sign."""
    at = places(5, "order")
    steps = at.at[:, 0].astype(int)
    for rho in (0.7, -0.7, 0.0):
        A = np.eye(13) - rho * np.eye(13, k=-1)
        A[0, 0] = math.sqrt(1 - rho**2)
        whole = np.linalg.inv(A.T @ A) * (1 - rho**2)
        np.testing.assert_allclose(of("ar1", [rho], at), whole[np.ix_(steps, steps)], atol=1e-12)


def test_arma_is_the_series_own_correlation():
    """From the moving-average form, cut where it is nothing."""
    at = places(5, "order")
    lag = np.abs(at.at - at.at.T).astype(int)
    for phi, theta in ((0.6, 0.4), (-0.5, 0.9), (0.8, -0.3), (0.3, -0.9)):
        psi = np.append(1.0, (phi + theta) * phi ** np.arange(400.0))
        own = np.array([psi[h:] @ psi[: len(psi) - h] for h in range(13)])
        np.testing.assert_allclose(of("arma", [phi, theta], at), (own / own[0])[lag], atol=1e-12)


def test_car1_and_exp_are_one_family():
    at = places(4, "line")
    rho = 0.35
    expected = of("exp", [-1 / math.log(rho)], at)
    np.testing.assert_allclose(of("car1", [rho], at), expected, rtol=1e-12)


def test_toep_ante_cs_and_us_entries():
    order = places(4, "order")  # steps 0, 1, 2, 4
    found = of("toep", [0.5, 0.3, 0.2, 0.1], order)
    np.testing.assert_allclose(found[0], [1, 0.5, 0.3, 0.1])
    np.testing.assert_allclose(found[3], [0.1, 0.2, 0.3, 1])
    found = of("ante", [0.5, -0.4, 0.9], order)
    np.testing.assert_allclose(found[0], [1, 0.5, -0.2, -0.18])
    np.testing.assert_allclose(found[3], [-0.18, -0.36, 0.9, 1])
    np.testing.assert_allclose(of("cs", [-0.2], places(3, "any"))[2], [-0.2, -0.2, 1])
    found = of("us", [0.1, 0.2, 0.3], places(3, "any"))
    np.testing.assert_allclose(found, [[1, 0.1, 0.2], [0.1, 1, 0.3], [0.2, 0.3, 1]])


def test_fa_is_loadings_and_what_is_specific():
    """The second factor's partial loadings are shares of what the first one leaves."""
    at = places(5, "any")
    first, second = np.array([0.8, 0.5, -0.4, 0.6, 0.1]), np.array([0.7, 0.2, -0.3, 0.5])
    L = np.zeros((5, 2))
    L[:, 0] = first
    L[1:, 1] = second * np.sqrt(1 - first[1:] ** 2)
    expected = L @ L.T
    assert np.all(np.diag(expected) < 1)
    np.fill_diagonal(expected, 1.0)
    found = of("fa", [*first, *second], at, k=2)
    np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize(("n", "k"), [(2, 1), (3, 2), (4, 3), (5, 4), (1, 1)])
def test_fa_with_more_loadings_than_correlations_is_refused(n, k):
    with pytest.raises(ModelError, match="more loadings"):
        PATTERNS["fa"](k=k).parameters(places(n, "any"))


@pytest.mark.parametrize("s", [0.3, 0.5, 1.0, 1.5, 2.7])
def test_matern_is_the_spectral_integral(s):
    """On a line, (1 + w²)^-(s + 1/2) is the spectrum; at s = 1/2 it is the exponential."""
    at = Places(("a", "b", "c"), np.array([[0.0], [0.6], [2.5]]))
    found = of("matern", [1.3, s], at)
    constant = math.gamma(s + 0.5) / (math.sqrt(math.pi) * math.gamma(s))
    for j in (1, 2):
        d = float(at.at[j, 0]) / 1.3
        value = 2 * constant * integrate.quad(
            lambda w: (1 + w * w) ** (-s - 0.5), 0, np.inf, weight="cos", wvar=d, limlst=500
        )[0]  # fmt: skip
        assert found[0, j] == pytest.approx(value, abs=1e-6)
    if s == 0.5:
        np.testing.assert_allclose(found, of("exp", [1.3], at), atol=1e-12)
    if s == 1.5:
        d = at.distances / 1.3
        np.testing.assert_allclose(found, (1 + d) * np.exp(-d), atol=1e-12)


def test_matern_far_and_near():
    """No overflow on either end: 1 very near, 0 very far; smooth in between."""
    at = Places(tuple("abc"), np.array([[0.0], [1e-9], [1e4]]))
    for s in (0.1, 0.5, 5.0, 30.0):
        found = of("matern", [1.0, s], at)
        assert np.all(np.isfinite(found))
        assert found[0, 2] == pytest.approx(0.0, abs=1e-300**0.5)
        lost = special.gamma(1 - s) / special.gamma(1 + s) * (0.5e-9) ** (2 * s) if s < 1 else 0.0
        assert found[0, 1] == pytest.approx(1 - lost, abs=1e-6)


def test_matern_of_great_smoothness_goes_to_the_gaussian():
    """Where the Bessel function overflows, too: s = 300 and more, over ranges of root s."""
    at = Places(tuple("abc"), np.array([[0.0], [0.7], [2.0]]))
    limit = of("gau", [1.0], at)
    for s in (100.0, 160.0, 200.0, 300.0, 1e4):
        found = of("matern", [0.5 / math.sqrt(s), s], at)
        np.testing.assert_allclose(found, limit, atol=1.0 / s)
        assert np.all(np.linalg.eigvalsh(found) > 0)


def test_a_nugget_takes_its_share_between_any_two_places_even_copies():
    at = Places(tuple("abc"), np.array([[0.0], [0.0], [2.0]]))
    for name in ("exp", "gau", "matern"):
        own = [1.5, 0.8] if name == "matern" else [1.5]
        plain = of(name, own, at)
        found = of(name, [*own, 0.3], at, nugget=True)
        np.testing.assert_allclose(found, 0.3 * np.eye(3) + 0.7 * plain, atol=1e-14)
        assert found[0, 1] == pytest.approx(0.7)


def test_reach_is_that_of_different_places():
    plane = Places(("",) * 4, np.array([[0.0, 0], [3, 4], [0, 0], [0, 1]]))
    assert plane.reach == pytest.approx((1.0, 5.0))
    line = Places(("",) * 4, np.array([[3.0], [1], [3], [1.5]]))
    assert line.reach == pytest.approx((0.5, 2.0))
    assert Places(("a",), np.zeros((1, 1))).reach == (1.0, 1.0)
