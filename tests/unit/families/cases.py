"""A case for every registered family and link: predictors in the middle and far out, responses."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bayeslmm.families import FAMILIES, LINKS, Family, Link

PARAMETERS = {"sigma": 0.7, "nu": 6.5, "shape": 2.5, "phi": 5.0, "zi": 0.2}
CUTPOINTS = np.array([-1.0, 0.3, 1.1])
TRIALS = 7.0
MIDDLE = np.array([-2.0, -0.4, 0.3, 0.9, 2.0])
POSITIVE = np.array([0.2, 0.5, 1.0, 2.0, 3.5])
FAR = np.array([-40.0, -9.0, 9.0, 40.0])


@dataclass(frozen=True, eq=False)
class Case:
    """One family at one link; `eta` crossed with the least and the greatest response of a case."""

    family: Family
    link: Link
    eta: np.ndarray
    y: np.ndarray
    parameters: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def trials(self) -> np.ndarray | None:
        return np.full(len(self.y), TRIALS) if self.family.takes_trials else None

    @property
    def full(self) -> np.ndarray:
        """Predictors as the family takes them: of all categories, the first's zero."""
        if self.link.name != "softmax":
            return self.eta
        return np.column_stack([np.zeros(len(self.eta)), self.eta])

    @property
    def log_likelihood(self) -> np.ndarray:
        return self.family.log_likelihood(
            self.y, self.full, self.link, self.parameters, self.trials
        )

    def __str__(self) -> str:
        return f"{self.family.name}-{self.link.name}"


def responses(family: Family) -> tuple[float, ...]:
    """Two, or four, that the family allows: the edges of its range where it has any."""
    if family.categorical:
        return (0.0, 1.0, 2.0, 3.0)
    if family.discrete:
        return (0.0, 1.0 if family.name == "bernoulli" else TRIALS)
    return (0.2, 0.9)


def case(family: Family, link: str, eta: np.ndarray) -> Case:
    ys = responses(family)
    y, eta = np.tile(ys, len(eta)), np.repeat(eta, len(ys))
    values = {
        a.name: CUTPOINTS if a.ordered else np.array(PARAMETERS[a.name]) for a in family.auxiliaries
    }
    if link == "softmax":
        eta = np.column_stack([eta, -eta / 2, np.ones(len(eta))])
    return Case(family, LINKS[link], eta, y, values)


def is_positive(family: Family, link: str) -> bool:
    """Whether the predictor can only be positive: the mean is, and the link doesn't see to it."""
    free = family.links[0] == "identity"
    return link == "inverse" or link == "sqrt" or (link == "identity" and not free)


PAIRS = [(f, link) for f in FAMILIES.values() for link in f.links]
CASES = [case(f, link, POSITIVE if is_positive(f, link) else MIDDLE) for f, link in PAIRS]
TAILS = [case(f, link, FAR) for f, link in PAIRS if not is_positive(f, link)]
