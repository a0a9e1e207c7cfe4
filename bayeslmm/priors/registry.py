"""The densities by name, and the reading of `normal(0, 5)`."""

from __future__ import annotations

import ast
from dataclasses import fields

from bayeslmm.errors import PriorError, nearest
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
        raise PriorError("A prior is a text such as 'normal(0, 5)'", got=repr(text))
    name, positional, keywords = _split(text)
    if name not in PRIORS:
        raise PriorError(f"Unknown prior {name!r} in {text!r}", hint=nearest(name, PRIORS))
    density = PRIORS[name]
    wanted = [f.name for f in fields(density)]
    try:
        return density(*positional, **keywords)
    except TypeError:
        raise PriorError(
            f"Prior {name!r} has {len(wanted)} parameters", got=repr(text), allowed=_usage(density)
        ) from None


def _usage(density: type[Prior]) -> str:
    names = ", ".join(f.name for f in fields(density))
    return f"{density.name}({names})" if names else density.name


def _split(text: str) -> tuple[str, list[Numbers], dict[str, Numbers]]:
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise PriorError(
            "A prior that can't be read", got=repr(text[:80]), allowed="normal(0, 5)"
        ) from None
    if isinstance(node, ast.Name):
        return node.id, [], {}
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        raise PriorError("A prior that can't be read", got=repr(text[:80]), allowed="normal(0, 5)")
    positional = [_numbers(a, text) for a in node.args]
    keywords = {str(k.arg): _numbers(k.value, text) for k in node.keywords}
    return node.func.id, positional, keywords


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
        return sign * float(node.value)
    raise PriorError("The parameters of a prior are plain numbers", got=repr(text[:80]))
