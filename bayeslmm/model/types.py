"""A model with every name resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Patterned, Precision, Structure
from bayeslmm.design import Aliasing, Centred, Design, Part, RandomBlock, identity
from bayeslmm.families import Family, Link
from bayeslmm.model.residual import Residual
from bayeslmm.model.strata import Strata
from bayeslmm.model.structures import sd_names, structure_of
from bayeslmm.priors import CENTRED, RESIDUAL, Prior

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Specification:
    """The specification of a model by the user or a model file: text and numbers only.

    Attributes
    ----------
    formula : str
    family, link : str
    priors : mapping of str to str, str, or None
        As given; a Model carries them resolved.
    missing : str
        ``"drop"`` or ``"error"``.
    random : mapping of str to str
        Distribution of the effects of a grouping factor, where it isn't the normal.
    dpar : mapping of str to str
        Formulas of further parameters of the family, ``{"sigma": "~ x + (1 | g)"}``.
    residual : str, optional
        Structure of the residuals, ``"ar1(time | Subject)"``.
    """

    formula: str
    family: str = "gaussian"
    link: str | None = None
    priors: Mapping[str, str | Prior] | str | None = None
    missing: str = "drop"
    random: Mapping[str, str] = field(default_factory=dict)
    dpar: Mapping[str, str] = field(default_factory=dict)
    residual: str | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """One covariance matrix of the model: the coefficients of a part of a random block.

    Attributes
    ----------
    group : str
        Grouping factor.
    block : int
        Which of the design's blocks.
    columns : tuple of int
        Columns of the block.
    coefs : tuple of str
        Their names.
    structure : Structure
        How they co-vary.
    centred : Centred
        Its columns at the centre of their numeric variables; of structured terms, the columns
        themselves.
    at_centre : bool
        Whether its priors are on the coefficients at the centre.
    sds : tuple of str
        The name of each coefficient's standard deviation; one for all where they share it.
    """

    group: str
    block: int
    columns: tuple[int, ...]
    coefs: tuple[str, ...]
    structure: Structure
    centred: Centred
    at_centre: bool
    sds: tuple[str, ...]

    @property
    def n_parameters(self) -> int:
        return self.structure.n_parameters(len(self.columns))

    @property
    def sd_keys(self) -> tuple[str, ...]:
        """Keys of the priors of the free standard deviations."""
        free = self.structure.free_sds(len(self.columns))
        moved = self.centred.moved if self.at_centre else (False,) * len(self.coefs)
        keys = tuple(f"sd_{self.group}[{name}]" for name in self.sds)
        return tuple(f"{keys[i]}{CENTRED}" if moved[i] else keys[i] for i in free)

    @property
    def couples(self) -> bool:
        """Whether its coefficients correlate."""
        patterned = isinstance(self.structure, Patterned)
        return len(self.columns) > 1 and (patterned or self.structure.correlated)

    @property
    def par_keys(self) -> tuple[str, ...]:
        """Keys of the priors of the pattern's numbers."""
        return tuple(f"{self.group}_par[{p.name}]" for p in self.structure.parameters)

    @property
    def cor_key(self) -> str | None:
        """Key of the correlations' prior, where there are any."""
        has = self.structure.correlated and len(self.columns) > 1
        return f"cor_{self.group}{CENTRED if self.at_centre else ''}" if has else None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the checks found in the design before any fit.

    Attributes
    ----------
    text : str
        What, where, and what to do.
    fatal : frozenset of str
        The methods that must refuse because of it.
    groups : tuple of str
        The factors whose variances it is about.
    unbounded : bool
        Whether it is that a likelihood has no maximum.
    """

    text: str
    fatal: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()
    unbounded: bool = False


@dataclass(frozen=True, eq=False)
class Model:
    """One specification with its data: everything an engine needs, all names resolved.

    Attributes
    ----------
    spec : Specification
    design : Design
    family : Family
    priors : dict of str to Prior
        Resolved to numbers, by canonical key (see `bayeslmm.priors.policy`).
    aliasing : Aliasing
        Fixed columns that are combinations of earlier ones.
    link : Link
        Of the linear predictor.
    findings : tuple of Finding
    notes : tuple of str
        Everything that was said while the model was made.
    dpars : dict of str to Model
        Predictors of further parameters of the family, each with a `prefix` to its names.
    unit : float
        About how much the linear predictor varies: sd(y) on an identity link, else 1. It stays
        when the response is replaced, as the priors' numbers do.
    prefix : str
        What the names of this predictor's parameters begin with; empty for the response's own.
    residual : Residual or None
        Structure of the residuals; None where they are independent with one sigma.
    kin : mapping of str to Precision
        Known relationships between the levels of grouping factors.
    """

    spec: Specification
    design: Design
    family: Family
    priors: dict[str, Prior]
    aliasing: Aliasing
    link: Link
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    dpars: Mapping[str, Model] = field(default_factory=dict)
    prefix: str = ""
    unit: float = 1.0
    residual: Residual | None = None
    kin: Mapping[str, Precision] = field(default_factory=dict)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """One for each covariance matrix, in the order of the blocks."""
        return tuple(
            self._term(index, block, part, centred)
            for index, (block, own) in enumerate(
                zip(self.design.blocks, centred_parts(self.design, self.random), strict=True)
            )
            for part, centred in zip(block.parts, own, strict=True)
        )

    def _term(self, index: int, block: RandomBlock, part: Part, centred: Centred) -> Term:
        coefs = tuple(block.coefs[c] for c in part.columns)
        structure = structure_of(part, coefs)
        at_centre = not centred.is_identity and f"cor_{block.group}{CENTRED}" in self.priors
        names = sd_names(block)
        sds = tuple(names[c] for c in part.columns)
        return Term(block.group, index, part.columns, coefs, structure, centred, at_centre, sds)

    @property
    def random(self) -> Mapping[str, str]:
        """Distribution of the effects by grouping factor, where it isn't the normal."""
        return self.spec.random

    @property
    def sigma_known(self) -> bool:
        """Whether the residual standard deviations are given, row by row."""
        return "known_sd" in self.design.extras

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Parameters of the family that are one number (or one ordered vector) for all rows."""
        given = {*self.dpars, *(["sigma"] if self.sigma_known else [])}
        return tuple(a.name for a in self.family.auxiliaries if a.name not in given)

    @property
    def has_sigma(self) -> bool:
        """Whether there is one residual standard deviation, to be estimated."""
        return "sigma" in self.parameters

    @property
    def strata(self) -> Strata | None:
        """Rows with a residual standard deviation of their own each, where sigma has some."""
        return None if self.residual is None else self.residual.strata

    @property
    def sigma_keys(self) -> tuple[str, ...]:
        """Keys of the priors of the residual standard deviations."""
        if not self.has_sigma:
            return ()
        if self.strata is None:
            return ("sigma",)
        return tuple(f"sigma[{label}]" for label in self.strata.labels)

    @property
    def residual_keys(self) -> tuple[str, ...]:
        """Keys of the priors of the residual structure's further numbers."""
        if self.residual is None:
            return ()
        single = self.residual.parameters[: self.residual.n_single]
        return tuple(f"residual_par[{p.name}]" for p in single)

    @property
    def residual_cor_key(self) -> str | None:
        """Key of the prior of free correlations of the residuals, where there are any."""
        free = self.residual is not None and self.residual.is_free
        return f"cor_{RESIDUAL}" if free else None

    @property
    def trials(self) -> Floats | None:
        """Trials of each row, shape (n,), where the response is a count out of them."""
        return self.design.extras.get("trials")

    @cached_property
    def precision_weights(self) -> Floats:
        """w such that Var(e_i) = sigma²/w_i (sigma = 1 where the sd is known), shape (n,)."""
        extras = self.design.extras
        if "known_sd" in extras:
            return 1.0 / extras["known_sd"] ** 2
        if "weights" in extras:
            return extras["weights"]
        return np.ones(self.design.n)

    @cached_property
    def used(self) -> NDArray[np.bool_]:
        """Rows that are in the likelihood: those of positive weight, shape (n,)."""
        weights = self.design.extras.get("weights")
        return np.ones(self.design.n, dtype=bool) if weights is None else weights > 0

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """Fixed columns of a posterior under the model's priors: aliased ones are left out
        where any coefficient is flat, and stay where all priors are proper. Ordered categories
        have cutpoints for an intercept."""
        flat = any(
            not prior.is_proper() for key, prior in self.priors.items() if is_coefficient(key)
        )
        columns = self.aliasing.kept if flat else range(self.design.p)
        if self.family.categorical != "ordered" or self.prefix:
            return tuple(columns)
        return tuple(c for c in columns if self.design.coefs[c] != "Intercept")

    @property
    def n(self) -> int:
        """Rows in the likelihood."""
        return int(np.count_nonzero(self.used))

    @property
    def n_variance_parameters(self) -> int:
        """Free parameters of the random effects, and sigma where it is estimated."""
        own = 0 if self.residual is None else self.residual.size
        return sum(t.n_parameters for t in self.terms) + self.has_sigma + own

    def __repr__(self) -> str:
        return f"Model({str(self.design.formula)!r}, {self.n} rows)"

    def describe(self) -> dict[str, Any]:
        """The specification as JSON-ready values, priors resolved."""
        return {
            "formula": self.spec.formula,
            "family": self.spec.family,
            "link": self.spec.link,
            "missing": self.spec.missing,
            "random": dict(self.spec.random),
            "dpar": dict(self.spec.dpar),
            "residual": self.spec.residual,
            "priors": self.prior_texts,
        }

    @property
    def prior_texts(self) -> dict[str, str]:
        """Every prior, of further predictors too, as a text that can be typed back."""
        out = prior_texts(self.priors)
        for sub in self.dpars.values():
            out |= {f"{sub.prefix}{key}": text for key, text in prior_texts(sub.priors).items()}
        return out


