"""What a case is: data, our run, the peers' runs, and what is asked of the ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

Quantity = Literal["speed", "ess rate", "ess rate, sampling only", "seconds", "peak GiB"]
RATIOS: tuple[Quantity, ...] = ("speed", "ess rate", "ess rate, sampling only")


@dataclass(frozen=True, slots=True)
class Peer:
    """Another package's run of a case.

    Attributes
    ----------
    name : str
        As the tables show it, and the key in `recorded.toml`.
    runner : {"lmer", "bambi", "statsmodels"}
        Which script in `scripts/` does it.
    options : mapping
        Handed to the script; `formula` defaults to the case's.
    """

    name: str
    runner: Literal["lmer", "bambi", "statsmodels"]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked: a ratio to a peer of at least `bar`, or a figure of ours of at most `bar`.

    Attributes
    ----------
    quantity : str
        "speed" is the peer's time over ours, "ess rate" our effective draws a second over the
        peer's; both are better when larger. "seconds" and "peak GiB" are ours alone.
    peer : str
        Empty where no peer is in it.
    bar, aim : float or None
        What has to be reached, and what is hoped for.
    """

    quantity: Quantity
    peer: str = ""
    bar: float | None = None
    aim: float | None = None

    @property
    def is_ratio(self) -> bool:
        return self.quantity in RATIOS


@dataclass(frozen=True, slots=True)
class Point:
    """One size of a case. `build(quick)` makes the rows."""

    name: str
    build: Callable[[bool], pd.DataFrame]


@dataclass(frozen=True, slots=True)
class Case:
    """One entry of the register.

    Attributes
    ----------
    name, title : str
    formula : str
    points : tuple of Point
        One size, or for a growth case 1x first and then the larger ones.
    method : {"reml", "exact", "nuts"}
    draws : int
        A chain, of `exact` and `nuts`.
    model, options : mapping
        Further arguments of our Model, and of its fit.
    repeats : int
        Warm repeats after the first call.
    patience : float
        Seconds; once repeats have taken them no further one begins, and none at all after a first
        call of five times as long.
    evaluate : bool
        Also time one evaluation of the REML criterion.
    peers, goals : tuple
    limits : mapping
        Growth cases: largest allowed factor from 1x, `{(point, "evaluation" | "total"): 11.0}`.
    """

    name: str
    title: str
    formula: str
    points: tuple[Point, ...]
    method: Literal["reml", "exact", "nuts"] = "reml"
    draws: int = 1000
    repeats: int = 5
    patience: float = 60.0
    evaluate: bool = False
    peers: tuple[Peer, ...] = ()
    goals: tuple[Goal, ...] = ()
    limits: Mapping[tuple[str, str], float] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def grows(self) -> bool:
        return len(self.points) > 1

    def point(self, name: str) -> Point:
        return next(p for p in self.points if p.name == name)
