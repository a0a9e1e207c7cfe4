"""Ordered categories by cutpoints on a latent scale (McCullagh, 1980, JRSS B 42, eq. 1.1)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bayeslmm.families.base import Auxiliary, Floats, Parameters
from bayeslmm.families.categories import Categories
from bayeslmm.families.links import Link
from bayeslmm.priors import StudentT


class Ordinal(Categories):
    """P(y <= k) = F(cutpoint_k - eta), F the inverse of the link."""

    name: ClassVar[str] = "ordinal"
    links: ClassVar[tuple[str, ...]] = ("logit", "probit", "cloglog")
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary(
            "cutpoint", lambda response: StudentT(3.0, 0.0, 2.5), lower=-np.inf, ordered=True
        ),
    )
    categorical: ClassVar[str] = "ordered"

    def location(self, eta: Floats, link: Link, parameters: Parameters) -> Floats:
        """Probabilities, shape (..., n, K); of the upper categories from their upper tails."""
        gaps = parameters["cutpoint"][..., None, :] - eta[..., None]
        ends = np.broadcast_to(np.inf, (*gaps.shape[:-1], 1))
        low = np.concatenate([-ends, gaps], axis=-1)
        high = np.concatenate([gaps, ends], axis=-1)
        below = link.inverse(high) - link.inverse(low)
        if link.name == "cloglog":
            return np.asarray(np.exp(-np.exp(low)) - np.exp(-np.exp(high)))
        above = link.inverse(-low) - link.inverse(-high)
        return np.asarray(np.where(low > 0, above, below))
