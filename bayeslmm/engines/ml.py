"""Method ``ml``: maximum likelihood."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.engines.base import Engine, few_threads
from bayeslmm.engines.maximise import refuse
from bayeslmm.engines.teaching import estimated
from bayeslmm.fit.tree import FitValues
from bayeslmm.model import Model


class MaximumLikelihood(Engine):
    """Variance components by maximum likelihood; BLUE of beta, BLUP of u at them."""

    name: ClassVar[str] = "ml"

    def refuse(self, model: Model) -> str | None:
        return refuse(model, self.name)

    @few_threads
    def fit(
        self,
        model: Model,
        *,
        seed: int | None,
        draws: int,
        chains: int,
        algorithm: str = "default",
        iterations: int = 1000,
        tolerance: float = 1e-8,
        trace: bool = False,
        **options: Any,
    ) -> FitValues:
        """Fit the model.

        Parameters
        ----------
        model : Model
        seed, draws, chains : int
            Not used.
        algorithm : {"default", "em", "alternating"}
            The optimiser, or a textbook's algorithm, whose path is kept beside the optimiser's.
        iterations : int
            Most steps of a textbook's algorithm.
        tolerance : float
            The fall of the deviance still to come at which it ends.
        trace : bool
            Print the path.
        options : Any
            None are known.
        """
        return estimated(
            model,
            reml=False,
            algorithm=algorithm,
            iterations=iterations,
            tolerance=tolerance,
            trace=trace,
        )
