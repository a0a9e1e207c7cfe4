"""The contract of a covariance structure of k coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance.correlation import Parameter

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scales:
    """A covariance in the terms that priors speak of, for a batch of S points.

    Attributes
    ----------
    cholesky : ndarray, shape (S, k, k)
        A factor L of the covariance, `Sigma = L L'`.
    sd : ndarray, shape (S, k)
        Standard deviations.
    log_jacobian : ndarray, shape (S,)
        log |d(free sds, correlations or pattern's numbers) / d psi|.
    values : ndarray, shape (S, d)
        Natural values of the pattern's numbers, where it has some.
    """

    cholesky: Floats
    sd: Floats
    log_jacobian: Floats
    values: Floats | None = None


class Structure:
    """One way in which k coefficients of a level co-vary. Subclasses are stateless.

    Two coordinate systems. `theta` enters the relative factor Lambda (linearly where the
    structure is `linear`) and may be zero or on a bound: for estimation. `psi` is unconstrained
    (log sd, atanh of canonical partial correlations): for posteriors. Both have
    `n_parameters(k)` numbers, and every array has a leading batch axis S.
    """

    name: ClassVar[str] = ""
    correlated: ClassVar[bool] = False
    linear: ClassVar[bool] = True

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Numbers beside standard deviations and free correlations."""
        return ()

    def n_parameters(self, k: int) -> int:
        """How many free parameters k coefficients have."""
        raise NotImplementedError

    def free_sds(self, k: int) -> tuple[int, ...]:
        """The coefficients whose sd is a parameter of its own (and has a prior)."""
        return tuple(range(k))

    def theta_lower(self, k: int) -> Floats:
        """Lower bounds of theta, shape (n_parameters,)."""
        raise NotImplementedError

    def theta_start(self, k: int) -> Floats:
        """The theta at which Lambda is the identity."""
        raise NotImplementedError

    def theta_unit(self, scale: Floats) -> Floats:
        """The unit of each theta when coefficient i is measured in units of `scale[i]`."""
        raise NotImplementedError

    def canonical(self, theta: Floats, k: int) -> tuple[Floats, Flags]:
        """The same covariance by the theta that stands for it on the boundary.

        Returns theta, shape (n_parameters,), and which of its numbers to hold as they are: a
        singular covariance has roots that differ by a rotation, and moves along those change
        nothing.
        """
        return theta, np.zeros(len(theta), dtype=bool)

    def inside(self, theta: Floats, k: int, size: float) -> Floats:
        """A theta near by whose covariance is not singular."""
        return np.maximum(theta, np.where(np.isfinite(self.theta_lower(k)), size, -np.inf))

    def releases(self, theta: Floats, near: Floats, slope: Floats, k: int, size: float) -> Floats:
        """Thetas off the boundary that a lower value may be at, shape (some, n_parameters).

        `slope` is the gradient at `near`, which is `inside(theta)`.
        """
        on_bound = np.flatnonzero(theta <= self.theta_lower(k))
        return np.asarray(theta + size * np.eye(len(theta))[on_bound])

    def starts(self, k: int) -> Floats:
        """Thetas of unit standard deviations worth a look before a search, shape (some, d)."""
        return self.theta_start(k)[None]

    def factor(self, theta: Floats, k: int) -> Floats:
        """Lambda, shape (S, k, k), from theta, shape (S, n_parameters)."""
        raise NotImplementedError

    def factor_slopes(self, theta: Floats, k: int) -> Floats:
        """Derivatives of Lambda by theta, shape (n_parameters, k, k), at theta, (n_parameters,).

        Any derivative of a root will do whose product with the root is the covariance's.
        """
        ends = self.factor(np.eye(len(theta)), k)
        return ends - self.factor(np.zeros((1, len(theta))), k)

    def scales(self, psi: Floats, k: int) -> Scales:
        """Covariance and log Jacobian at psi, shape (S, n_parameters)."""
        raise NotImplementedError

    def natural(self, theta: Floats, k: int) -> Floats:
        """Values of `parameters` at theta, shape (S, len(parameters))."""
        return np.empty((len(theta), 0))

    def psi(self, covariance: Floats) -> Floats:
        """The psi, shape (n_parameters,), of a positive definite covariance, shape (k, k)."""
        raise NotImplementedError
