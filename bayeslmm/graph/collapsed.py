"""Model -> pm.Model with (beta, u) integrated out: only the variance parameters are free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeslmm.errors import MethodError, nearest
from bayeslmm.gaussian.by_roots import ByRoots
from bayeslmm.gaussian.target import target
from bayeslmm.graph.effects import covariance_root
from bayeslmm.graph.joint_priors import residual_sd
from bayeslmm.graph.marginal import operation
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.patterns import residual_parameters
from bayeslmm.model import Model, not_gaussian, prior_rows, unreachable
from bayeslmm.model.names import group_names, residual_names, response_name

MULTIPLIER = "beta_multiplier"


def collapsed(model: Model) -> Any:
    """A `pm.Model` over the variance parameters alone.

    Parameters
    ----------
    model : Model
        Gaussian, with normal effects, and coefficient priors that are normal, Student-t,
        Cauchy or flat.

    Returns
    -------
    pm.Model
        Free variables for standard deviations, correlations and sigma under the names of a
        fit's tree, and one precision multiplier for each heavy-tailed coefficient prior; the
        likelihood is a potential.

    Raises
    ------
    MethodError
        A model without the closed form, with the reason.
    """
    import pymc as pm
    import pytensor.tensor as pt

    reason = refusal(model)
    if reason is not None:
        raise MethodError(reason)
    names = group_names(model)
    rows = prior_rows(model).on(model.columns)
    coords: dict[str, Any] = residual_names(model).coords()
    for g in names:
        coords |= g.coords()
    with pm.Model(coords=coords) as out:
        roots = {g.group: covariance_root(model, i, g) for i, g in enumerate(names)}
        sigma = None
        if not model.sigma_known:
            sigma = residual_sd(model)
        multiplier = None
        if len(rows.heavy):
            half = f64(0.5 * rows.nu[rows.heavy])
            multiplier = pm.Gamma(MULTIPLIER, half, half, shape=len(rows.heavy))
        numbers = None
        if model.residual is not None:
            numbers, sigma = residual_parameters(model, sigma), None
        value = _marginal(model, roots, sigma, multiplier, numbers)
        pm.Potential(f"{response_name(model)}_marginal", pt.as_tensor_variable(value))
    return out


def refusal(model: Model) -> str | None:
    """Why (beta, u) can't be integrated out, in words; None where they can."""
    reason = not_gaussian(model, "marginal=True")
    if reason is not None:
        return reason
    bad = unreachable(model)
    if bad:
        return (
            "'marginal=True' needs normal, Student-t, Cauchy or flat priors on coefficients, not "
            f"{model.priors[bad[0]]} on {bad[0]}; the hierarchical model takes it."
        )
    return None


def marginal_loglik(
    model: Model, roots: Mapping[str, Any], *, sigma: Any = None, multiplier: Any = None
) -> Any:
    """log p(y | covariances, sigma), (beta, u) integrated out: a scalar for any PyMC model.

    Parameters
    ----------
    model : Model
    roots : mapping of str to tensor, shape (k, k)
        By grouping factor, a root L of the covariance ``L L'`` of its coefficients.
    sigma : tensor, optional
        Residual standard deviation; none where it is known.
    multiplier : tensor, optional
        Precision multipliers of heavy-tailed coefficient priors; ones where not given.

    Raises
    ------
    MethodError
        A factor that is missing or unknown, or a sigma too few or too many.
    """
    if model.residual is not None:
        raise MethodError(
            "marginal_loglik() needs independent residuals, and the model has a residual structure",
            hint="Use model.to_pymc(marginal=True)",
        )
    return _marginal(model, roots, sigma, multiplier, None)


def _marginal(
    model: Model, roots: Mapping[str, Any], sigma: Any, multiplier: Any, numbers: Any
) -> Any:
    """As `marginal_loglik`; `numbers` are the residuals' own, sigma among them, where they have
    a structure."""
    import pytensor.tensor as pt

    density = ByRoots(target(model))
    groups = [b.group for b in model.design.blocks]
    for group in roots:
        if group not in groups:
            raise MethodError(f"Unknown factor {group!r}", hint=nearest(str(group), groups))
    missing = [group for group in groups if group not in roots]
    if missing:
        raise MethodError(
            "marginal_loglik() needs a root of each factor's covariance",
            got=f"no root for {', '.join(missing)}",
        )
    if numbers is None and (sigma is None) is density.has_sigma:
        if density.has_sigma:
            raise MethodError("marginal_loglik() needs sigma=, the residual standard deviation")
        raise MethodError("sigma is known in this model", hint="Leave out sigma=")
    parts = [
        pt.flatten(_root(roots[group], group, k))
        for group, k in zip(groups, density.shapes, strict=True)
    ]
    if numbers is not None:
        parts.append(numbers)
    elif sigma is not None:
        parts.append(pt.as_tensor_variable(sigma, dtype="float64")[None])
    heavy = len(density.target.rows.heavy)
    if heavy:
        given = np.ones(heavy) if multiplier is None else multiplier
        parts.append(pt.as_tensor_variable(given, dtype="float64"))
    x = pt.concatenate(parts) if parts else pt.as_tensor_variable(f64(np.empty(0)))
    return operation()(density)(x)[0]


def _root(value: Any, group: str, k: int) -> Any:
    """The root as a tensor, if its shape may be (k, k)."""
    import pytensor.tensor as pt

    root = pt.as_tensor_variable(value, dtype="float64")  # a plain float would be float32
    if root.ndim != 2 or any(n not in (None, k) for n in root.type.shape):
        raise MethodError(
            f"The covariance of {group!r} needs one root of shape ({k}, {k})",
            got=f"shape {root.type.shape}",
        )
    return root
