"""The register: what runs, against whom, and what is asked of it."""

from __future__ import annotations

from functools import partial

from benchmarks.case import Case, Goal, Peer, Point
from benchmarks.data import cbpp, crossed, insteval, nested, penicillin, series, sleepstudy, slopes

SLEEPSTUDY = "Reaction ~ Days + (Days | Subject)"
INSTEVAL = "y ~ 1 + service + (1 | s) + (1 | d) + (1 | dept)"
SLOPES = "y ~ x + (x | g)"
CROSSED = "y ~ x + (1 | a) + (1 | b)"
LMER = Peer("lme4", "lmer")
BAMBI = Peer("Bambi", "bambi")
BAMBI_CORES = Peer("Bambi, all cores", "bambi", {"all_cores": True})
BAMBI_NUTPIE = Peer("Bambi, nutpie", "bambi", {"all_cores": True, "sampler": "nutpie"})
SLEEPSTUDY_SM = {"fixed": "Reaction ~ Days", "groups": "Subject", "random": "~Days"}

PENICILLIN = "diameter ~ 1 + (1 | plate) + (1 | sample)"
CBPP_BAMBI = {"formula": "p(incidence, size) ~ period + (1 | herd)", "family": "binomial"}
SAMPLERS = ("Bambi", "Bambi, all cores", "Bambi, nutpie")


def _rates(bar: float) -> tuple[Goal, ...]:
    """Effective draws a second, compiling included, against Bambi as it comes and as it may."""
    return (
        Goal("ess rate", "Bambi", bar=bar),
        *(Goal("ess rate", name) for name in SAMPLERS[1:]),
        *(Goal("ess rate, sampling only", name) for name in SAMPLERS),
    )


