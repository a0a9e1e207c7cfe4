"""The methods by name, and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping

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
    """The engine of a method, and notes on the choice.

    Raises
    ------
    MethodError
        The method is unknown, or not available for this model.
    IdentifiabilityError
        A likelihood method for a model whose variances are not identified by the data.
    """
    if method == "auto":
        return _first_available(model)
    if not isinstance(method, str) or method not in ENGINES:
        hint = nearest(str(method), [*ENGINES, "auto"], "method")
        raise MethodError(f"Unknown method {method!r}", hint=hint)
    reason = ENGINES[method].refuse(model)
    if reason is not None:
        unidentified = any(method in finding.fatal for finding in model.findings)
        error = IdentifiabilityError if unidentified else MethodError
        reason = reason.replace(f"{method!r} ", "it ", 1)
        raise error(f"Method {method!r} is not available for this model: {reason}")
    return ENGINES[method], []


def _first_available(model: Model) -> tuple[Engine, list[str]]:
    notes: list[str] = []
    for name in AUTOMATIC:
        reason = ENGINES[name].refuse(model)
        if reason is None:
            return ENGINES[name], [*notes, f"method='auto' chose {name!r}."]
        notes.append(f"{name!r} is not available: {reason}")
    raise MethodError(f"No method is available for this model: {' '.join(notes)}")


def availability(model: Model) -> tuple[list[str], list[str]]:
    """The methods available for a model, and sentences on why the others are not."""
    reasons = {name: engine.refuse(model) for name, engine in ENGINES.items()}
    able = [name for name, reason in reasons.items() if reason is None]
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason is not None:
            whole = reason.removeprefix(f"{name!r} needs ").removesuffix("; use 'nuts'.")
            by_reason.setdefault(whole.rstrip("."), []).append(name)
    return able, [_why(names, reason, reasons) for reason, names in by_reason.items()]


def _why(names: list[str], reason: str, reasons: Mapping[str, str | None]) -> str:
    """One sentence for all methods that are not available for the same reason."""
    first = str(reasons[names[0]])
    if not first.startswith(f"{names[0]!r} needs "):
        return f"{', '.join(names)}: {reason}."
    if sum(text is not None for text in reasons.values()) == len(names) > 1:
        return f"The other methods need {reason}."
    return f"{', '.join(names)} need{'s' if len(names) == 1 else ''} {reason}."
