"""The tidy tables: the same columns whatever the engine.

`estimate` and `std_error` are mean and standard deviation of a posterior, or the estimate and
its standard error; `lower` and `upper` bound the central 95 %.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from bayeslmm.fit.tree import SAMPLE
from bayeslmm.model import Model
from bayeslmm.model.names import GroupNames, group_names

Floats = NDArray[np.float64]
COLUMNS = ["estimate", "std_error", "lower", "upper"]
LEVEL = 0.95


def fixef(model: Model, tree: xr.DataTree) -> pd.DataFrame:
    """Fixed effects, index ``coef``."""
    if "estimate" in tree:
        e = tree["estimate"].dataset
        values = _wald(e["beta"].values, np.sqrt(np.diag(e["beta_cov"].values)), e)
        coefs = e["coef"].values
    else:
        draws = tree["posterior"].dataset["beta"]
        values = summarise(draws)
        coefs = draws["coef"].values
    return pd.DataFrame(values, index=pd.Index(coefs, name="coef"), columns=COLUMNS)


def ranef(model: Model, tree: xr.DataTree, *, given_beta: bool = False) -> pd.DataFrame:
    """Random effects u: ``group, level, coef`` and the four numbers."""
    frames = []
    for g in group_names(model):
        if "estimate" in tree:
            e = tree["estimate"].dataset
            suffix = "_cov_given_beta" if given_beta else "_cov"
            values = _wald(e[g.u].values, _roots(e[g.u + suffix].values), e)
        elif "effects" in tree:
            e = tree["effects"].dataset
            values = _wald(e[g.u].values, _roots(e[f"{g.u}_cov"].values), e)
        else:
            values = summarise(tree["posterior"].dataset[g.u])
        frames.append(_by_level(g, values))
    return _stack(frames)


def coef(model: Model, tree: xr.DataTree) -> pd.DataFrame:
    """Each level's own coefficients, beta + u; u alone where no fixed effect has the name."""
    frames = []
    for g in group_names(model):
        if "estimate" in tree or "effects" in tree:
            source = "estimate" if "estimate" in tree else "effects"
            values = _coef_estimates(tree[source].dataset, g)
        else:
            posterior = tree["posterior"].dataset
            values = summarise(coef_draws(posterior, g))
        frames.append(_by_level(g, values))
    return _stack(frames)


def coef_draws(posterior: xr.Dataset, g: GroupNames) -> xr.DataArray:
    """Draws of beta + u for one factor, dims (chain, draw, level, coef)."""
    fixed = list(posterior["coef"].values)
    u = posterior[g.u].transpose(*SAMPLE, g.label, g.coef_dim)
    total = u.values.copy()
    for c, name in enumerate(g.coefs):
        if name in fixed:
            total[..., c] += posterior["beta"].values[..., fixed.index(name), None]
    return u.copy(data=total)


def varcorr(model: Model, tree: xr.DataTree) -> pd.DataFrame:
    """Standard deviations and correlations of the random effects, and the residual's."""
    rows = list(_varcorr_rows(model, tree))
    columns = ["group", "kind", "coef", "coef2", *COLUMNS]
    return pd.DataFrame(rows, columns=columns)


def _varcorr_rows(model: Model, tree: xr.DataTree) -> Iterator[tuple[object, ...]]:
    for g in group_names(model):
        for name, values in zip(g.coefs, parameter(tree, g.sd), strict=True):
            yield (g.shown, "sd", name, "", *values)
        if g.pairs:
            for (i, j), values in zip(g.pairs, parameter(tree, g.cor), strict=True):
                yield (g.shown, "cor", g.coefs[i], g.coefs[j], *values)
    if not model.sigma_known:
        yield ("Residual", "sd", "", "", *parameter(tree, "sigma").reshape(4))


def parameter(tree: xr.DataTree, name: str) -> Floats:
    """The four numbers of a variance parameter, shape (..., 4)."""
    if "estimate" in tree:
        e = tree["estimate"].dataset
        parts = [e[name], e[f"{name}_std_error"], e[f"{name}_lower"], e[f"{name}_upper"]]
        return np.stack([np.asarray(p.values) for p in parts], axis=-1)
    return summarise(tree["posterior"].dataset[name])


def summarise(draws: xr.DataArray) -> Floats:
    """Mean, sd and central 95 % of draws, shape (..., 4)."""
    return summarise_array(draws.transpose(*SAMPLE, ...).values)


def summarise_array(draws: Floats) -> Floats:
    """`summarise` for a plain array with chain and draw leading."""
    values = draws.reshape(draws.shape[0] * draws.shape[1], *draws.shape[2:])
    tail = (1 - LEVEL) / 2
    lower, upper = np.quantile(values, [tail, 1 - tail], axis=0)
    return np.stack([values.mean(axis=0), values.std(axis=0, ddof=1), lower, upper], axis=-1)


def half_width(dof: float | None) -> float:
    """Half of a central 95 % interval, in standard deviations: normal, or t on `dof`."""
    if dof is None:
        return float(special.ndtri((1 + LEVEL) / 2))
    shrink = np.sqrt((dof - 2) / dof) if dof > 2 else np.nan
    return float(special.stdtrit(dof, (1 + LEVEL) / 2) * shrink)


def _wald(estimate: Floats, std_error: Floats, e: xr.Dataset) -> Floats:
    half = half_width(e.attrs.get("dof")) * std_error
    return np.stack([estimate, std_error, estimate - half, estimate + half], axis=-1)


def _roots(covariances: Floats) -> Floats:
    """Standard deviations from covariance matrices (..., k, k)."""
    return np.sqrt(np.clip(np.einsum("...ii->...i", covariances), 0.0, None))


def _coef_estimates(e: xr.Dataset, g: GroupNames) -> Floats:
    fixed = list(e["coef"].values)
    total = e[g.u].values.copy()
    variance = np.einsum("jaa->ja", e[f"{g.u}_cov"].values).copy()
    cross = e[f"{g.u}_beta_cov"].values
    for c, name in enumerate(g.coefs):
        if name in fixed:
            i = fixed.index(name)
            total[:, c] += e["beta"].values[i]
            variance[:, c] += e["beta_cov"].values[i, i] + 2 * cross[:, c, i]
    return _wald(total, np.sqrt(np.clip(variance, 0.0, None)), e)


def _by_level(g: GroupNames, values: Floats) -> pd.DataFrame:
    k = len(g.coefs)
    frame = pd.DataFrame(values.reshape(-1, 4), columns=COLUMNS)
    frame.insert(0, "coef", np.tile(np.array(g.coefs, dtype=object), len(g.levels)))
    frame.insert(0, "level", np.repeat(np.asarray(g.levels, dtype=object), k))
    frame.insert(0, "group", g.shown)
    return frame


def _stack(frames: list[pd.DataFrame]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=["group", "level", "coef", *COLUMNS])
    return pd.concat(frames, ignore_index=True)
