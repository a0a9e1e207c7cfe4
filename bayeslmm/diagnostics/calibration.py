"""The result of a calibration: ranks, and tests of their uniformity."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from bayeslmm.diagnostics.uniform import reference

LEVEL = 0.01  # of the verdict, all quantities together


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Ranks of true values among posterior draws, with the test of their uniformity.

    Attributes
    ----------
    ranks : DataFrame, shape (data sets, quantities)
        Whole numbers from 0 to `size`.
    size : int
        Number of posterior draws among which each true value is ranked.
    method : str
    notes : tuple of str
        Warnings and failures of the fits.
    """

    ranks: pd.DataFrame
    size: int
    method: str
    notes: tuple[str, ...] = ()

    @property
    def p_values(self) -> pd.Series[float]:
        """p-value of uniformity by quantity: the probability of a deviation at least as large."""
        test = reference(len(self.ranks), self.size)
        values = [test.p_value(self.ranks[name].to_numpy()) for name in self.ranks]
        return pd.Series(values, index=list(self.ranks.columns), name="p")

    @property
    def table(self) -> pd.DataFrame:
        """By quantity: ``p``, ``mean`` and ``spread``.

        Ranks as shares of their range: a mean below 1/2 means that posteriors lie above the true
        values; ``spread``, their sd over that of uniform ones, is above 1 for posteriors that
        are too narrow.
        """
        mean = self.ranks.mean() / self.size
        uniform = np.sqrt((self.size + 1) ** 2 - 1) / np.sqrt(12)
        return pd.DataFrame(
            {"p": self.p_values, "mean": mean, "spread": self.ranks.std() / uniform}
        )

    @property
    def calibrated(self) -> bool:
        """Whether no quantity deviates at the 1 % level (Bonferroni over all quantities)."""
        return bool(self.p_values.min() > LEVEL / self.ranks.shape[1])

    def _said(self) -> list[str]:
        p = self.p_values
        verdict = "Ranks are uniform" if self.calibrated else "RANKS ARE NOT UNIFORM"
        return [
            f"Calibration of {self.method!r}: {len(self.ranks)} data sets, {len(p)} quantities, "
            f"ranks of true values among {self.size} posterior draws",
            f"{verdict}: the smallest p is {p.min():.2g} ({p.idxmin()}); the critical value, by "
            f"Bonferroni, is {LEVEL / len(p):.1g}.",
        ]

    def __repr__(self) -> str:
        table = self.table.to_string(float_format=lambda v: f"{v:.3f}")
        return "\n".join([*self._said(), table, *self.notes])

    def _repr_html_(self) -> str:
        title, verdict = (escape(line) for line in self._said())
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        table = self.table.to_html(border=0, float_format=lambda v: f"{v:.3f}")
        return f"<h4>{title}</h4><p>{verdict}</p>{table}" + (f"<ul>{notes}</ul>" if notes else "")
