"""Fits side by side in one tidy table."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Literal, get_args

import pandas as pd

from bayeslmm.compare.fits import Fits, HoldsFit, named
from bayeslmm.errors import MethodError, ModelError
from bayeslmm.fit.levels import LEVEL, check_level
from bayeslmm.fit.tables import COLUMNS

KINDS: list[Hashable] = ["fixed", "sd", "cor", "par", "random"]
Shown = Literal["fixed", "all"]
EFFECTS = get_args(Shown)
VALUES = ["estimate", "std_error"]
KEYS = ["kind", "group", "level", "coef"]


def compare_fits(
    fits: Fits, *, effects: Shown = "fixed", level: float | None = None
) -> pd.DataFrame:
    """Lay fits side by side, parameter by parameter.

    Parameters
    ----------
    fits : mapping of str to fit
        ``{"BLUP": reml, "exact": post}``; any methods, and different models of one response.
    effects : {"fixed", "all"}
        ``"fixed"``: fixed effects, standard deviations (sigma too) and correlations; ``"all"``
        adds the random effects of every level.
    level : float, optional
        Adds the bounds ``lower`` and ``upper`` of the central intervals of this probability.

    Returns
    -------
    DataFrame
        Index ``kind`` (``fixed``, ``sd``, ``cor``, ``random``), ``group`` and ``coef``, a
        correlation's as ``"Intercept, Days"``; with ``effects="all"`` also ``level``. Columns
        ``(fit, "estimate" | "std_error")``, posterior mean and standard deviation in Bayesian
        fits, and with `level` also ``lower`` and ``upper``. NaN where a fit doesn't have
        the parameter.

    Raises
    ------
    FitError
        No fit, or an object that is not a fit.
    ModelError
        Fits of different responses.
    MethodError
        A level that is not between 0 and 1; unknown `effects`.
    """
    if effects not in EFFECTS:
        raise MethodError(f"Unknown effects={effects!r}", allowed=EFFECTS)
    chosen = named(fits)
    _require_one_response(chosen)
    checked = None if level is None else check_level(level)
    tables = {name: parameters(fit, effects, checked) for name, fit in chosen.items()}
    ordered = in_order(key for table in tables.values() for key in table.index)
    out = pd.concat({name: table.reindex(ordered) for name, table in tables.items()}, axis=1)
    out.columns = out.columns.set_names(["fit", "value"])
    return out if effects == "all" else out.droplevel("level")


def parameters(fit: HoldsFit, effects: str, level: float | None = None) -> pd.DataFrame:
    """Estimates and standard errors of one fit, with a level also the bounds of intervals, by
    ``kind, group, level, coef``."""
    values, at = (VALUES, LEVEL) if level is None else (COLUMNS, level)
    fixed = fit.fixef(level=at).reset_index().assign(kind="fixed", group="", level="")
    scales = fit.varcorr(level=at)
    pair = scales["coef"].str.cat(scales["coef2"], sep=", ")
    scales = scales.assign(coef=scales["coef"].where(scales["kind"] != "cor", pair), level="")
    frames = [fixed, scales]
    if effects == "all":
        frames.append(fit.ranef(level=at).assign(kind="random"))
    rows = [frame[[*KEYS, *values]].astype({"level": object}) for frame in frames if len(frame)]
    table = pd.concat(rows, ignore_index=True).set_index(KEYS)
    return table.reindex(in_order(table.index))


def in_order(keys: Iterable[tuple[Hashable, ...]]) -> pd.MultiIndex:
    """An index of parameters by kind, within which they are as the fits have them; the
    residual's is the last of its kind.

    Its levels are in the order of the rows, so that pandas finds a part of the index fast.
    """
    rows = sorted(dict.fromkeys(keys), key=lambda key: (KINDS.index(key[0]), key[1] == "Residual"))
    parts = [list(dict.fromkeys(part)) for part in zip(*rows, strict=True)]
    places = [{value: i for i, value in enumerate(part)} for part in parts]
    codes = [[place[row[i]] for row in rows] for i, place in enumerate(places)]
    levels = [pd.Index(part, dtype=object) for part in parts]
    return pd.MultiIndex(levels=levels, codes=codes, names=KEYS)


def _require_one_response(fits: dict[str, HoldsFit]) -> None:
    responses = {name: fit.resolved.design.formula.response for name, fit in fits.items()}
    if len(set(responses.values())) > 1:
        got = ", ".join(f"{name}: {response}" for name, response in responses.items())
        raise ModelError("Fits of different responses can't be compared", got=got)
