"""Tables and columns that can't be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayeslmm.errors import ColumnError, DataError, ModelError
from tests.bad_input.cases import Bad, bad, changed, check, model, table, with_value

CASES = [
    bad("unknown column", ColumnError, "'xx'", "Did you mean 'x'?")(lambda _: model("y ~ xx")),
    bad("column by another case", ColumnError, "Did you mean 'y'?")(lambda _: model("Y ~ x")),
    bad("unknown grouping factor", ColumnError, "'subject'", "Available: y, x")(
        lambda _: model("y ~ (1 | subject)")
    ),
    bad("no table", DataError, "table", "list", "pandas")(lambda _: model(data=[1, 2, 3])),
    bad("a path for a table", DataError, "table", "str")(lambda _: model(data="data.csv")),
    bad("a series for a table", DataError, "to_frame()")(lambda _: model(data=table()["y"])),
    bad("empty table", DataError, "no rows")(lambda _: model(data=table().iloc[:0])),
    bad("duplicate columns", DataError, "2 columns named 'x'")(
        lambda _: model(data=pd.concat([table(), table()[["x"]]], axis=1))
    ),
    bad("columns of several levels", DataError, "several levels")(
        lambda _: model(data=pd.concat({"a": table()}, axis=1))
    ),
    bad("columns of different length", DataError, "differ in length", "x: 2")(
        lambda _: model("y ~ x", {"y": [1, 2, 3], "x": [1, 2]})
    ),
    bad("response of words", DataError, "The response 'words'", "number")(
        lambda _: model("words ~ x")
    ),
    bad("response of dates", DataError, "'when' holds times", "number")(
        lambda _: model("when ~ x")
    ),
    bad("response of categories", DataError, "The response 'y'", "number")(
        lambda _: model(data=changed(y=pd.Categorical(table()["h"])))
    ),
    bad("complex response", DataError, "y")(lambda _: model(data=changed(y=table()["x"] * 1j))),
    bad("constant response", DataError, "constant", "3 in all 24")(lambda _: model("flat ~ x")),
    bad("one row", DataError, "constant")(lambda _: model("y ~ 1", table().iloc[:1])),
    bad("infinite response", DataError, "'y'", "infinite")(
        lambda _: model(data=with_value("y", np.inf))
    ),
    bad("infinite covariate", DataError, "'x'", "infinite")(
        lambda _: model(data=with_value("x", -np.inf))
    ),
    bad("logarithm of a negative", DataError, "log(")(
        lambda _: model("log(y) ~ x", changed(y=table()["y"] - 10))
    ),
    bad("all rows missing", DataError, "No row is complete", "x: 24")(
        lambda _: model(data=changed(x=np.nan))
    ),
    bad("missing rows refused", DataError, "1 of 24", "missing='drop'")(
        lambda _: model(data=with_value("x", np.nan), missing="error")
    ),
    bad("missing= by another word", ModelError, "missing=", "'maybe'", "drop, error")(
        lambda _: model(missing="maybe")
    ),
    bad("fixed factor with one level", DataError, "'one'", "one level only", "Leave it out")(
        lambda _: model("y ~ one")
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_mistake_is_named_with_words_that_help(case: Bad, tmp_path: Path) -> None:
    check(case, tmp_path)
