"""What the priors at the centre of covariates are on, in words."""

from __future__ import annotations

from collections.abc import Iterable

from bayeslmm.model.types import Model
from bayeslmm.priors import CENTRED

MOST = 3  # variables that are listed

About = Iterable[tuple[str, float]]


def prior_centres(model: Model) -> tuple[str, ...]:
    """A line for each place that priors under keys ending in ``_centred`` are at."""
    found: dict[str, list[str]] = {}
    for m in (model, *model.dpars.values()):
        for key, about in _places(m).items():
            if key in m.priors:
                found.setdefault(_where(about), []).append(f"{m.prefix}{key}")
    return tuple(f"{', '.join(keys)}: {where}" for where, keys in found.items())


def _places(model: Model) -> dict[str, tuple[tuple[str, float], ...]]:
    """The variables, with their means, that each prior at a centre is at."""
    centred = model.design.centred
    out = {
        f"Intercept{CENTRED}" if coef == "Intercept" else f"beta[{coef}]{CENTRED}": about
        for coef, about in zip(model.design.coefs, centred.about, strict=True)
    }
    if f"Intercept{CENTRED}" in out:
        out[f"Intercept{CENTRED}"] = ()
    for term in model.terms:
        if term.at_centre:
            own = zip(term.coefs, term.centred.about, strict=True)
            out |= {f"sd_{term.group}[{coef}]{CENTRED}": about for coef, about in own}
            every = dict.fromkeys(one for about in term.centred.about for one in about)
            out[f"cor_{term.group}{CENTRED}"] = tuple(every)
    return out


def _where(about: tuple[tuple[str, float], ...]) -> str:
    if not about:
        return "the mean of the linear predictor over the rows"
    parts = [f"{text} at its mean {mean:.6g}" for text, mean in about[:MOST]]
    return f"with {', '.join(parts)}{', …' if len(about) > MOST else ''}"
