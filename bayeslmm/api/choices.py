"""The options that users choose from, as types."""

from __future__ import annotations

from typing import Literal

Method = Literal["auto", "exact", "reml", "ml", "anova", "conjugate", "nuts"]
Missing = Literal["drop", "error"]
Effects = Literal["all", "none"]
NewLevels = Literal["error", "draw", "zero"]
Kind = Literal["mean", "link", "response"]
