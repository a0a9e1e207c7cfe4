"""What an engine is: a method's name, when it refuses, and from Model to fit values."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.fit.tree import FitValues
from bayeslmm.model import Model


class Engine:
    """One method. Subclasses are stateless; options are keyword arguments of `fit`.

    Attributes
    ----------
    name : str
    open_options : bool
        Whether options beside the named ones are handed on to a sampler; else unknown ones
        are refused before `fit` sees them.
    """

    name: ClassVar[str] = ""
    open_options: ClassVar[bool] = False

    def refuse(self, model: Model) -> str | None:
        """Why this engine can't serve a model, in words; None where it can."""
        raise NotImplementedError

    def fit(
        self, model: Model, *, seed: int | None, draws: int, chains: int, **options: Any
    ) -> FitValues:
        """Fit the model."""
        raise NotImplementedError


def fatal_findings(model: Model, method: str) -> str | None:
    """The first finding that this method must refuse because of."""
    return next((f.text for f in model.findings if method in f.fatal), None)
