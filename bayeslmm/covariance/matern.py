"""Matern correlations: how smooth the surface is, is estimated too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.covariance.correlation import Floats, Parameter
from bayeslmm.covariance.spatial import Decay
from bayeslmm.priors import LogNormal


@dataclass(frozen=True)
class Matern(Decay):
    """`matern`: (d/range)^s K_s(d/range) / (2^(s-1) Gamma(s)), s the smoothness, as in glmmTMB
    (Handcock & Stein, 1993, Technometrics 35(4), have d 2 sqrt(s) / range)."""

    name: ClassVar[str] = "matern"

    def further(self) -> tuple[Parameter, ...]:
        return (Parameter("smoothness", 0.0, np.inf, 0.5, LogNormal(0.0, 0.5)),)

    def shape(self, scaled: Floats, values: Floats) -> Floats:
        s = np.broadcast_to(values[:, 1, None, None], scaled.shape)
        with np.errstate(all="ignore"):
            log_bessel = np.log(special.kve(s, scaled)) - scaled
            log_value = s * np.log(scaled) + log_bessel + (1 - s) * np.log(2) - special.gammaln(s)
            value = np.exp(np.minimum(log_value, 0.0))
            smooth = np.exp(-(scaled**2) / (4 * s))  # its limit: the Bessel function overflows
        value = np.where(np.isposinf(log_bessel), smooth, value)
        return np.asarray(np.where(np.isnan(value), 0.0, value))
