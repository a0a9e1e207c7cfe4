"""The balanced one-way random model in closed form: ANOVA, ML and REML with the boundary.

`y_ij = mu + a_j + e_ij`, J levels of r rows, a ~ N(0, sigma_a²), e ~ N(0, sigma²). With
`lambda = sigma² + r sigma_a²` the sums of squares are independent, SSB ~ lambda chi²(J-1) and
SSW ~ sigma² chi²(J(r-1)), and

    ANOVA, REML  lambda = SSB/(J-1),   ML  lambda = SSB/J,   sigma² = SSW/(J(r-1))

wherever that makes sigma_a² = (lambda - sigma²)/r positive. Elsewhere the likelihoods have
their maximum at sigma_a² = 0, with sigma² = (SSB + SSW)/(Jr) by ML and (SSB + SSW)/(Jr-1) by
REML (Searle, Casella & McCulloch, 1992, sec. 3.7 and 3.8); ANOVA's estimate is negative there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from bayeslmm.errors import DataError, MethodError
from bayeslmm.model import Model, not_gaussian

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, slots=True)
class OneWayEstimate:
    """One method's answer.

    Attributes
    ----------
    between, within : float
        sigma_a² and sigma². ANOVA's sigma_a² may be negative.
    boundary : bool
        Whether sigma_a² is at zero, or below it.
    """

    between: float
    within: float
    boundary: bool


@dataclass(frozen=True, slots=True)
class OneWay:
    """The sufficient statistics of a balanced one-way design.

    Attributes
    ----------
    J, r : int
        Levels, and rows a level.
    SSB, SSW : float
        Sums of squares between and within levels.
    """

    J: int
    r: int
    SSB: float
    SSW: float

    def __post_init__(self) -> None:
        if self.J < 2 or self.r < 2 or self.SSB < 0 or not self.SSW > 0:
            raise DataError(
                "A balanced one-way design has two levels or more, of two rows or more that differ",
                got=f"J={self.J}, r={self.r}, SSB={self.SSB:g}, SSW={self.SSW:g}",
            )

    @property
    def df(self) -> tuple[int, int]:
        """J - 1 and J(r - 1)."""
        return self.J - 1, self.J * (self.r - 1)

    @property
    def MSB(self) -> float:
        return self.SSB / self.df[0]

    @property
    def MSW(self) -> float:
        return self.SSW / self.df[1]

    def anova(self) -> OneWayEstimate:
        """The unbiased estimates; sigma_a² is not truncated."""
        between = (self.MSB - self.MSW) / self.r
        return OneWayEstimate(between, self.MSW, between <= 0)

    def ml(self) -> OneWayEstimate:
        """The maximum of the likelihood: SSB divided by J."""
        return self._bounded(self.J)

    def reml(self) -> OneWayEstimate:
        """The maximum of the restricted likelihood: SSB divided by J - 1."""
        return self._bounded(self.J - 1)

    def _bounded(self, degrees: int) -> OneWayEstimate:
        between = (self.SSB / degrees - self.MSW) / self.r
        if between > 0:
            return OneWayEstimate(between, self.MSW, False)
        return OneWayEstimate(0.0, (self.SSB + self.SSW) / (degrees + self.df[1]), True)

    def deviance(self, between: float, within: float, *, reml: bool) -> float:
        """-2 log (restricted) likelihood at the variances, mu at the mean of y."""
        n = self.J * self.r
        large = within + self.r * between
        value = (
            self.df[1] * np.log(within)
            + self.J * np.log(large)
            + self.SSW / within
            + self.SSB / large
        )
        if reml:
            return float(value + (n - 1) * LOG_2PI + np.log(n / large))
        return float(value + n * LOG_2PI)

    def ratio_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Exact interval of sigma_a²/sigma² from F = MSB/MSW, cut at zero."""
        tail = (1 - level) / 2
        F = self.MSB / self.MSW
        quantiles = special.fdtri(*self.df, np.array([1 - tail, tail]))
        lower, upper = np.maximum((F / quantiles - 1) / self.r, 0.0)
        return float(lower), float(upper)


def sigma_interval(squares: float, df: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of sigma from `SSE ~ sigma² chi²(df)`."""
    tail = (1 - level) / 2
    quantiles = special.chdtri(df, np.array([tail, 1 - tail]))  # of the upper tail
    lower, upper = np.sqrt(squares / quantiles)
    return float(lower), float(upper)


def not_oneway(model: Model) -> str | None:
    """Why a model is not the balanced one-way random model; None where it is."""
    reason = not_gaussian(model, "oneway")
    if reason is not None:
        return reason
    design = model.design
    if design.coefs != ("Intercept",):
        return "the only fixed coefficient must be the intercept."
    if len(design.blocks) != 1 or design.blocks[0].coefs != ("Intercept",):
        return "the only random term must be an intercept by one factor, (1 | g)."
    if design.extras:
        return f"{', '.join(design.extras)} can't be used."
    counts = np.bincount(design.blocks[0].codes, minlength=design.blocks[0].n_levels)
    if len(np.unique(counts)) > 1:
        return f"the levels have {counts.min()} to {counts.max()} rows and are not balanced."
    if len(counts) < 2 or counts[0] < 2:
        return "there must be at least two levels with at least two rows each."
    return None


def oneway_of(model: Model) -> OneWay:
    """The sums of squares of a balanced one-way model.

    Raises
    ------
    MethodError
        The model is another one; the message gives the reason.
    """
    reason = not_oneway(model)
    if reason is not None:
        raise MethodError(
            f"The closed forms need the balanced one-way random model: {reason}",
            hint="Use method 'anova', which takes unbalanced designs and several factors",
        )
    design = model.design
    y = design.y - design.offset
    y = y - y.mean()
    codes, J = design.blocks[0].codes, design.blocks[0].n_levels
    r = design.n // J
    means = np.bincount(codes, y, J) / r
    within = y - means[codes]
    return OneWay(J, r, float(r * means @ means), float(within @ within))
