"""One data set of a calibration: drawn from the prior, fitted, and its true values ranked."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.errors import BayeslmmWarning
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.model import Model
from bayeslmm.model.names import group_names
from bayeslmm.predict.parameters import Values, parameters_of
from bayeslmm.predict.prior import draw_prior
from bayeslmm.predict.simulate import log_likelihood, responses

Floats = NDArray[np.float64]
RANKS = 99  # posterior draws that a true value is ranked among: a hundred ranks
LOGLIK = "log_likelihood"
NUMERICAL = (RuntimeError, ArithmeticError, ValueError)  # what a fit of absurd data may end in


@dataclass(frozen=True, slots=True)
class Ranked:
    """The result of one data set.

    Attributes
    ----------
    ranks : dict of str to int
        By quantity, how many of `RANKS` posterior draws lie below the true value.
    said : str
        The first warning of the fit.
    failed : str
        The error that ended the fit, if any.
    """

    ranks: dict[str, int] = field(default_factory=dict)
    said: str = ""
    failed: str = ""


def draw_data(
    model: Model, child: np.random.SeedSequence
) -> tuple[Values, Floats, np.random.Generator]:
    """True values, the response made from them, and the generator as it then is."""
    rng = np.random.default_rng(child)
    truth = draw_prior(model, 1, rng)
    return truth, responses(model, truth, rng)[0], rng


def rank(
    model: Model,
    posterior: Callable[[Model, int], xr.Dataset],
    child: np.random.SeedSequence,
) -> Ranked:
    """Draw, fit and rank.

    Parameters
    ----------
    model : Model
    posterior : callable
        From the model with another response, and a seed, to draws under the tree's names.
    child : SeedSequence
        The random seed of this data set.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", BayeslmmWarning)
        try:
            truth, y, rng = draw_data(model, child)
            there = replace(model, design=replace(model.design, y=y))
            found = posterior(there, int(rng.integers(2**31)))
        except NUMERICAL as error:
            return Ranked(failed=f"{type(error).__name__}: {error}")
    drawn = thinned(found, list(truth))
    ranks = {
        label: _below(np.moveaxis(drawn[name], 0, -1)[place], truth[name][0][place], rng)
        for name, place, label in quantities(model)
        if name in drawn
    }
    if drawn.keys() == truth.keys():
        own, theirs = log_likelihood(there, truth)[0], log_likelihood(there, drawn)
        ranks[LOGLIK] = _below(theirs, own, rng)
    own_words = [str(w.message) for w in said if issubclass(w.category, BayeslmmWarning)]
    return Ranked(ranks, said=own_words[0] if own_words else "")


def _below(draws: Floats, value: float, rng: np.random.Generator) -> int:
    """The rank of a value; among equal ones by lot (Modrák et al., 2023, definition 1)."""
    equal = int((draws == value).sum())
    return int((draws < value).sum()) + int(rng.integers(equal + 1))


def thinned(posterior: xr.Dataset, names: list[str]) -> Values:
    """Draws evenly over all chains, `RANKS` of them, under the tree's names."""
    out = {}
    for name in names:
        if name in posterior:
            values = posterior[name].transpose(*SAMPLE, ...).values
            flat = values.reshape(-1, *values.shape[2:])
            out[name] = flat[np.linspace(0, len(flat) - 1, RANKS).round().astype(int)]
    return out


def quantities(model: Model) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Name, place and label of every number that is ranked: all parameters, and the effects of
    the first and the last level of every factor."""
    effects = {g.u for m in (model, *model.dpars.values()) for g in group_names(m)}
    for name, parameter in parameters_of(model).items():
        shape, labels = parameter.shape, list(parameter.coords.values())
        for place in np.ndindex(shape):
            if name in effects and place[-2] not in (0, shape[-2] - 1):
                continue
            words = [str(own[i]) for own, i in zip(labels, place, strict=True)]
            yield name, place, f"{name}[{', '.join(words)}]" if words else name
