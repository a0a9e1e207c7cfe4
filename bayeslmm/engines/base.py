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


def not_gaussian(model: Model, method: str) -> str | None:
    """Why the closed forms don't hold, in words; None where they do."""
    if model.family.name != "gaussian":
        return f"{method!r} needs a Gaussian response, not {model.family.name}; 'nuts' takes it."
    if model.link.name != "identity":
        return f"{method!r} needs the identity link, not {model.link.name}; 'nuts' takes it."
    if model.dpars:
        names = ", ".join(model.dpars)
        return f"{method!r} needs one {names} for all rows, not a predictor; 'nuts' takes it."
    for group, kind in model.random.items():
        if kind != "normal":
            return (
                f"{method!r} needs normal random effects, not {kind} for {group!r}; 'nuts' takes "
                "them."
            )
    return None
