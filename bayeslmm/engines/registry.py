"""The methods by name, and the choice among them."""

from __future__ import annotations

from bayeslmm.engines.anova import Anova
from bayeslmm.engines.base import Engine
from bayeslmm.engines.conjugate import Conjugate
from bayeslmm.engines.exact import Exact
from bayeslmm.engines.ml import MaximumLikelihood
from bayeslmm.engines.nuts import Nuts
from bayeslmm.engines.reml import RestrictedMaximumLikelihood
from bayeslmm.errors import IdentifiabilityError, MethodError, nearest
from bayeslmm.model import Model

ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Exact(),
        RestrictedMaximumLikelihood(),
        MaximumLikelihood(),
        Anova(),
        Conjugate(),
        Nuts(),
    )
}
AUTOMATIC = ("exact", "nuts")


def choose(model: Model, method: str) -> tuple[Engine, list[str]]:
    """The engine of a method, and what is to be said of the choice.

    Raises
    ------
    MethodError
        Unknown method, or one that can't serve this model.
    IdentifiabilityError
        A likelihood method on a model whose variances the data can't tell.
    """
    if method == "auto":
        return _first_willing(model)
    if not isinstance(method, str) or method not in ENGINES:
        hint = nearest(str(method), [*ENGINES, "auto"], "method")
        raise MethodError(f"Unknown method {method!r}", hint=hint)
    reason = ENGINES[method].refuse(model)
    if reason is not None:
        unidentified = any(method in finding.fatal for finding in model.findings)
        error = IdentifiabilityError if unidentified else MethodError
        raise error(f"Method {method!r} can't serve this model: {reason}")
    return ENGINES[method], []


def _first_willing(model: Model) -> tuple[Engine, list[str]]:
    notes: list[str] = []
    for name in AUTOMATIC:
        reason = ENGINES[name].refuse(model)
        if reason is None:
            return ENGINES[name], [*notes, f"method='auto' took {name!r}."]
        notes.append(f"{name!r} stepped aside: {reason}")
    raise MethodError("No method can serve this model", got="; ".join(notes))


def willing(model: Model) -> dict[str, str | None]:
    """Every method with the reason why it refuses, None where it is willing."""
    return {name: engine.refuse(model) for name, engine in ENGINES.items()}
