"""Method ``reml``: restricted maximum likelihood."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.engines.base import Engine
from bayeslmm.engines.maximise import maximise, refuse
from bayeslmm.fit.tree import FitValues
from bayeslmm.model import Model


class RestrictedMaximumLikelihood(Engine):
    """Variance components by REML; BLUE of beta, BLUP of u at them."""

    name: ClassVar[str] = "reml"

    def refuse(self, model: Model) -> str | None:
        return refuse(model, self.name)

    def fit(
        self, model: Model, *, seed: int | None, draws: int, chains: int, **options: Any
    ) -> FitValues:
        return maximise(model, reml=True)
