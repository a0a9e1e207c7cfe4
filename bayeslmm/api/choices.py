"""The options that users choose from, as types."""

from __future__ import annotations

from typing import Literal

Method = Literal["auto", "exact", "reml", "ml", "anova", "conjugate", "nuts"]
Missing = Literal["drop", "error"]
Effects = Literal["all", "none"]
NewLevels = Literal["error", "draw", "zero"]
Kind = Literal["mean", "link", "response"]
Parametrisation = Literal["auto", "noncentred", "centred"]
Drawing = Literal["exact", "nuts"]
FamilyName = Literal[
    "gaussian",
    "student_t",
    "lognormal",
    "bernoulli",
    "binomial",
    "beta_binomial",
    "poisson",
    "negative_binomial",
    "gamma",
    "inverse_gaussian",
    "exponential",
    "beta",
    "ordinal",
    "categorical",
    "zero_inflated_poisson",
    "zero_inflated_negative_binomial",
    "zero_inflated_binomial",
]
LinkName = Literal[
    "identity",
    "log",
    "logit",
    "probit",
    "cloglog",
    "inverse",
    "sqrt",
    "softmax",
]
