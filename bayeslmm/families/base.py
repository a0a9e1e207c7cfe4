"""The contract of a response family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.links import Link
from bayeslmm.priors import Prior

Floats = NDArray[np.float64]
Parameters = Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Response:
    """What default priors may know of the response.

    Attributes
    ----------
    y : ndarray, shape (n,)
        The response (less its offset, on an identity link).
    mean, spread, robust : float
        Its mean, standard deviation, and scaled median absolute deviation (the sd where that
        is 0).
    """

    y: Floats
    mean: float
    spread: float
    robust: float


def _one(response: Response) -> float:
    return 1.0


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """A parameter of a family beside its linear predictor.

    Attributes
    ----------
    name : str
        Its name in trees, tables and priors: ``"sigma"``, ``"nu"``, ``"shape"``, ``"phi"``.
    default : callable
        From the Response to the default prior.
    lower, upper : float
        Its bounds; priors must have their support within.
    link : str
        The link of its own linear predictor, where `dpar` gives it one.
    unit : callable
        From the Response to a value that it may be about, in its units.
    ordered : bool
        Whether it is a vector of ordered numbers, one fewer than the categories.
    """

    name: str
    default: Callable[[Response], Prior]
    lower: float = 0.0
    upper: float = np.inf
    link: str = "log"
    unit: Callable[[Response], float] = _one
    ordered: bool = False


class Family:
    """A response distribution given its linear predictor. Subclasses are stateless.

    Arrays have the rows last: `mu` is what `location` makes of the linear predictor, shape
    (..., n); with categories it holds a probability for each, shape (..., n, K). Every parameter
    broadcasts against it (ordered ones: (..., K - 1), with the same leading axes).

    Attributes
    ----------
    name : str
    links : tuple of str
        Those allowed, the default first.
    auxiliaries : tuple of Auxiliary
    takes_trials : bool
        Whether the response is a count out of known trials.
    discrete : bool
        Whether the response is a whole number.
    categorical : {"", "ordered", "unordered"}
        Whether the response has categories: then y holds their codes, 0 to K - 1.
    """

    name: ClassVar[str] = ""
    links: ClassVar[tuple[str, ...]] = ("identity",)
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = ()
    takes_trials: ClassVar[bool] = False
    discrete: ClassVar[bool] = False
    categorical: ClassVar[str] = ""

    def linear(self, y: Floats) -> Floats:
        """The response on the scale of an identity link: default priors take its spread."""
        return y

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        """Rows whose response can't be, shape (n,), and what is allowed, in words."""
        return ~np.isfinite(y), "finite numbers"

    def location(self, eta: Floats, link: Link, parameters: Parameters) -> Floats:
        """`mu` at a linear predictor: for most families the inverse of the link."""
        return link.inverse(eta)

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        """Log density of each response, shape (..., n); normalised, all constants in it."""
        raise NotImplementedError

    def log_likelihood(
        self,
        y: Floats,
        eta: Floats,
        link: Link,
        parameters: Parameters,
        trials: Floats | None = None,
    ) -> Floats:
        """Log density at a linear predictor, shape (..., n): also where `mu` would round to an
        edge of its range."""
        return self.log_density(y, self.location(eta, link, parameters), parameters, trials)

    def mean(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        """Expected response, shape (..., n)."""
        return mu

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        """Variance of the response, shape (..., n)."""
        raise NotImplementedError

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        """New responses, shape (..., n)."""
        raise NotImplementedError

    def centre(self, response: Response, trials: Floats | None = None) -> float:
        """A typical `mu`, off the edge of its range: where the default intercept's prior is."""
        return response.mean
