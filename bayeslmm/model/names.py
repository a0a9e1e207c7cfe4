"""What variables, dimensions and coordinates of a fit are called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.model.effects import EFFECTS
from bayeslmm.model.structures import sd_names
from bayeslmm.model.types import Model

RESIDUAL_PAR = "residual_par"
RESERVED = frozenset(
    {
        ".",  # in a file, the group itself
        "chain",
        "draw",
        "coef",
        "coef2",
        "beta",
        "sigma",
        "sd",
        "cor",
        "u",
        "row",
        "residual_par",
        "par",
        "category",
        "slope",
        "cutpoint",
        "eta",
        "nu",
        "shape",
        "phi",
        "zi",
        "X",
        "known_sd",
        "weights",
        "Residual",
        "total_sd",
        "variance_share",
        "variance_component",
    }
)


@dataclass(frozen=True, slots=True)
class GroupNames:
    """The names of one grouping factor in the tree.

    Attributes
    ----------
    group : str
        As the user calls it.
    label : str
        As the tree calls it: a trailing ``_`` where the name collides with one of ours,
        and no ``/``, which files can't hold.
    levels : ndarray, shape (J,)
    coefs : tuple of str
    pairs : tuple of (int, int)
        The correlations that exist, as pairs of coefficients.
    prefix : str
        What the names of the predictor's parameters begin with.
    pars : tuple of str
        Numbers of the coefficients' covariance patterns.
    par_dim : str
        Their dimension: ``par`` where no other variable has one.
    sd_names : tuple of str
        The name of each coefficient's standard deviation; coefficients may share one.
    """

    group: str
    label: str
    levels: NDArray[Any]
    coefs: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    prefix: str = ""
    pars: tuple[str, ...] = ()
    par_dim: str = "par"
    sd_names: tuple[str, ...] = ()

    @property
    def sds(self) -> tuple[str, ...]:
        """Names of the standard deviations, each once."""
        return tuple(dict.fromkeys(self.sd_names))

    @property
    def sd_of(self) -> list[int]:
        """Which of the standard deviations each coefficient has."""
        place = {name: i for i, name in enumerate(self.sds)}
        return [place[name] for name in self.sd_names]

    @property
    def sd_first(self) -> list[int]:
        """The first coefficient of each standard deviation."""
        return [self.sd_names.index(name) for name in self.sds]

    @property
    def sd_dim(self) -> str:
        """The standard deviations' dimension: the coefficients', where each has its own."""
        own = self.sds == self.coefs
        return self.coef_dim if own else f"{self.prefix}{self.label}_sd_coef"

    @property
    def shown(self) -> str:
        """What tables call it: the user's name, but for ``Residual``, which is ours."""
        return self.label if self.group == "Residual" else self.group

    @property
    def u(self) -> str:
        return f"{self.prefix}u_{self.label}"

    @property
    def sd(self) -> str:
        return f"{self.prefix}sd_{self.label}"

    @property
    def cor(self) -> str:
        return f"{self.prefix}cor_{self.label}"

    @property
    def par(self) -> str:
        return f"{self.prefix}{self.label}_par"

    @property
    def coef_dim(self) -> str:
        return f"{self.prefix}{self.label}_coef"

    @property
    def pair_dim(self) -> str:
        return f"{self.prefix}{self.label}_pair"

    @property
    def pair_labels(self) -> list[str]:
        return [f"{self.coefs[i]},{self.coefs[j]}" for i, j in self.pairs]

    def coords(self) -> dict[str, Any]:
        """Coordinates of the factor's dimensions."""
        out: dict[str, Any] = {self.label: self.levels, self.coef_dim: list(self.coefs)}
        out[self.sd_dim] = list(self.sds)
        if self.pairs:
            out[self.pair_dim] = self.pair_labels
        if self.pars:
            out[self.par_dim] = list(self.pars)
        return out


@dataclass(frozen=True, slots=True)
class ResidualNames:
    """The names of the residuals' parameters in the tree.

    Attributes
    ----------
    stratum : str
        Dimension of sigma, empty where it is one number.
    strata : ndarray
        Its levels.
    pars : tuple of str
        The structure's further numbers.
    """

    stratum: str
    strata: NDArray[Any]
    pars: tuple[str, ...]
    par_dim: str = "par"

    @property
    def sigma_dims(self) -> tuple[str, ...]:
        return (self.stratum,) if self.stratum else ()

    def coords(self) -> dict[str, Any]:
        """Coordinates of their dimensions."""
        out: dict[str, Any] = {self.stratum: self.strata} if self.stratum else {}
        return out | ({self.par_dim: list(self.pars)} if self.pars else {})


