"""What every prior density can do, and how it is written and read back."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import PriorError, is_finite

Floats = NDArray[np.float64]


class NormalMixture(NamedTuple):
    """A density as a scale mixture of normals: N(location, scale²/lambda),
    lambda ~ Gamma(nu/2, nu/2); `nu` infinite is the normal itself."""

    location: float
    scale: float
    nu: float


@dataclass(frozen=True, slots=True)
class Prior:
    """A density over one number (or one correlation matrix); subclasses hold its parameters.

    Attributes
    ----------
    name : str
        How the density is called in a model file.
    support : str
        ``"real"``, ``"positive"``, ``"interval"`` or ``"correlation"``.
    """

    name: ClassVar[str] = ""
    support: ClassVar[str] = "real"

    def log_density(self, x: Floats) -> Floats:
        """Log density at each x, −inf outside the support; normalised where proper."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """Independent draws."""
        raise NotImplementedError

    def normal_mixture(self) -> NormalMixture | None:
        """This density as a scale mixture of normals, or None where it is none."""
        return None

    def is_proper(self) -> bool:
        """Whether it integrates to one."""
        return True

    def allows(self, lower: float) -> bool:
        """Whether all of the support lies at or above `lower`."""
        return self.support == "positive" and lower <= 0.0

    def within(self, lower: float, upper: float) -> bool:
        """Whether all of the support lies between two finite bounds."""
        return False

    def __str__(self) -> str:
        values = ", ".join(number(getattr(self, f.name)) for f in fields(self))
        return f"{self.name}({values})" if values else self.name


def number(value: float) -> str:
    """The shortest text that reads back as the same float: ``5`` for 5.0."""
    return (
        str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
    )


def tidy(value: float) -> float:
    """Seven significant digits: a default that reads well and is typed back as the same number."""
    return float(f"{value:.7g}")


def require_finite(prior: Prior) -> None:
    """Refuse parameters that are not finite numbers."""
    for field in fields(prior):
        value = getattr(prior, field.name)
        if isinstance(value, bool) or not is_finite(value):
            raise PriorError(
                f"Parameter {field.name!r} of prior {prior.name!r} must be a finite number",
                got=repr(value),
            )


def require_positive(prior: Prior, *names: str) -> None:
    """Refuse parameters that are not finite and positive."""
    require_finite(prior)
    for name in names:
        if not getattr(prior, name) > 0:
            raise PriorError(
                f"Parameter {name!r} of prior {prior.name!r} must be positive",
                got=number(getattr(prior, name)),
            )


def student_t_log_density(z: Floats, nu: float) -> Floats:
    """Log density of the standard t on `nu` degrees of freedom at `z`."""
    constant = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - 0.5 * math.log(nu * math.pi)
    return constant - (nu + 1) / 2 * np.log1p(z**2 / nu)
