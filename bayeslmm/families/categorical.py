"""Unordered categories, each but the first with a linear predictor of its own."""

from __future__ import annotations

from typing import ClassVar

from bayeslmm.families.categories import Categories


class Categorical(Categories):
    """P(y = k) proportional to exp(eta_k), eta of the first category 0."""

    name: ClassVar[str] = "categorical"
    links: ClassVar[tuple[str, ...]] = ("softmax",)
    categorical: ClassVar[str] = "unordered"
