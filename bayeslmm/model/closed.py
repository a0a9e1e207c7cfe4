"""Which models have a closed form given their variances."""

from __future__ import annotations

from bayeslmm.model.types import Model


def not_gaussian(model: Model, method: str) -> str | None:
    """Why the closed forms don't hold, in words; None where they do.

    Parameters
    ----------
    model : Model
    method : str
        What asks, as messages call it.
    """
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
