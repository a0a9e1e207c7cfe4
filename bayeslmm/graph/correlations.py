"""The correlation of two coefficients as a number of its own, not as a matrix.

A 2 x 2 correlation matrix under LKJ(eta) is its one correlation r with (r + 1)/2 ~ Beta(eta, eta)
(Lewandowski, Kurowicka & Joe, 2009, J. Multivar. Anal. 100(9)). A scalar's graph is small: it
compiles in a fraction of the time that the general matrix takes.
"""

from __future__ import annotations

from typing import Any

from bayeslmm.graph.numbers import f64


def pair_cholesky(name: str, eta: float) -> Any:
    """Cholesky factor, (2, 2), of the correlation matrix of two coefficients.

    Parameters
    ----------
    name : str
        Of the free variable, which is r.
    eta : float
    """
    import pymc as pm
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Interval

    between = Interval(f64(-1.0), f64(1.0))
    r = pm.CustomDist(name, f64(eta), dist=_symmetric, transform=between)
    rest = pt.sqrt((1.0 - r) * (1.0 + r))
    return pt.stack([pt.stack([f64(1.0), f64(0.0)]), pt.stack([r, rest])])


def cholesky_transform(k: int) -> Any:
    """PyMC's own transform of a correlation matrix's Cholesky factor, under a name without an
    underscore: PyMC's `compute_log_likelihood` loses a variable's name by one."""
    from pymc.distributions.transforms import CholeskyCorrTransform

    transform = CholeskyCorrTransform(n=k, upper=False)
    transform.name = "cholesky"
    return transform


def _symmetric(eta: Any, size: Any) -> Any:
    """Beta(eta, eta) on (-1, 1)."""
    import pymc as pm

    return f64(2.0) * pm.Beta.dist(eta, eta, size=size) - f64(1.0)
