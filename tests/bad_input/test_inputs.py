"""Row-wise inputs, families, residuals and relationships that can't be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bayeslmm.errors import ColumnError, DataError, FormulaError, ModelError, PriorError
from tests.bad_input.cases import Bad, bad, changed, check, model, table, with_value

CASES = [
    bad("negative weight", DataError, "Weights can't be negative", "-1 at row 2")(
        lambda _: model(weights=with_value("w", -1.0)["w"])
    ),
    bad("weights all zero", DataError, "All weights are zero")(
        lambda _: model(weights=np.zeros(24))
    ),
    bad("infinite weight", DataError, "weights", "infinite")(
        lambda _: model(weights=with_value("w", np.inf)["w"])
    ),
    bad("NaN weight refused", DataError, "weights: 1", "missing='drop'")(
        lambda _: model(weights=with_value("w", np.nan)["w"].to_numpy(), missing="error")
    ),
    bad("weights of the wrong length", DataError, "weights has 3 values", "24 rows")(
        lambda _: model(weights=[1, 2, 3])
    ),
    bad("weights of two dimensions", DataError, "weights has 2 dimensions")(
        lambda _: model(weights=np.ones((24, 2)))
    ),
    bad("one number for weights", DataError, "weights has 0 dimensions")(
        lambda _: model(weights=2.0)
    ),
    bad("weights of words", DataError, "weights", "number")(lambda _: model(weights="words")),
    bad("unknown column of weights", ColumnError, "'ww'", "Did you mean 'w'?")(
        lambda _: model(weights="ww")
    ),
    bad("known_sd of zero", DataError, "must be positive", "0 at row 2")(
        lambda _: model(known_sd=with_value("s", 0.0)["s"])
    ),
    bad("known_sd negative", DataError, "must be positive")(
        lambda _: model(known_sd=-table()["s"])
    ),
    bad("known_sd of the wrong length", DataError, "known_sd has 2 values")(
        lambda _: model(known_sd=[1.0, 2.0])
    ),
    bad("weights with known_sd", ModelError, "weights and known_sd", "sqrt(weight)")(
        lambda _: model(weights="w", known_sd="s")
    ),
    bad("offset of the wrong length", DataError, "offset has 1 values")(
        lambda _: model(offset=[1.0])
    ),
    bad("infinite offset", DataError, "offset", "infinite")(
        lambda _: model(offset=np.full(24, np.inf))
    ),
    bad("unknown family", ModelError, "'gausian'", "Did you mean 'gaussian'?")(
        lambda _: model(family="gausian")
    ),
    bad("family of no kind", ModelError, "Unknown family")(lambda _: model(family=["gaussian"])),
    bad("unknown link", ModelError, "no link 'logit'", "identity")(lambda _: model(link="logit")),
    bad("unknown structure of residuals", ModelError, "ar2()", "Did you mean 'ar1'?")(
        lambda _: model(residual="ar2(x | g)")
    ),
    bad("residuals of uneven times", DataError, "'x'", "no common spacing", "car1")(
        lambda _: model(residual="ar1(x | g)")
    ),
    bad("residuals at one place twice", DataError, "rows 0, 1", "same occasion", "a:b")(
        lambda _: model(residual="us(one | g)")
    ),
    bad("residuals of counts", ModelError, "residual=", "poisson")(
        lambda _: model(
            "n ~ x", changed(n=1 + np.arange(24) % 3), family="poisson", residual="ar1(h | g)"
        )
    ),
    bad("residuals that run", FormulaError, "two underscores")(
        lambda _: model(residual="ar1(__import__('os').system('true') | g)")
    ),
    bad("residual matrix of another size", DataError, "residual", "6", "24 rows")(
        lambda _: model(residual=np.eye(6))
    ),
    bad("variances beside known_sd", ModelError, "known_sd", "varpower")(
        lambda _: model(residual="varpower(w)", known_sd="s")
    ),
    bad("random= of no factor", ModelError, "random=", "'nobody'", "Allowed: g")(
        lambda _: model(random={"nobody": "student_t"})
    ),
    bad("random= unknown", ModelError, "'cauchy'", "student_t")(
        lambda _: model(random={"g": "cauchy"})
    ),
    bad("random= no dict", ModelError, "random=", "dict")(lambda _: model(random="student_t")),
    bad("dpar= unknown", ModelError, "no parameter 'nu'", "sigma")(
        lambda _: model(dpar={"nu": "~ x"})
    ),
    bad("dpar= no formula", FormulaError, "~ x")(lambda _: model(dpar={"sigma": "x"})),
    bad("prior of a dpar", PriorError, "'sigma_'", "beta[x]")(
        lambda _: model(dpar={"sigma": "~ x"}, priors={"sigma_beta[z]": "normal(0, 1)"})
    ),
    bad("known_sd and dpar", ModelError, "known_sd", "dpar=")(
        lambda _: model(dpar={"sigma": "~ x"}, known_sd="w")
    ),
    bad("known_sd and poisson", ModelError, "known_sd=", "poisson")(
        lambda _: model(family="poisson", known_sd="w")
    ),
    bad("negative counts", DataError, "poisson", "row", "whole numbers")(
        lambda _: model(family="poisson")
    ),
    bad("binomial without trials", ModelError, "trials=", "bernoulli")(
        lambda _: model(family="binomial")
    ),
    bad("half a trial", DataError, "Trials", "whole", "row")(
        lambda _: model(family="binomial", trials="w")
    ),
    bad("relationship of no factor", ModelError, "relationship=", "'gg'", "Allowed: g")(
        lambda _: model(relationship={"gg": np.eye(6)})
    ),
    bad("relationship of another size", DataError, "5 levels", "Give its levels")(
        lambda _: model(relationship={"g": np.eye(5)})
    ),
    bad("singular relationship", DataError, "not positive definite", "ridge")(
        lambda _: model(relationship={"g": np.ones((6, 6))})
    ),
    bad("trials=", ModelError, "takes no trials", "binomial")(lambda _: model(trials="w")),
]


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_mistake_is_named_with_words_that_help(case: Bad, tmp_path: Path) -> None:
    check(case, tmp_path)