CASES = (
    Case(
        "sleepstudy-exact",
        "sleepstudy slopes, exact posterior, 4 x 1000 draws",
        SLEEPSTUDY,
        (Point("1x", sleepstudy),),
        method="exact",
        peers=(BAMBI, BAMBI_CORES, BAMBI_NUTPIE),
        goals=(
            Goal("ess rate", "Bambi", bar=300, aim=1000),
            Goal("ess rate, sampling only", "Bambi"),
            Goal("ess rate", "Bambi, all cores"),
            Goal("ess rate, sampling only", "Bambi, all cores"),
            Goal("ess rate", "Bambi, nutpie"),
            Goal("ess rate, sampling only", "Bambi, nutpie"),
        ),
    ),
    Case(
        "sleepstudy-reml",
        "sleepstudy slopes, REML, formula included",
        SLEEPSTUDY,
        (Point("1x", sleepstudy),),
        repeats=20,
        peers=(LMER, Peer("statsmodels", "statsmodels", SLEEPSTUDY_SM)),
        goals=(Goal("speed", "lme4", bar=0.5, aim=1), Goal("speed", "statsmodels")),
    ),
    Case(
        "insteval-reml",
        "InstEval, three crossed factors, REML",
        INSTEVAL,
        (Point("1x", insteval),),
        repeats=3,
        peers=(LMER,),
        goals=(Goal("speed", "lme4", bar=5, aim=10),),
    ),
    Case(
        "slopes-reml",
        "1,000,000 rows, 50,000 groups with slopes, REML",
        SLOPES,
        (Point("1x", partial(slopes, 1_000_000, 50_000)),),
        repeats=3,
        peers=(LMER,),
        goals=(Goal("speed", "lme4", bar=20, aim=50),),
    ),
    Case(
        "series-reml",
        "100,000 rows in 1,000 groups, AR(1) residuals, REML",
        "y ~ x + (1 | g)",
        (Point("1x", partial(series, 100_000, 1_000)),),
        model={"residual": "ar1(t | g)"},
        goals=(Goal("seconds", bar=10, aim=2),),
    ),
    Case(
        "series-exact",
        "100,000 rows in 1,000 groups, AR(1) residuals, exact posterior, 4 x 1000 draws",
        "y ~ x + (1 | g)",
        (Point("1x", partial(series, 100_000, 1_000)),),
        method="exact",
        repeats=1,
        model={"residual": "ar1(t | g)"},
        goals=(Goal("seconds"),),
    ),
    Case(
        "insteval-exact",
        "InstEval, exact posterior, 4 x 500 draws",
        INSTEVAL,
        (Point("1x", insteval),),
        method="exact",
        draws=500,
        repeats=1,
        goals=(Goal("seconds", bar=60, aim=20), Goal("peak GiB")),
    ),
    Case(
        "slopes-exact",
        "1,000,000 rows, 50,000 groups with slopes, exact posterior, 4 x 1000 draws",
        SLOPES,
        (Point("1x", partial(slopes, 1_000_000, 50_000)),),
        method="exact",
        repeats=1,
        goals=(Goal("seconds", bar=30, aim=10), Goal("peak GiB", bar=4)),
    ),
    Case(
        "crossed-large-reml",
        "200,000 rows, 20,000 x 5,000 crossed, REML",
        CROSSED,
        (Point("1x", partial(crossed, 200_000, 20_000, 5_000)),),
        repeats=1,
        peers=(Peer("lme4", "lmer", {"derivatives": False}),),
        goals=(Goal("speed", "lme4", bar=1, aim=3), Goal("peak GiB", bar=8)),
    ),
    Case(
        "crossed-reml",
        "100,000 rows, 2,000 x 500 crossed, REML",
        CROSSED,
        (Point("1x", partial(crossed, 100_000, 2_000, 500)),),
        repeats=3,
        peers=(LMER,),
        goals=(Goal("speed", "lme4"),),
    ),
    Case(
        "nested-reml",
        "31,022 rows, 2,410 schools in 131 areas, REML",
        "y ~ x + (1 | lea) + (1 | lea:school)",
        (Point("1x", partial(nested, 31_022, 2_410, 131)),),
        peers=(LMER,),  # statsmodels needs more than three minutes
        goals=(Goal("speed", "lme4"),),
    ),
    Case(
        "growth-slopes",
        "slopes by group, REML: 10x rows, then 10x levels too",
        SLOPES,
        (
            Point("1x", partial(slopes, 100_000, 5_000)),
            Point("10x rows", partial(slopes, 1_000_000, 5_000)),
            Point("10x rows and levels", partial(slopes, 1_000_000, 50_000)),
        ),
        repeats=3,
        evaluate=True,
        # "unchanged" leaves room for the noise of a timing of a millisecond.
        limits={
            ("10x rows", "evaluation"): 1.2,
            ("10x rows", "total"): 11.0,
            ("10x rows and levels", "total"): 11.0,
        },
    ),
    Case(
        "growth-crossed",
        "two crossed factors, REML: 10x rows, then 10x levels too",
        CROSSED,
        (
            Point("1x", partial(crossed, 20_000, 2_000, 500)),
            Point("10x rows", partial(crossed, 200_000, 2_000, 500)),
            Point("10x rows and levels", partial(crossed, 200_000, 20_000, 5_000)),
        ),
        repeats=1,
        evaluate=True,
    ),
    Case(
        "sleepstudy-collapsed",
        "sleepstudy slopes, PyMC with (beta, u) integrated out, 4 x 1000 draws",
        SLEEPSTUDY,
        (Point("1x", sleepstudy),),
        method="nuts",
        options={"marginal": True},
        repeats=3,
        peers=(BAMBI, BAMBI_CORES, BAMBI_NUTPIE),
        goals=_rates(3),
    ),
    Case(
        "sleepstudy-hierarchical",
        "sleepstudy slopes, PyMC hierarchical, 4 x 1000 draws",
        SLEEPSTUDY,
        (Point("1x", sleepstudy),),
        method="nuts",
        repeats=3,
        peers=(BAMBI, BAMBI_CORES, BAMBI_NUTPIE),
        goals=_rates(1),
    ),
    Case(
        "penicillin-collapsed",
        "Penicillin, PyMC with (beta, u) integrated out, 4 x 1000 draws",
        PENICILLIN,
        (Point("1x", penicillin),),
        method="nuts",
        options={"marginal": True},
        repeats=3,
        peers=(BAMBI, BAMBI_CORES, BAMBI_NUTPIE),
        goals=_rates(3),
    ),
    Case(
        "penicillin-hierarchical",
        "Penicillin, PyMC hierarchical, 4 x 1000 draws",
        PENICILLIN,
        (Point("1x", penicillin),),
        method="nuts",
        repeats=3,
        peers=(BAMBI, BAMBI_CORES, BAMBI_NUTPIE),
        goals=_rates(1),
    ),
    Case(
        "cbpp-hierarchical",
        "cbpp, binomial, PyMC hierarchical, 4 x 1000 draws",
        "incidence ~ period + (1 | herd)",
        (Point("1x", cbpp),),
        method="nuts",
        model={"family": "binomial", "trials": "size"},
        repeats=3,
        peers=tuple(
            Peer(p.name, "bambi", {**p.options, **CBPP_BAMBI})
            for p in (BAMBI, BAMBI_CORES, BAMBI_NUTPIE)
        ),
        goals=_rates(1),
    ),
)


def case(name: str) -> Case:
    """The case of that name.

    Raises
    ------
    KeyError
        No such case.
    """
    return {c.name: c for c in CASES}[name]
