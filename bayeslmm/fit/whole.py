"""Tables that print all their columns, where pandas would leave some out."""

from __future__ import annotations

import pandas as pd

FEWER = 4  # decimals, where as many as pandas has don't fit


class WholeTable(pd.DataFrame):
    """A DataFrame whose text has every column; what pandas makes of it is a plain DataFrame.

    In a terminal pandas leaves out the columns in the middle of a table that is wider than
    ``display.width``. Here numbers have fewer decimals instead, and where that isn't enough, the
    columns go on below.
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        width = pd.get_option("display.width") or 80
        for decimals in (pd.get_option("display.precision"), FEWER):
            with pd.option_context("display.precision", decimals):
                text = self.to_string()
            if max(map(len, text.splitlines())) <= width:
                return text
        return self.to_string(line_width=width)