def centred_parts(design: Design, random: Mapping[str, str]) -> list[tuple[Centred, ...]]:
    """The centred form of every part of every block.

    A mixture's clusters are apart along a root of the covariance of the users' coefficients, so
    that their effects stay as they are.
    """
    out = []
    for block, own in zip(design.blocks, design.centred_parts, strict=True):
        fixed = random.get(block.group) == "mixture"
        out.append(tuple(identity(c.size) for c in own) if fixed else own)
    return out


def effects_map(model: Model, block: int) -> Floats:
    """From the effects that the priors of a block are on to the user's, shape (k, k)."""
    out = np.eye(model.design.blocks[block].n_coefs)
    for term in model.terms:
        if term.block == block and term.at_centre:
            out[np.ix_(term.columns, term.columns)] = term.centred.T
    return out


def is_coefficient(key: str) -> bool:
    """Whether a prior's key is of a fixed effect."""
    return key.startswith("beta[") or key in ("beta", "Intercept", f"Intercept{CENTRED}")


def prior_texts(priors: Mapping[str, Prior]) -> dict[str, str]:
    """Priors as texts that can be typed back; one on a variance goes to ``key^2``."""
    out = {}
    for key, prior in priors.items():
        on_variance = prior.name == "on_variance"
        out[f"{key}^2" if on_variance else key] = str(prior)
    return out
