"""Variances that the user gives: another fit's, or a dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.errors import DataError, MethodError, nearest
from bayeslmm.gaussian.variances import Variances, off_zero
from bayeslmm.model import Model
from bayeslmm.model.names import RESIDUAL_PAR, GroupNames, group_names, residual_names

Floats = NDArray[np.float64]


def given_variances(model: Model, given: Mapping[str, Any] | xr.DataTree) -> tuple[Variances, bool]:
    """Covariances and sigma at one point, and whether they are relative to an unknown sigma.

    Parameters
    ----------
    model : Model
    given : mapping or DataTree
        A fit's tree (estimates or posterior means), or ``sigma``, ``sd_<group>``,
        ``cor_<group>``; ``rel_sd_<group>`` without sigma.

    Raises
    ------
    MethodError
        A key is missing or unknown.
    DataError
        A standard deviation is negative, or the correlations give no valid covariance matrix.
    """
    if not isinstance(given, Mapping):  # a DataTree is one
        raise MethodError(
            "variances= must be another fit or a dict",
            got=type(given).__name__,
            hint="Write for example variances={'sigma': 1.0, 'sd_<group>': [0.5]}",
        )
    values = dict(_from_tree(model, given)) if isinstance(given, xr.DataTree) else dict(given)
    names = group_names(model)
    relative = any(str(key).startswith("rel_sd_") for key in values)
    if relative and ("sigma" in values or model.sigma_known):
        raise MethodError(
            "Relative standard deviations (rel_sd_<group>) need an unknown sigma",
            got="known_sd" if model.sigma_known else f"sigma = {values['sigma']}",
            hint="Give sd_<group> instead"
            if model.sigma_known
            else "Leave 'sigma' out of variances=, or give sd_<group>",
        )
    if relative and model.strata is not None:
        raise MethodError(
            f"Relative standard deviations need one sigma, and sigma differs by "
            f"{model.strata.name!r}",
            hint="Give 'sigma', one number for each stratum, and sd_<group>",
        )
    known = _keys(model, names, relative)
    from_fit = {g.par for g in names if g.pars} if isinstance(given, xr.DataTree) else set()
    for key in values:
        if key not in known and key not in from_fit:
            raise MethodError(
                f"variances= has an unknown key {key!r}", hint=nearest(str(key), known)
            )
    for key in known:
        if key not in values and not key.startswith("cor_"):
            raise MethodError(f"variances= has no value for {key!r}", allowed=known)
    prefix = "rel_sd_" if relative else "sd_"
    covariances = tuple(_covariance(g, values, prefix)[None] for g in names)
    strata = 1 if model.strata is None else len(model.strata.labels)
    sigma = np.ones(strata)
    if not relative and not model.sigma_known:
        sigma = _numbers(values["sigma"], strata, "sigma")
        from_zero = isinstance(given, xr.DataTree) and model.residual is None
        if np.any(sigma < 0 if from_zero else sigma <= 0):
            raise DataError("variances['sigma'] must be positive", got=sigma.tolist())
    delta = None
    if model.residual is not None:
        count = len(model.residual.parameters)
        own = _numbers(values[RESIDUAL_PAR], count, RESIDUAL_PAR) if count else np.empty(0)
        model.residual.require_inside(own)
        delta = model.residual.delta(sigma[None], own[None])
    numbers = None
    if isinstance(given, xr.DataTree):
        numbers = tuple(values.get(g.par, np.empty(0)) for g in names)
    return off_zero(model, Variances(covariances, sigma[:1], delta, numbers)), relative


def _keys(model: Model, names: tuple[GroupNames, ...], relative: bool) -> list[str]:
    prefix = "rel_sd_" if relative else "sd_"
    keys = [f"{prefix}{g.label}" for g in names] + [f"cor_{g.label}" for g in names if g.pairs]
    keys += [RESIDUAL_PAR] if residual_names(model).pars else []
    return keys if model.sigma_known or relative else ["sigma", *keys]


def _from_tree(model: Model, tree: xr.DataTree) -> Mapping[str, Floats]:
    source = tree["estimate"].dataset if "estimate" in tree else tree["posterior"].dataset
    wanted = [] if model.sigma_known else ["sigma"]
    wanted += [RESIDUAL_PAR] if residual_names(model).pars else []
    for g in group_names(model):
        wanted += [g.sd, *([g.cor] if g.cor in source else []), *([g.par] if g.pars else [])]
    if not all(name in source for name in wanted) or not _same_names(model, source):
        raise MethodError(
            "The fit given as variances= is of another model: its variance parameters differ",
            hint="Give a fit of a model with the same random terms",
        )
    dims = [d for d in ("chain", "draw") if d in source.dims]
    return {name: np.nan_to_num(source[name].mean(dims).values) for name in wanted}


def _same_names(model: Model, source: xr.Dataset) -> bool:
    """Whether a fit's variances are those of the model's coefficients and pairs."""
    return all(
        dim not in source.dims or list(source[dim].values) == list(g.coords().get(dim, []))
        for g in group_names(model)
        for dim in (g.coef_dim, g.sd_dim, g.pair_dim)
    )


def _covariance(g: GroupNames, values: Mapping[str, Any], prefix: str) -> Floats:
    sd = _sds(g, values[f"{prefix}{g.label}"], f"{prefix}{g.label}")
    if np.any(sd < 0):
        raise DataError(f"variances['{prefix}{g.label}'] must not be negative", got=sd.tolist())
    correlation = np.eye(len(sd))
    if g.pairs:
        given = values.get(f"cor_{g.label}", np.zeros(len(g.pairs)))
        cor = _numbers(given, len(g.pairs), f"cor_{g.label}")
        for (i, j), value in zip(g.pairs, cor, strict=True):
            correlation[i, j] = correlation[j, i] = value
        if np.linalg.eigvalsh(correlation).min() < -1e-8:
            raise DataError(
                f"variances['cor_{g.label}'] gives no positive definite correlation matrix",
                got=cor.tolist(),
            )
    return sd[:, None] * correlation * sd


def _sds(g: GroupNames, value: Any, name: str) -> Floats:
    """The standard deviation of each coefficient, given by coefficient or once where shared."""
    each = np.shape(value) == (len(g.coefs),)
    sd = _numbers(value, len(g.coefs) if each else len(g.sds), name)
    once = sd[g.sd_first] if each else sd
    if each and not np.allclose(once[g.sd_of], sd, rtol=1e-9, atol=0.0):
        raise DataError(
            f"variances[{name!r}] must be one number shared by {', '.join(g.sds)}", got=sd.tolist()
        )
    return once[g.sd_of]


def _numbers(value: Any, length: int, name: str) -> Floats:
    try:
        out = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        raise DataError(f"variances[{name!r}] must be numbers", got=repr(value)) from None
    if out.shape != (length,) or not np.all(np.isfinite(out)):
        count = f"{length} finite numbers" if length > 1 else "one finite number"
        raise DataError(f"variances[{name!r}] must be {count}", got=repr(value))
    return out
