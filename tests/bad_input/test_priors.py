"""Priors that can't be read, or that no parameter has."""

from __future__ import annotations

from pathlib import Path

import pytest

from bayeslmm.errors import PriorError
from tests.bad_input.cases import SLOPES, Bad, bad, check, model

CASES = [
    bad("unknown prior", PriorError, "'normall'", "Did you mean 'normal'?")(
        lambda _: model(priors={"beta": "normall(0, 1)"})
    ),
    bad("prior of the wrong support", PriorError, "'sd'", "positive", "half_normal")(
        lambda _: model(priors={"sd": "normal(0, 1)"})
    ),
    bad("positive prior on a slope", PriorError, "beta[x]", "all real numbers", "normal")(
        lambda _: model(priors={"beta[x]": "exponential(1)"})
    ),
    bad("uniform below zero on sigma", PriorError, "'sigma'", "positive")(
        lambda _: model(priors={"sigma": "uniform(-1, 5)"})
    ),
    bad("correlations' prior on an sd", PriorError, "'sd_g'")(
        lambda _: model(priors={"sd_g": "lkj(2)"})
    ),
    bad("number's prior on correlations", PriorError, "'cor_g'", "lkj(eta)")(
        lambda _: model(SLOPES, priors={"cor_g": "normal(0, 1)"})
    ),
    bad("correlation where there is none", PriorError, "no parameter 'cor_g'")(
        lambda _: model(priors={"cor_g": "lkj(2)"})
    ),
    bad("prior with too few parameters", PriorError, "normal(mu, sigma)")(
        lambda _: model(priors={"beta": "normal(0)"})
    ),
    bad("prior with an unknown parameter", PriorError, "normal(mu, sigma)")(
        lambda _: model(priors={"beta": "normal(0, sd=1)"})
    ),
    bad("prior with a parameter twice", PriorError, "normal")(
        lambda _: model(priors={"beta": "normal(0, 1, sigma=1)"})
    ),
    bad("prior with a negative scale", PriorError, "'sigma'", "must be positive", "-1")(
        lambda _: model(priors={"beta": "normal(0, -1)"})
    ),
    bad("prior with an infinite scale", PriorError, "finite", "inf")(
        lambda _: model(priors={"beta": "normal(0, 1e999)"})
    ),
    bad("uniform that falls", PriorError, "increasing")(
        lambda _: model(priors={"beta": "uniform(2, 1)"})
    ),
    bad("half-t with a location", PriorError, "folded at zero", "5")(
        lambda _: model(priors={"sd": "half_student_t(3, 5, 1)"})
    ),
    bad("code in a prior", PriorError, "must be numbers")(
        lambda _: model(priors={"beta": "normal(0, __import__('os').getpid())"})
    ),
    bad("attribute in a prior", PriorError, "can't be read")(
        lambda _: model(priors={"beta": "scipy.stats.norm(0, 1)"})
    ),
    bad("unreadable prior", PriorError, "can't be read", "normal(0, 5)")(
        lambda _: model(priors={"beta": "normal(0, 1"})
    ),
    bad("starred arguments in a prior", PriorError, "must be numbers")(
        lambda _: model(priors={"beta": "normal(*[0, 1])"})
    ),
    bad("double-starred arguments in a prior", PriorError, "must be numbers")(
        lambda _: model(priors={"beta": "normal(**{'mu': 0, 'sigma': 1})"})
    ),
    bad("number for a prior", PriorError, "text such as", "5")(lambda _: model(priors={"beta": 5})),
    bad("list for the priors", PriorError, "dict", "list")(
        lambda _: model(priors=["normal(0, 1)"])
    ),
    bad("single text that is not flat", PriorError, "'flat'", "{'beta': 'normal(0, 5)'}")(
        lambda _: model(priors="normal(0, 1)")
    ),
    bad("prior key with a typo", PriorError, "'sd_gg'", "Did you mean 'sd_g'?")(
        lambda _: model(priors={"sd_gg": "exponential(1)"})
    ),
    bad("prior of an unknown slope", PriorError, "'beta[xx]'", "Did you mean 'beta[x]'?")(
        lambda _: model(priors={"beta[xx]": "normal(0, 1)"})
    ),
    bad("prior key sigma by another case", PriorError, "'Sigma'", "Did you mean 'sigma'?")(
        lambda _: model(priors={"Sigma": "half_normal(1)"})
    ),
    bad("two priors of the intercept", PriorError, "intercept has two priors", "Intercept_centred")(
        lambda _: model(priors={"Intercept": "normal(0, 1)", "Intercept_centred": "normal(0, 1)"})
    ),
    bad(
        "two names of the intercept", PriorError, "intercept has two", "Intercept, beta[Intercept]."
    )(lambda _: model(priors={"Intercept": "normal(0, 1)", "beta[Intercept]": "flat"})),
    bad("prior of an intercept that isn't there", PriorError, "no parameter 'Intercept'")(
        lambda _: model("y ~ 0 + x + (1 | g)", priors={"Intercept": "normal(0, 1)"})
    ),
    bad("prior of sd and its square", PriorError, "'sigma^2'", "one of them")(
        lambda _: model(priors={"sigma": "half_normal(1)", "sigma^2": "inverse_gamma(1, 1)"})
    ),
    bad("sd prior without random effects", PriorError, "'sd'", "Available: Intercept_centred")(
        lambda _: model("y ~ x", priors={"sd": "half_normal(1)"})
    ),
    bad("prior of a known sigma", PriorError, "no parameter sigma", "known")(
        lambda _: model(known_sd="s", priors={"sigma": "half_normal(1)"})
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_mistake_is_named_with_words_that_help(case: Bad, tmp_path: Path) -> None:
    check(case, tmp_path)