def residual_names(model: Model) -> ResidualNames:
    """Names of the residuals' parameters."""
    if model.residual is None:
        return ResidualNames("", np.empty(0), ())
    pars = tuple(p.name for p in model.residual.parameters)
    strata = model.residual.strata
    if strata is None or not model.has_sigma:
        return ResidualNames("", np.empty(0), pars)
    name = strata.name.replace("/", "_")
    while name in RESERVED:
        name += "_"
    for g in group_names(model):  # a factor of the same levels may share its dimension
        if name in _claimed(g.label) and list(g.coords().get(name, [])) != list(strata.levels):
            name += "_sigma"
    return ResidualNames(name, np.asarray(strata.levels), pars)


def group_names(model: Model) -> tuple[GroupNames, ...]:
    """Names of every grouping factor, in the order of the design's blocks."""
    taken = set(RESERVED)
    out = []
    for index, block in enumerate(model.design.blocks):
        label = block.group.replace("/", "_")
        while taken & _claimed(label):
            label += "_"
        taken |= _claimed(label)
        pairs = tuple(
            (term.columns[i], term.columns[j])
            for term in model.terms
            if term.block == index and term.couples
            for i in range(len(term.columns))
            for j in range(i + 1, len(term.columns))
        )
        pars = tuple(
            p.name for t in model.terms if t.block == index for p in t.structure.parameters
        )
        out.append(
            GroupNames(
                block.group,
                label,
                np.asarray(block.levels),
                block.coefs,
                pairs,
                model.prefix,
                pars,
                sd_names=sd_names(block),
            )
        )
    return _with_par_dims(model, out)


def _with_par_dims(model: Model, names: list[GroupNames]) -> tuple[GroupNames, ...]:
    """One variable of numbers has the dimension ``par``; beside others a factor has its own."""
    residual = model.residual is not None and bool(model.residual.parameters)
    if sum(bool(g.pars) for g in names) + residual <= 1:
        return tuple(names)
    return tuple(replace(g, par_dim=f"{g.prefix}{g.label}_par_name") for g in names)


def _claimed(label: str) -> set[str]:
    """The names of dimensions and variables that a factor of this label has."""
    dims = {label, f"{label}_coef", f"{label}_coef2", f"{label}_pair", f"{label}_par"}
    dims.add(f"{label}_sd_coef")
    return dims | {f"{kind}_{label}" for kind in ("u", "sd", "cor")}


def response_name(model: Model) -> str:
    """What the response is called in trees and graphs: its text, unless that is taken."""
    taken = set(RESERVED).union(*(_claimed(g.label) for g in group_names(model)))
    name = model.design.formula.response.replace("/", "_")
    while name in taken:
        name += "_"
    return name


def renamed(model: Model) -> list[str]:
    """A sentence for each factor whose name had to change."""
    return [
        f"Factor {g.group!r} is called {g.label!r} in the fit's tree, because the name "
        + ("can't be stored in files." if "/" in g.group or g.group == "." else "is reserved.")
        for g in group_names(model)
        if g.label != g.group
    ]


def effect_parameters(model: Model, g: GroupNames) -> list[str]:
    """Variables of a factor's effects beside their sds and correlations, where not normal."""
    kind = model.random.get(g.group, "normal")
    return [] if kind == "normal" else [f"{name}_{g.label}" for name in EFFECTS[kind].parameters]


def contract_names(model: Model) -> list[str]:
    """Every variable of a posterior's tree, in order: coefficients, standard deviations and
    correlations, the family's parameters, and last the random effects."""
    predictors = (model, *model.dpars.values())
    names: list[str] = []
    for m in predictors:
        names += [f"{m.prefix}beta"]
        for g in group_names(m):
            names += [g.sd, *([g.cor] if g.pairs else []), *([g.par] if g.pars else [])]
            names += effect_parameters(m, g)
        names += [] if m.prefix else [*m.parameters, *_residual_par(m)]
    return names + [g.u for m in predictors for g in group_names(m)]


def _residual_par(model: Model) -> list[str]:
    return [RESIDUAL_PAR] if residual_names(model).pars else []
