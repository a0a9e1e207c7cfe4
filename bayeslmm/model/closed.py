"""Which models have a closed form given their variances."""

from __future__ import annotations

from bayeslmm.formula import trees_of
from bayeslmm.formula.syntax import Column, quoted
from bayeslmm.model.types import Model


def not_gaussian(model: Model, method: str) -> str | None:
    """Why the closed forms don't hold, as a sentence; None where they do.

    Parameters
    ----------
    model : Model
    method : str
        Whose sentence it is.
    """
    if model.family.name != "gaussian":
        return f"{method!r} needs a Gaussian response, not {model.family.name}; use 'nuts'."
    if model.link.name != "identity":
        return f"{method!r} needs the identity link, not {model.link.name}; use 'nuts'."
    if model.dpars:
        names = ", ".join(model.dpars)
        instead = _as_residual(model)
        other = "use 'nuts'" if instead is None else f"write residual=\"{instead}\", or use 'nuts'"
        return f"{method!r} needs one {names} for all rows, without a predictor; {other}."
    for group, kind in model.random.items():
        if kind != "normal":
            return (
                f"{method!r} needs normal random effects, not {kind} ones of {group!r}; use 'nuts'."
            )
    return None


def _as_residual(model: Model) -> str | None:
    """The residual structure equivalent to a predictor of sigma; None where there is none.

    On the log link ``~ x`` is sigma exp(b x), and ``~ f`` a standard deviation for each level.
    """
    if set(model.dpars) != {"sigma"} or model.dpars["sigma"].design.blocks:
        return None
    design = model.dpars["sigma"].design
    intercept, terms = trees_of(design.formula.fixed)
    columns = [term[0] for term in terms if len(term) == 1 and isinstance(term[0], Column)]
    if not intercept or len(columns) < len(terms) or design.has_offset or not columns:
        return None
    factors = [c for c in columns if design.columns[c.name].labels is not None]
    if len(factors) > 1:
        return None
    return " + ".join(f"{'diag' if c in factors else 'varexp'}({quoted(c.name)})" for c in columns)
