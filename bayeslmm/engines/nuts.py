"""Method ``nuts``: the specification as a PyMC model, sampled by the No-U-Turn sampler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from bayeslmm.engines.base import Engine
from bayeslmm.engines.posteriors import improper
from bayeslmm.engines.recover import check_memory
from bayeslmm.engines.sampled import of_collapsed, of_hierarchical
from bayeslmm.engines.sampling import Sampler, check_sampling, run, sampler_of
from bayeslmm.errors import MethodError
from bayeslmm.fit.tree import FitValues
from bayeslmm.graph import built, choose, collapsed
from bayeslmm.model import Model

FEW = 10  # levels
USUAL, CAREFUL = 0.9, 0.95  # acceptance


class Nuts(Engine):
    """A Markov chain over all parameters; for every family and prior."""

    name: ClassVar[str] = "nuts"
    open_options: ClassVar[bool] = True

    def refuse(self, model: Model) -> str | None:
        return improper(model)

    def fit(
        self,
        model: Model,
        *,
        seed: int | None,
        draws: int,
        chains: int,
        sampler: Sampler | None = None,
        tune: int = 1000,
        target_accept: float | None = None,
        parametrisation: str | Mapping[str, str] = "auto",
        progress: bool = False,
        marginal: bool = False,
        memory: float = 1.0,
        **options: Any,
    ) -> FitValues:
        """Sample.

        Parameters
        ----------
        model : Model
        seed, draws, chains : int
        sampler : {"nutpie", "pymc", "numpyro", "blackjax"}, optional
            nutpie where it is installed, else PyMC's own.
        tune : int
            Steps of adaptation a chain.
        target_accept : float, optional
            Higher means smaller steps and fewer divergences. By default 0.9, and 0.95 where
            effects are drawn of a factor with 10 levels or fewer: its variances, told by so
            few, have long tails, where long steps diverge.
        parametrisation : str or mapping
            As in `to_pymc`.
        progress : bool
            Show the sampler's own progress.
        marginal : bool
            Sample the variance parameters alone, (beta, u) integrated out, and draw (beta, u)
            given them. Gaussian responses only.
        memory : float
            GiB that the draws of u may take with ``marginal=True`` (see method 'exact').
        options : Any
            Handed on to `pymc.sample`.
        """
        name = sampler_of(sampler)
        if target_accept is None:
            target_accept = USUAL if marginal else acceptance(model)
        check_sampling(tune, target_accept, options)
        check_memory(memory)
        chosen = {} if marginal else choose(model, parametrisation)
        graph = (
            _collapsed(model, parametrisation)
            if marginal
            else built(model, chosen, parametrisation)
        )
        tree = run(
            graph, sampler=name, draws=draws, tune=tune, chains=chains, seed=seed,
            target_accept=target_accept, progress=progress, options=options,
        )  # fmt: skip
        if marginal:
            found = of_collapsed(model, tree, seed, memory)
            said = [
                f"The variance parameters were sampled by {name} with (beta, u) integrated out; "
                "(beta, u) were drawn given each draw of them."
            ]
        else:
            found = of_hierarchical(model, tree, [v.name for v in graph.free_RVs])
            said = [
                f"All parameters were sampled by {name}.",
                *(choice.text for choice in chosen.values()),
            ]
        return replace(found, notes=(*said, *found.notes))


def acceptance(model: Model) -> float:
    """The default target acceptance probability of a chain over all effects."""
    predictors = (model, *model.dpars.values())
    levels = [block.n_levels for one in predictors for block in one.design.blocks]
    return CAREFUL if levels and min(levels) <= FEW else USUAL


def _collapsed(model: Model, parametrisation: str | Mapping[str, str]) -> Any:
    """The collapsed model, if it has a parameter to sample."""
    if parametrisation != "auto":
        raise MethodError(
            "parametrisation= can't be combined with marginal=True, which samples no effects",
            hint="Leave out one of the two",
        )
    out = collapsed(model)
    if not out.free_RVs:
        raise MethodError(
            "marginal=True needs a variance parameter to sample, and the model has none",
            hint="Use method='exact', which draws beta directly",
        )
    return out
