"""Independent coefficients, each with its own standard deviation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bayeslmm.covariance.base import Floats, Scales, Structure


class Diagonal(Structure):
    """`diag`: the double bar of `(x || g)`."""

    name: ClassVar[str] = "diag"

    def n_parameters(self, k: int) -> int:
        return k

    def theta_lower(self, k: int) -> Floats:
        return np.zeros(k)

    def theta_start(self, k: int) -> Floats:
        return np.ones(k)

    def theta_unit(self, scale: Floats) -> Floats:
        return np.asarray(scale)

    def factor(self, theta: Floats, k: int) -> Floats:
        return theta[:, :, None] * np.eye(k)

    def scales(self, psi: Floats, k: int) -> Scales:
        sd = np.exp(psi)
        return Scales(sd[:, :, None] * np.eye(k), sd, psi.sum(axis=1))

    def psi(self, covariance: Floats) -> Floats:
        return 0.5 * np.log(np.diag(covariance))
