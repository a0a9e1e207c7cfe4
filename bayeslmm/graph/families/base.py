"""What a family's PyMC node is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a response is made from, as tensors.

    Attributes
    ----------
    eta : tensor, shape (n,); (n, K - 1) of unordered categories
        The linear predictor.
    mu : tensor, shape (n,)
        Its inverse link; of categories it isn't used.
    link : str
    parameters : mapping
        The family's further parameters, to broadcast over rows.
    trials : tensor, shape (n,), or None
    """

    eta: Any
    mu: Any
    link: str
    parameters: Mapping[str, Any]
    trials: Any = None


class Node:
    """The PyMC distribution of a family. Subclasses are stateless."""

    name: ClassVar[str] = ""

    def arguments(self, given: Given) -> tuple[str, dict[str, Any]]:
        """Name of the distribution in `pymc`, and its arguments."""
        raise NotImplementedError
