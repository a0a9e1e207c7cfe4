"""Method ``exact``: the full posterior without a Markov chain.

(beta, u) are integrated out in closed form; the few variance parameters are drawn by adapted
importance sampling, and (beta, u) exactly given each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.engines.base import Engine
from bayeslmm.engines.posteriors import improper
from bayeslmm.errors import ConvergenceWarning, warn
from bayeslmm.fit.covariances import sds_and_correlations
from bayeslmm.fit.tree import (
    Draws,
    FitValues,
    posterior_dataset,
    sample_stats_dataset,
    tree_of,
)
from bayeslmm.gaussian.equations import batches
from bayeslmm.gaussian.target import Target, target
from bayeslmm.linalg.importance import Weighted, resample, sample
from bayeslmm.model import Model, unreachable
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]
KHAT_LIMIT = 0.7  # Vehtari et al., 2024, JMLR 25(72): importance sampling is reliable below


class Exact(Engine):
    """Independent draws of the variances, then exact draws of (beta, u)."""

    name: ClassVar[str] = "exact"

    def refuse(self, model: Model) -> str | None:
        if model.family.name != "gaussian":
            return f"'exact' needs a Gaussian response, not {model.family.name}; 'nuts' takes it."
        bad = unreachable(model)
        if bad:
            return (
                f"'exact' takes normal, Student-t, Cauchy and flat priors on coefficients, not "
                f"{model.priors[bad[0]]} on {bad[0]}; 'nuts' takes it."
            )
        return improper(model)

    def fit(
        self, model: Model, *, seed: int | None, draws: int, chains: int, **options: Any
    ) -> FitValues:
        rng = np.random.default_rng(seed)
        density = target(model)
        total = draws * chains
        found = sample(density, density.start(), rng, size=max(8000, 4 * total))
        khat = pareto_k(found)
        posterior, picked = _draw(density, found, rng, (chains, draws))
        attributes, notes = _quality(found, khat, total)
        scalars = _evidence(model, found, khat)
        stats = sample_stats_dataset({"log_weight": found.log_weights[picked]}, attributes)
        tree = tree_of(model, posterior=posterior_dataset(model, posterior), sample_stats=stats)
        return FitValues("exact", tree, scalars | attributes, notes)


def pareto_k(found: Weighted) -> float:
    """Pareto shape of the largest raw weights (Vehtari et al., 2024)."""
    from arviz_stats.base import array_stats

    finite = found.log_weights[np.isfinite(found.log_weights)]
    return float(array_stats.psislw(-(finite - finite.max()))[1])


def _draw(
    density: Target, found: Weighted, rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[Draws, NDArray[np.intp]]:
    picked = resample(found, rng, shape[0] * shape[1])
    pieces = [
        _effects(density, found.points[picked[part]], rng)
        for part in batches(density.moments, len(picked))
    ]

    def join(parts: list[Floats]) -> Floats:
        whole = np.concatenate(parts)
        return whole.reshape(*shape, *whole.shape[1:])

    blocks = range(len(density.model.design.blocks))
    draws = Draws(
        columns=density.moments.columns,
        beta=join([p.beta for p in pieces]),
        u=tuple(join([p.u[i] for p in pieces]) for i in blocks),
        sd=tuple(join([p.sd[i] for p in pieces]) for i in blocks),
        cor=tuple(join([p.cor[i] for p in pieces]) for i in blocks),
        sigma=None if density.model.sigma_known else join([p.sigma for p in pieces]),
    )
    return draws, picked.reshape(shape)


@dataclass(frozen=True, slots=True)
class _Piece:
    beta: Floats
    u: tuple[Floats, ...]
    sd: tuple[Floats, ...]
    cor: tuple[Floats, ...]
    sigma: Floats


def _effects(density: Target, psi: Floats, rng: np.random.Generator) -> _Piece:
    point, effects = density.effects(psi, rng)
    names = group_names(density.model)
    scales = [
        sds_and_correlations(f @ f.swapaxes(1, 2), g)
        for f, g in zip(point.read.factors, names, strict=True)
    ]
    return _Piece(
        effects.beta,
        effects.u,
        tuple(sd for sd, _ in scales),
        tuple(cor for _, cor in scales),
        np.sqrt(point.sigma2),
    )


def _quality(found: Weighted, khat: float, total: int) -> tuple[dict[str, float], tuple[str, ...]]:
    """How far the draws can be trusted: k-hat, efficiency, and an honest effective size."""
    size = 1 / (1 / total + float(np.sum(found.weights**2)))
    attributes = {"pareto_k": khat, "efficiency": found.efficiency, "importance_ess": size}
    if khat < KHAT_LIMIT:
        return attributes, ()
    text = (
        f"The importance weights of the variance parameters are unreliable: Pareto k-hat is "
        f"{khat:.2f}, and should be below {KHAT_LIMIT}. Use method='nuts' for this model."
    )
    return attributes, (warn(text, ConvergenceWarning),)


def _evidence(model: Model, found: Weighted, khat: float) -> dict[str, float]:
    """Log evidence with its Monte Carlo error, where priors are proper and weights reliable."""
    if khat >= KHAT_LIMIT or not all(prior.is_proper() for prior in model.priors.values()):
        return {}
    value, error = found.log_mean
    return {"log_evidence": value, "log_evidence_error": error}
