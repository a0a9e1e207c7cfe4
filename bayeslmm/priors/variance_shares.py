"""The total standard deviation, and what each component has of the total variance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.errors import PriorError, is_finite
from bayeslmm.priors.base import Floats, Prior, number, student_t_log_density

Numbers = float | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class VarianceShares(Prior):
    """A density over all K standard deviations of a model together.

    With x_k = s_k sd_k, s_k a component's unit, the total is T² = sum_k x_k², and

        T ~ half-t(nu, 0, scale),    (x_k²/T²)_k ~ Dirichlet(a_1, ..., a_K),

    independently (Fuglstad et al., 2020, Bayesian Analysis 15(4), sec. 2, share out a total
    variance so). From v_k = x_k² = T² phi_k, |dv/d(T², phi)| = T^(2(K - 1)) and
    dv_k = 2 s_k² sd_k dsd_k,

        p(sd) = p(T)/(2T) Dir(phi) T^(-2(K - 1)) prod_k 2 s_k² sd_k.

    Attributes
    ----------
    concentration : float or tuple of float
        a_k: one for all components, or one each. Above 1 shares tend to be alike, below 1 few
        components have most of it.
    nu : float
    scale : float, optional
        Of the total; what a model resolves is that of its default priors of sds.
    units : float or tuple of float, optional
        s_k; what a model resolves is the sd of each component's covariate, 1 for an intercept
        and for sigma.
    """

    name: ClassVar[str] = "variance_shares"
    support: ClassVar[str] = "variances"

    concentration: Numbers = 1.0
    nu: float = 3.0
    scale: float | None = None
    units: Numbers | None = None

    def __post_init__(self) -> None:
        for name in ("concentration", "units"):  # a frozen value that a list was given for
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("concentration", "units"):
            value = getattr(self, name)
            each = value if isinstance(value, tuple) else (value,)
            if not each or not all(_positive(v) for v in each if value is not None):
                self._refuse(name, "a positive number, or a list of them")
        for name in ("nu", "scale"):
            value = getattr(self, name)
            if value is not None and not _positive(value):
                self._refuse(name, "a positive number")

    def _refuse(self, name: str, allowed: str) -> None:
        text = f"Parameter {name!r} of prior {self.name!r} is not valid"
        raise PriorError(text, got=repr(getattr(self, name)), allowed=allowed)

    def over(self, components: Mapping[str, float], scale: float) -> VarianceShares:
        """The same with all that was left open filled in.

        Parameters
        ----------
        components : mapping of str to float
            Their units by name.
        scale : float
            Of the total.

        Raises
        ------
        PriorError
            A list of another length.
        """
        for name in ("concentration", "units"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != len(components):
                raise PriorError(
                    f"Prior {self.name!r} has {len(value)} numbers for {name!r}",
                    allowed=f"one number, or one for each of {', '.join(components)}",
                )
        units = tuple(components.values())
        if self.units is not None:
            units = tuple(_each(self.units, len(components)).tolist())
        return replace(self, units=units, scale=scale if self.scale is None else self.scale)

    def weights(self, count: int) -> Floats:
        """The Dirichlet's concentrations for `count` components."""
        return _each(self.concentration, count)

    def unit(self, count: int) -> Floats:
        """s_k for `count` components."""
        return _each(1.0 if self.units is None else self.units, count)

    @property
    def spread(self) -> float:
        """The total's scale; 1 where none is resolved."""
        return 1.0 if self.scale is None else self.scale

    def log_density(self, x: Floats) -> Floats:
        """Log density at standard deviations of shape (S, K), shape (S,)."""
        count = x.shape[-1]
        a, unit = self.weights(count), self.unit(count)
        with np.errstate(all="ignore"):
            total = np.sqrt(np.sum((unit * x) ** 2, axis=-1))
            scaled = student_t_log_density(total / self.spread, self.nu) - np.log(self.spread)
            powers = special.xlogy(2 * a - 1, unit * x) + np.log(unit) - special.gammaln(a)
            out = (
                scaled
                + count * np.log(2.0)  # 2^K of the squares, a half of T²'s, twice of the half-t
                + special.gammaln(a.sum())
                + powers.sum(axis=-1)
                + (1 - 2 * a.sum()) * np.log(total)
            )
        return np.where(np.all(x >= 0, axis=-1) & (total > 0), out, -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """Independent draws of the standard deviations, shape (size, K)."""
        lists = [v for v in (self.units, self.concentration) if isinstance(v, tuple)]
        if not lists:
            raise PriorError(f"Prior {self.name!r} needs the number of components")
        count = len(lists[0])
        total = self.spread * np.abs(rng.standard_t(self.nu, size))
        shares = rng.dirichlet(self.weights(count), size)
        return np.asarray(total[:, None] * np.sqrt(shares) / self.unit(count))

    def __str__(self) -> str:
        values: list[str] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            text = number(value) if not isinstance(value, tuple) else _listed(value)
            skipped = self.scale is None and field.name == "units"
            values.append(f"{field.name}={text}" if skipped else text)
        return f"{self.name}({', '.join(values)})"


def _each(value: Numbers, count: int) -> Floats:
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (count,))


def _listed(values: tuple[float, ...]) -> str:
    return f"[{', '.join(number(v) for v in values)}]"


def _positive(value: object) -> bool:
    return is_finite(value) and not isinstance(value, bool) and float(value) > 0  # type: ignore[arg-type]
