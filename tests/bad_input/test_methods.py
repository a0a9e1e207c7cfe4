"""Methods and their options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bayeslmm.errors import DataError, IdentifiabilityError, MethodError, PriorError
from tests.bad_input.cases import SLOPES, Bad, bad, check, given, model, plain, reml, table

CASES = [
    bad("unknown method", MethodError, "'remll'", "Did you mean 'reml'?")(
        lambda _: plain().fit("remll")
    ),
    bad("method by another case", MethodError, "Did you mean 'reml'?")(
        lambda _: plain().fit("REML")
    ),
    bad("method of no kind", MethodError, "Unknown method")(lambda _: plain().fit(["reml"])),
    bad("option that reml lacks", MethodError, "'reml' has no option 'kappa'")(
        lambda _: plain().fit("reml", kappa=0)
    ),
    bad("option that exact lacks", MethodError, "'exact' has no option 'tune'")(
        lambda _: plain().fit("exact", tune=100)
    ),
    bad("option with a typo", MethodError, "'variance'", "Did you mean 'variances'?")(
        lambda _: plain().fit("conjugate", variance=reml())
    ),
    bad("no draws", MethodError, "draws", "positive whole number", "0")(
        lambda _: plain().fit("exact", draws=0)
    ),
    bad("draws of a fraction", MethodError, "draws", "whole number", "10.5")(
        lambda _: plain().fit("exact", draws=10.5)
    ),
    bad("negative chains", MethodError, "chains", "positive whole number", "-2")(
        lambda _: plain().fit("exact", chains=-2)
    ),
    bad("seed of no kind", MethodError, "seed", "'lucky'")(
        lambda _: plain().fit("exact", seed="lucky", draws=5)
    ),
    bad("negative seed", MethodError, "seed", "-1")(lambda _: plain().fit("exact", seed=-1)),
    bad("uniform slope in exact", MethodError, "uniform(-5, 5)", "beta[x]", "use 'nuts'")(
        lambda _: model(priors={"beta[x]": "uniform(-5, 5)"}).fit("exact")
    ),
    bad("factor with one level in reml", IdentifiabilityError, "'one'", "one level", "proper")(
        lambda _: model("y ~ x + (1 | one)").fit("reml")
    ),
    bad("factor with one level in ml", IdentifiabilityError, "'one'", "one level")(
        lambda _: model("y ~ x + (1 | one)").fit("ml")
    ),
    bad("one row a level in reml", IdentifiabilityError, "one row per level", "known_sd")(
        lambda _: model("y ~ x + (1 | row)").fit("reml")
    ),
    bad("as many effects as rows", IdentifiabilityError, "24 effects for 24 rows")(
        lambda _: model("y ~ x + (0 + h | g)").fit("ml")
    ),
    bad("two factors that are one", IdentifiabilityError, "'g'", "'copy'", "same groups")(
        lambda _: model("y ~ x + (1 | g) + (1 | copy)").fit("reml")
    ),
    bad("factor both fixed and random", IdentifiabilityError, "'g'", "in the span of the fixed")(
        lambda _: model("y ~ g + (1 | g)").fit("reml")
    ),
    bad("more coefficients than rows", MethodError, "3 rows and 3 fixed")(
        lambda _: model("y ~ x + s", table().iloc[:3]).fit("reml")
    ),
    bad("conjugate without variances", MethodError, "needs known variances", "sd_<group>")(
        lambda _: plain().fit("conjugate")
    ),
    bad("variances of no kind", MethodError, "variances", "another fit")(lambda _: given(5)),
    bad("variances of another model", MethodError, "another model")(
        lambda _: given(reml(), "y ~ x + (1 | h)")
    ),
    bad("variances of a fit with fewer coefficients", MethodError, "another model")(
        lambda _: given(reml(), SLOPES)
    ),
    bad("variances without sigma", MethodError, "no value for 'sigma'", "sigma, sd_g")(
        lambda _: given({"sd_g": 1.0})
    ),
    bad("variances without an sd", MethodError, "no value for 'sd_g'")(
        lambda _: given({"sigma": 1.0})
    ),
    bad("variances with a typo", MethodError, "'sd_gg'", "Did you mean 'sd_g'?")(
        lambda _: given({"sigma": 1.0, "sd_gg": 1.0})
    ),
    bad("variances of the wrong length", DataError, "'sd_g'", "one finite number", "[1, 2]")(
        lambda _: given({"sigma": 1.0, "sd_g": [1, 2]})
    ),
    bad("negative sd", DataError, "negative", "sd_g", "-1")(
        lambda _: given({"sigma": 1.0, "sd_g": -1.0})
    ),
    bad("sigma of zero", DataError, "variances['sigma'] must be positive")(
        lambda _: given({"sigma": 0.0, "sd_g": 1.0})
    ),
    bad("NaN sd", DataError, "'sd_g'", "finite")(lambda _: given({"sigma": 1.0, "sd_g": np.nan})),
    bad("sd of words", DataError, "'sd_g'", "numbers", "'big'")(
        lambda _: given({"sigma": 1.0, "sd_g": "big"})
    ),
    bad("correlation above one", DataError, "no positive definite", "cor_g", "1.5")(
        lambda _: given({"sigma": 1.0, "sd_g": [1, 1], "cor_g": 1.5}, SLOPES)
    ),
    bad("correlations that no matrix has", DataError, "no positive definite", "cor_g")(
        lambda _: given(
            {"sigma": 1.0, "sd_g": [1, 1, 1], "cor_g": [0.9, 0.9, -0.9]}, "y ~ x + (x + s | g)"
        )
    ),
    bad("relative sd beside sigma", MethodError, "Leave 'sigma' out")(
        lambda _: given({"sigma": 1.0, "rel_sd_g": 1.0})
    ),
    bad("relative and absolute sd", MethodError, "'sd_g'", "rel_sd_g")(
        lambda _: given({"sd_g": 1.0, "rel_sd_g": 1.0})
    ),
    bad("absolute priors with relative sds", PriorError, "must be relative to sigma", "kappa=")(
        lambda _: plain().fit("conjugate", variances={"rel_sd_g": 1.0})
    ),
    bad("negative kappa", PriorError, "kappa", "-1", "0 (a flat prior) or more")(
        lambda _: given(reml(), kappa=-1.0)
    ),
    bad("kappa of NaN", PriorError, "kappa")(lambda _: given(reml(), kappa=np.nan)),
    bad("kappa of words", PriorError, "kappa", "'small'")(lambda _: given(reml(), kappa="small")),
    bad("Student-t slope in conjugate", PriorError, "normal or flat", "kappa=")(
        lambda _: model(priors={"beta": "student_t(3, 0, 1)"}).fit("conjugate", variances=reml())
    ),
    bad("negative scale of sigma2_prior", PriorError, "sigma2_prior", "-2.0")(
        lambda _: given({"rel_sd_g": 1.0}, sigma2_prior=(1.0, -2.0))
    ),
    bad("sigma2_prior without a posterior", PriorError, "improper", "IG(")(
        lambda _: given({"rel_sd_g": 1.0}, sigma2_prior=(-20.0, 0.0))
    ),
    bad("sigma2_prior of one number", PriorError, "sigma2_prior")(
        lambda _: given({"rel_sd_g": 1.0}, sigma2_prior=1.0)
    ),
    bad("sigma2_prior beside sigma", MethodError, "sigma2_prior", "rel_sd")(
        lambda _: given(reml(), sigma2_prior=(1.0, 1.0))
    ),
    bad("unknown parametrisation", MethodError, "parametrisation", "noncentred")(
        lambda _: plain().to_pymc(parametrisation="non-centred")
    ),
    bad("unknown sampler", MethodError, "'stan'", "nutpie")(
        lambda _: plain().fit("nuts", sampler="stan")
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_mistake_is_named_with_words_that_help(case: Bad, tmp_path: Path) -> None:
    check(case, tmp_path)
