"""Method ``exact``: the full posterior without a Markov chain over its effects.

(beta, u) are integrated out in closed form; the few variance parameters are drawn by adapted
importance sampling, and (beta, u) exactly given each of them. Where importance sampling fails
or the variance parameters are many, NUTS draws them from the same density.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.engines.base import Engine, few_threads
from bayeslmm.engines.chain import ChainStats, sample_chain
from bayeslmm.engines.exact_draws import collect
from bayeslmm.engines.posteriors import improper, no_residual
from bayeslmm.engines.progress import shown
from bayeslmm.errors import ConvergenceWarning, MethodError, is_finite, warn
from bayeslmm.fit.tree import FitValues, sample_stats_dataset, tree_of
from bayeslmm.gaussian.target import Target, target
from bayeslmm.linalg.importance import Weighted, resample, sample
from bayeslmm.linalg.mode import Mode, find_mode, most_gradients
from bayeslmm.model import Model, not_gaussian, unreachable

Floats = NDArray[np.float64]
KHAT_LIMIT = 0.7  # Vehtari et al., 2024, JMLR 25(72): importance sampling is reliable below
KHAT_DOUBT, LEAST_EFFICIENCY = 0.6, 0.45  # where the proposal is learnt anew with more draws
LEAST_WEIGHTS = 25  # positive ones, for a tail to be fitted
RHAT_LIMIT = 1.01  # Vehtari et al., 2021, Bayesian Analysis 16(2)
TUNE = 500
MOST = 20  # variance parameters that importance sampling is asked to draw
WORK = 8.0  # seconds of one core that the final weighted set may take, by count
NEARBY, ROUGH = 1e-9, 0.3  # of psi, and of the log density there: more is rounding
CHEAP = 2e-5  # seconds of an evaluation, below which calls cost more
LEAST_SHARE, MOST_SHARE = 0.5, 2.5  # of the final set, in draws


class Exact(Engine):
    """Independent draws of the variances, then exact draws of (beta, u)."""

    name: ClassVar[str] = "exact"

    def refuse(self, model: Model) -> str | None:
        other = not_gaussian(model, "exact")
        if other is not None:
            return other
        bad = unreachable(model)
        if bad:
            return (
                f"'exact' takes normal, Student-t, Cauchy and flat priors on coefficients, not "
                f"{model.priors[bad[0]]} on {bad[0]}; use 'nuts'."
            )
        return improper(model)

    @few_threads
    def fit(
        self,
        model: Model,
        *,
        seed: int | None,
        draws: int,
        chains: int,
        memory: float = 1.0,
        **options: Any,
    ) -> FitValues:
        """Fit.

        Parameters
        ----------
        model : Model
        seed, draws, chains : int
            "Chains" are labels here: all draws are independent of each other.
        memory : float
            GiB that the draws of u may take. Past it the tree keeps their means and
            covariances (group ``effects``), and draws are to be had by `Fit.draw_ranef`.
        options : Any
            None are known.
        """
        if not is_finite(memory) or memory < 0:
            raise MethodError(
                "memory must be a number of GiB", got=repr(memory), allowed="0 or more"
            )
        density = target(model)
        reason = no_residual(model, density.equations)
        if reason is not None:
            raise MethodError(f"Method 'exact' is not available for this model: {reason}")
        rng = np.random.default_rng(seed)
        mode = _mode(density, rng)
        if density.dimension > MOST:
            reason = f"the model has {density.dimension} variance parameters"
            return _from_chain(density, mode, reason, rng, (chains, draws), memory)
        found = _weighted(density, mode, rng, draws * chains)
        khat = pareto_k(found)
        if khat > KHAT_DOUBT or found.efficiency < LEAST_EFFICIENCY:
            found = _weighted(density, mode, rng, draws * chains, effort=3)
            khat = pareto_k(found)
        if khat < KHAT_LIMIT:
            return _from_weights(density, found, khat, rng, (chains, draws), memory)
        reason = f"the importance weights were unreliable (Pareto k-hat {khat:.2f})"
        return _from_chain(density, mode, reason, rng, (chains, draws), memory)


def _weighted(
    density: Target, mode: Mode, rng: np.random.Generator, total: int, effort: int = 1
) -> Weighted:
    """The final weighted set: as large as helps, as small as the work allows.

    `effort` multiplies the draws that the proposal learns from.
    """
    affordable = int(WORK / density.seconds)
    size = int(np.clip(affordable, LEAST_SHARE * total, MOST_SHARE * total)) + 1
    return sample(
        density,
        mode,
        rng,
        size=max(size, 200),
        round_size=effort * min(1000, max(200, size // 4)),
        cheap=density.seconds < CHEAP,
    )


def _mode(density: Target, rng: np.random.Generator) -> Mode:
    """The mode; a density that rounding makes rough there is refused."""
    start = _begin(density, rng)
    try:
        with shown(density, start, most_gradients(len(start))) as seen:
            mode = find_mode(seen, start, batched=density.seconds < CHEAP)
    except ValueError as error:
        raise _rough("its gradient is not finite") from error
    moves = NEARBY * np.random.default_rng(0).choice([-1.0, 1.0], (20, len(mode.x)))
    values = density(mode.x + moves)
    values = values[np.isfinite(values)]
    spread = float(np.ptp(values)) if len(values) else np.inf
    if spread > ROUGH:
        raise _rough(f"its log differs by {spread:.2g} between points {NEARBY:.0e} apart")
    return mode


def _rough(how: str) -> MethodError:
    return MethodError(
        "Rounding hides the posterior of the variance parameters where it is highest: " + how,
        hint="The response or a covariate is very large beside what varies in it: subtract its "
        "mean, and take a unit in which its standard deviation is about 1",
    )


def _begin(density: Target, rng: np.random.Generator) -> Floats:
    """A point with density to search from: bounded priors may have none where data suggest one."""
    start = density.start()
    if np.isfinite(density(start[None])[0]):
        return start
    for width in (1.0, 3.0, 10.0):
        trials = start + width * rng.standard_normal((2000, len(start)))
        values = density(trials)
        if np.any(np.isfinite(values)):
            return np.asarray(trials[int(np.argmax(values))])
    raise MethodError(
        "The priors of the variance parameters exclude the region of high likelihood",
        hint="Widen the bounds of the priors of 'sd' and 'sigma'",
    )


def pareto_k(found: Weighted) -> float:
    """Pareto shape of the largest raw weights (Vehtari et al., 2024); infinite without any."""
    from arviz_stats.base import array_stats

    finite = found.log_weights[np.isfinite(found.log_weights)]
    if len(finite) < LEAST_WEIGHTS:
        return np.inf
    if np.ptp(finite) == 0:  # nothing to draw: no variance parameter
        return 0.0
    return float(array_stats.psislw(-(finite - finite.max()))[1])


def _from_weights(
    density: Target,
    found: Weighted,
    khat: float,
    rng: np.random.Generator,
    shape: tuple[int, int],
    memory: float,
) -> FitValues:
    total = shape[0] * shape[1]
    picked = np.sort(resample(found, rng, total))
    gathered = collect(density, found.points[picked], rng, shape, memory)
    weights = found.log_weights[picked][gathered.order].reshape(shape)
    size = 1 / (1 / total + float(np.sum(found.weights**2)))
    attributes = {"pareto_k": khat, "efficiency": found.efficiency, "importance_ess": size}
    stats = sample_stats_dataset({"log_weight": weights}, attributes)
    tree = tree_of(density.model, sample_stats=stats, **gathered.groups)
    scalars = attributes | _evidence(density.model, found)
    return FitValues("exact", tree, scalars, gathered.notes)


def _evidence(model: Model, found: Weighted) -> dict[str, float]:
    """Log evidence with its Monte Carlo error, where priors are proper."""
    if not all(prior.is_proper() for prior in model.priors.values()):
        return {}
    value, error = found.log_mean
    return {"log_evidence": value, "log_evidence_error": error}


def _from_chain(
    density: Target,
    mode: Mode,
    reason: str,
    rng: np.random.Generator,
    shape: tuple[int, int],
    memory: float,
) -> FitValues:
    """The variance parameters by NUTS on the same density; no evidence."""
    psi, chain = sample_chain(
        density, mode.x, mode.covariance, draws=shape[1], chains=shape[0], tune=TUNE,
        seed=int(rng.integers(2**31)),
    )  # fmt: skip
    gathered = collect(density, psi.reshape(-1, psi.shape[-1]), rng, shape, memory, shuffle=False)
    said = (
        f"The variance parameters were drawn by NUTS with (beta, u) integrated out, because "
        f"{reason}. The log evidence is not available from a Markov chain."
    )
    notes = [said, *gathered.notes, *_complaints(chain, shape[0] * shape[1], shape[1])]
    scalars = {"divergences": float(chain.divergences), "max_rhat": chain.max_rhat}
    kept: dict[str, NDArray[Any]] = dict(chain.statistics)
    kept["diverging"] = kept["diverging"].astype(np.int8)  # files hold no booleans
    tree = tree_of(density.model, sample_stats=sample_stats_dataset(kept, {}), **gathered.groups)
    return FitValues("exact", tree, scalars, tuple(notes))


def _complaints(chain: ChainStats, total: int, draws: int) -> list[str]:
    out = []
    if chain.divergences:
        text = (
            f"{chain.divergences} of {total} draws of the variance parameters diverged, and parts "
            "of their posterior may be missed; give tighter priors, for example "
            "priors={'sd': 'half_normal(1)'}."
        )
        out.append(warn(text, ConvergenceWarning))
    if chain.max_rhat > RHAT_LIMIT:
        text = (
            f"R-hat is {chain.max_rhat:.3f} for the variance parameters (aim: below {RHAT_LIMIT}); "
            f"run more draws, for example draws={2 * draws}."
        )
        out.append(warn(text, ConvergenceWarning))
    return out
