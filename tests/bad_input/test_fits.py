"""What is asked of a fit that it doesn't have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bayeslmm.errors import ColumnError, DataError, FitError, LevelError, MethodError
from tests.bad_input.cases import Bad, bad, check, exact, known, model, new, reml

CASES = [
    bad("sigma of known standard deviations", FitError, "known_sd", "no sigma")(
        lambda _: known().sigma
    ),
    bad("loglik of an exact fit", FitError, "'exact' has no loglik", "'reml'")(
        lambda _: exact().loglik
    ),
    bad("evidence of a reml fit", FitError, "'reml' has no log_evidence", "exact")(
        lambda _: reml().log_evidence
    ),
    bad("evidence under a flat prior", FitError, "no log_evidence", "proper priors")(
        lambda _: model(priors="flat").fit("exact", seed=1, draws=5).log_evidence
    ),
    bad("conditional variances of draws", FitError, "given beta", "'reml'")(
        lambda _: exact().ranef(given_beta=True)
    ),
    bad("unknown coefficient in a contrast", ColumnError, "'X'", "Did you mean 'x'?")(
        lambda _: reml().contrast({"X": 1})
    ),
    bad("contrast that is no dict", DataError, "contrast", "{'x': 1}")(
        lambda _: reml().contrast("x")
    ),
    bad("contrast of nothing", DataError, "contrast")(lambda _: reml().contrast({})),
    bad("contrast of words", DataError, "contrast", "'much'")(
        lambda _: reml().contrast({"x": "much"})
    ),
    bad("contrast of NaN", DataError, "contrast", "nan")(lambda _: exact().contrast({"x": np.nan})),
    bad("unknown effects", MethodError, "'gg'", "Did you mean 'g'?")(
        lambda _: reml().predict(effects=["gg"])
    ),
    bad("effects of no kind", MethodError, "effects", "5")(lambda _: reml().predict(effects=5)),
    bad("unknown kind", MethodError, "kind='median'", "mean, link, response")(
        lambda _: reml().predict(kind="median")
    ),
    bad("unknown new_levels", MethodError, "new_levels='skip'", "error, draw, zero")(
        lambda _: reml().predict(new(), new_levels="skip")
    ),
    bad("unseen level", LevelError, "'g9'", "'g'", "new_levels='draw'")(
        lambda _: reml().predict(new(g=["g0", "g9"]))
    ),
    bad("new rows without a covariate", ColumnError, "no column 'x'")(
        lambda _: reml().predict(new().drop(columns="x"))
    ),
    bad("new rows without the factor", ColumnError, "no column 'g'")(
        lambda _: exact().predict(new().drop(columns="g"))
    ),
    bad("missing value in new rows", DataError, "'x'", "missing in 1 of 2")(
        lambda _: reml().predict(new(x=[1.0, np.nan]))
    ),
    bad("words in new rows", DataError, "'x'")(lambda _: reml().predict(new(x=["a", "b"]))),
    bad("no new rows", DataError, "no rows")(lambda _: reml().predict(new().iloc[:0])),
    bad("new rows of no kind", DataError, "table")(lambda _: reml().predict(7)),
    bad("new observations of known sds", ColumnError, "known_sd", "'s'", "kind='mean'")(
        lambda _: known().predict(new(), kind="response")
    ),
    bad("new observations of weights", ColumnError, "weights", "'w'", "extras={'weights'")(
        lambda _: model(weights="w").fit("ml").predict(new(), kind="response")
    ),
    bad("new rows without the offset", ColumnError, "'w'", "offset", "extras={'offset'")(
        lambda _: model(offset="w").fit("ml").predict(new())
    ),
    bad("unknown extra of new rows", MethodError, "'weight'", "Did you mean 'weights'")(
        lambda _: reml().predict(new(), extras={"weight": [1, 1]})
    ),
    bad("extras of no kind", MethodError, "extras", "a dict")(
        lambda _: reml().predict(new(), extras="w")
    ),
    bad("extras without rows", MethodError, "extras", "new rows")(
        lambda _: reml().predict(extras={"weights": np.ones(24)})
    ),
    bad("known_sd for a model with sigma", MethodError, "known_sd", "sigma")(
        lambda _: reml().predict(new(), extras={"known_sd": [1, 1]})
    ),
    bad("extras in an absent column", ColumnError, "no column 'v'")(
        lambda _: reml().predict(new(), extras={"weights": "v"})
    ),
    bad("extras of the wrong length", DataError, "weights has 1 values")(
        lambda _: reml().predict(new(), extras={"weights": [1.0]})
    ),
    bad("negative weights of new rows", DataError, "weights", "-1")(
        lambda _: reml().predict(new(), kind="response", extras={"weights": [1.0, -1.0]})
    ),
    bad("zero known_sd of new rows", DataError, "known_sd", "positive")(
        lambda _: known().predict(new(), kind="response", extras={"known_sd": [1.0, 0.0]})
    ),
    bad("negative seed of a prediction", MethodError, "seed", "-1")(
        lambda _: exact().predict(kind="response", seed=-1)
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_mistake_is_named_with_words_that_help(case: Bad, tmp_path: Path) -> None:
    check(case, tmp_path)
