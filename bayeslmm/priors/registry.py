"""The densities by name, and the reading of `normal(0, 5)`."""

from __future__ import annotations

import ast
import warnings
from dataclasses import fields

from bayeslmm.errors import PriorError, nearest, shorter
from bayeslmm.priors.base import Prior
from bayeslmm.priors.beta import Beta
from bayeslmm.priors.cauchy import Cauchy
from bayeslmm.priors.exponential import Exponential
from bayeslmm.priors.flat import Flat
from bayeslmm.priors.gamma import Gamma
from bayeslmm.priors.half_cauchy import HalfCauchy
from bayeslmm.priors.half_normal import HalfNormal
from bayeslmm.priors.half_student_t import HalfStudentT
from bayeslmm.priors.horseshoe import Horseshoe
from bayeslmm.priors.inverse_gamma import InverseGamma
from bayeslmm.priors.laplace import Laplace
from bayeslmm.priors.lkj import LKJ
from bayeslmm.priors.lognormal import LogNormal
from bayeslmm.priors.normal import Normal
from bayeslmm.priors.r2d2 import R2D2
from bayeslmm.priors.student_t import StudentT
from bayeslmm.priors.uniform import Uniform
from bayeslmm.priors.variance_shares import VarianceShares

LONGEST_PRIOR = 100_000
Numbers = float | tuple[float, ...]
PRIORS: dict[str, type[Prior]] = {
    prior.name: prior
    for prior in (
        Normal,
        StudentT,
        Cauchy,
        Laplace,
        Flat,
        HalfNormal,
        HalfStudentT,
        HalfCauchy,
        Exponential,
        Gamma,
        InverseGamma,
        LogNormal,
        Uniform,
        Beta,
        LKJ,
        Horseshoe,
        R2D2,
        VarianceShares,
    )
}


def parse_prior(text: str | Prior) -> Prior:
    """Read a prior from its text; a prior object passes through.

    Parameters
    ----------
    text : str or Prior
        ``"normal(0, 5)"``, ``"half_student_t(3, 0, sigma=2)"``, ``"flat"``.

    Raises
    ------
    PriorError
        Unknown density, wrong number of parameters, or parameters that are not numbers.
    """
    if isinstance(text, Prior):
        return text
    if not isinstance(text, str):
        raise PriorError("A prior must be a text such as 'normal(0, 5)'", got=type(text).__name__)
    name, positional, keywords = _split(text)
    if name not in PRIORS:
        raise PriorError(
            f"Unknown prior {name!r} in {shorter(text, 80)!r}", hint=nearest(name, PRIORS, "prior")
        )
    density = PRIORS[name]
    try:
        return density(*positional, **keywords)
    except TypeError:
        raise PriorError(
            _parameters(density), got=shorter(text, 80), hint=_usage(density)
        ) from None


EXAMPLES: dict[str, str] = {
    "normal": "normal(0, 5)",
    "student_t": "student_t(3, 0, 2.5)",
    "cauchy": "cauchy(0, 2.5)",
    "laplace": "laplace(0, 1)",
    "flat": "flat",
    "half_normal": "half_normal(5)",
    "half_student_t": "half_student_t(3, 0, 2.5)",
    "half_cauchy": "half_cauchy(5)",
    "exponential": "exponential(1)",
    "gamma": "gamma(2, 0.1)",
    "inverse_gamma": "inverse_gamma(1, 1)",
    "lognormal": "lognormal(0, 1)",
    "uniform": "uniform(0, 10)",
    "beta": "beta(2, 2)",
    "lkj": "lkj(2)",
    "horseshoe": "horseshoe()",
    "r2d2": "r2d2()",
    "variance_shares": "variance_shares(1)",
}
_WORDS = {"mu": "location mu", "sigma": "scale sigma", "nu": "degrees of freedom nu"}
_COUNTS = ("no parameters", "one parameter", "two parameters", "three parameters")


def _usage(density: type[Prior]) -> str:
    """How a density is written, by its parameters' names and by an example."""
    names = [f.name for f in fields(density)]
    example = EXAMPLES[density.name]
    return f"Write {density.name}({', '.join(names)}), as in {example}" if names else example


def _parameters(density: type[Prior]) -> str:
    """The parameters of a density as a sentence."""
    names = [_WORDS.get(f.name, f.name) for f in fields(density)]
    count = _COUNTS[len(names)] if len(names) < len(_COUNTS) else f"up to {len(names)} parameters"
    its = f": its {' and '.join(names)}" if 0 < len(names) < len(_COUNTS) else ""
    return f"{density.name} takes {count}{its}"


def _split(text: str) -> tuple[str, list[Numbers], dict[str, Numbers]]:
    if len(text) > LONGEST_PRIOR:
        raise PriorError(
            f"The prior's text has {len(text):,} characters", allowed=f"{LONGEST_PRIOR:,} at most"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # "1if", "0in": refused below
            node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unreadable(text) from None
    if isinstance(node, ast.Name):
        return node.id, [], {}
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise _unreadable(text)
    positional = [_numbers(a, text) for a in node.args]
    keywords = {str(k.arg): _numbers(k.value, text) for k in node.keywords}
    return node.func.id, positional, keywords


def _unreadable(text: str) -> PriorError:
    return PriorError(
        "The prior can't be read",
        got=repr(shorter(text, 80)),
        hint="Write a name with numbers, such as normal(0, 5)",
    )


def _numbers(node: ast.expr, text: str) -> Numbers:
    """A number, or a list of them."""
    if isinstance(node, ast.List | ast.Tuple):
        return tuple(_number(element, text) for element in node.elts)
    return _number(node, text)


def _number(node: ast.expr, text: str) -> float:
    sign = 1.0
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        sign = -sign if isinstance(node.op, ast.USub) else sign
        node = node.operand
    if (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and not isinstance(node.value, bool)
    ):
        try:
            return sign * float(node.value)
        except OverflowError:  # a whole number beyond the floats
            raise PriorError(
                "A parameter of a prior is too large", got=repr(shorter(text, 80))
            ) from None
    raise PriorError("The parameters of a prior must be numbers", got=repr(shorter(text, 80)))
