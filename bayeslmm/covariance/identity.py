"""Independent coefficients with one standard deviation in common."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bayeslmm.covariance.base import Floats, Scales, Structure


class Identity(Structure):
    """`id`: Sigma = sd² I. The prior is that of the first coefficient's sd."""

    name: ClassVar[str] = "id"

    def n_parameters(self, k: int) -> int:
        return 1

    def free_sds(self, k: int) -> tuple[int, ...]:
        return (0,)

    def theta_lower(self, k: int) -> Floats:
        return np.zeros(1)

    def theta_start(self, k: int) -> Floats:
        return np.ones(1)

    def theta_unit(self, scale: Floats) -> Floats:
        return np.array([float(np.mean(scale))])

    def factor(self, theta: Floats, k: int) -> Floats:
        return theta[:, :, None] * np.eye(k)

    def scales(self, psi: Floats, k: int) -> Scales:
        sd = np.repeat(np.exp(psi), k, axis=1)
        return Scales(sd[:, :, None] * np.eye(k), sd, psi[:, 0])

    def psi(self, covariance: Floats) -> Floats:
        return np.array([0.5 * np.log(np.mean(np.diag(covariance)))])
