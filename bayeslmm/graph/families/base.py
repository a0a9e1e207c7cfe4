"""What a family's PyMC node is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bayeslmm.graph.links import inverse, log_odds


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a response is made from, as tensors.

    Attributes
    ----------
    eta : tensor, shape (n,); (n, K - 1) of unordered categories
        The linear predictor.
    link : str
    parameters : mapping
        The family's further parameters, to broadcast over rows.
    trials : tensor, shape (n,), or None
    """

    eta: Any
    link: str
    parameters: Mapping[str, Any]
    trials: Any = None

    @property
    def mu(self) -> Any:
        """The inverse link of eta, shape (n,)."""
        return inverse(self.link, self.eta)

    @property
    def log_odds(self) -> Any:
        """log(mu / (1 - mu)), shape (n,), where mu is a probability."""
        return log_odds(self.link, self.eta)


class Node:
    """The PyMC distribution of a family. Subclasses are stateless."""

    name: ClassVar[str] = ""

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        """Name of the distribution in `pymc`, and its arguments."""
        raise NotImplementedError

    def variable(self, name: str, given: Given, **options: Any) -> Any:
        """The random variable in the open `pm.Model`; `options` are any distribution's."""
        import pymc as pm

        distribution, arguments = self.arguments(given)
        return getattr(pm, distribution)(name, **arguments, **options)
